#include "first_boot.h"
#include "args.h"
#include "board.h"
#include "link.h"
#include "plan.h"
#include <forecall_agent.h>

/* Two pages, as two sectors of a flash. */
#define PAGE_BYTES 4096u
#define PAGES 2u
/* Beyond so many starts without a minute at the hub the device is in a loop. */
#define STARTS_MAX 5

static uint64_t store_memory[FC_AGENT_STORE_BYTES / sizeof(uint64_t)];
static FcAgentStore *store;
static FcAgentEnrolment *enrolment;

static int32_t flash_read(void *context, uint32_t at, uint8_t *to, size_t len) {
    (void)context;
    return board_flash_read(at, to, len) ? 0 : -1;
}

/* Programming only clears bits, as in a real flash. */
static int32_t flash_program(void *context, uint32_t at, const uint8_t *from, size_t len) {
    (void)context;
    while (len > 0) {
        uint8_t cells[32];
        size_t count = len < sizeof cells ? len : sizeof cells;
        if (!board_flash_read(at, cells, count)) {
            return -1;
        }
        for (size_t i = 0; i < count; i++) {
            cells[i] &= from[i];
        }
        if (!board_flash_write(at, cells, count)) {
            return -1;
        }
        at += (uint32_t)count;
        from += count;
        len -= count;
    }
    return 0;
}

static int32_t flash_erase(void *context, uint32_t at, size_t len) {
    (void)context;
    uint8_t cells[64];
    for (size_t i = 0; i < sizeof cells; i++) {
        cells[i] = 0xFF;
    }
    for (size_t done = 0; done < len; done += sizeof cells) {
        if (!board_flash_write(at + (uint32_t)done, cells, sizeof cells)) {
            return -1;
        }
    }
    return 0;
}

static void count_starts(uint8_t count) {
    if (fc_agent_flash_put(store, FC_AGENT_KEY_BOOTS, &count, 1) != FC_AGENT_OK) {
        give_up("the starts are not kept\n");
    }
}

bool first_boot_count(void) {
    if (!plan.flash[0]) {
        return false;
    }
    const FcAgentFlash flash = {
        .context = NULL,
        .read = flash_read,
        .program = flash_program,
        .erase = flash_erase,
        .start = 0,
        .page_bytes = PAGE_BYTES,
        .pages = PAGES,
    };
    if (!board_flash_open(plan.flash) ||
        fc_agent_flash_open(store_memory, sizeof store_memory, &flash, &store) != FC_AGENT_OK) {
        give_up("the flash cannot be opened\n");
    }
    uint8_t kept = 0;
    size_t len = 0;
    bool is_kept = fc_agent_flash_get(store, FC_AGENT_KEY_BOOTS, &kept, 1, &len) == FC_AGENT_OK;
    uint8_t starts = fc_agent_boots(is_kept ? &kept : NULL, is_kept ? len : 0);
    count_starts(starts);
    return starts > STARTS_MAX;
}

void first_boot_is_healthy(void) {
    if (store) {
        count_starts(0);
    }
}

static uint64_t next_connect_at(void) {
    return fc_agent_enrolment_next_connect_at(enrolment);
}

static void connected(uint64_t now) {
    fc_agent_enrolment_connected(enrolment, now, 0);
}

static void disconnected(uint64_t now) {
    fc_agent_enrolment_disconnected(enrolment, now);
}

static size_t received(const uint8_t *bytes, size_t len, uint64_t now) {
    return fc_agent_enrolment_bytes(enrolment, bytes, len, now);
}

static bool tell(uint64_t now) {
    return fc_agent_enrolment_poll_event(enrolment, now) != 0;
}

static size_t transmit(uint8_t *out, size_t len, uint64_t now) {
    return fc_agent_enrolment_poll_transmit(enrolment, out, len, now);
}

static const link_user user = {next_connect_at, connected, disconnected, received, tell, transmit};

/* A board has a generator; the one in QEMU has none, and is given a number instead. */
static void draw(uint8_t random[FC_AGENT_RANDOM_BYTES]) {
    uint64_t state = plan.seed;
    for (size_t i = 0; i < FC_AGENT_RANDOM_BYTES; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        random[i] = (uint8_t)(state >> 56);
    }
}

static void keep(void) {
    size_t len = 0;
    const uint8_t *record = fc_agent_enrolment_to_keep(enrolment, &len);
    if (record && fc_agent_flash_put(store, FC_AGENT_KEY_SECRET, record, len) == FC_AGENT_OK) {
        fc_agent_enrolment_kept(enrolment);
    }
}

void first_boot(void *memory, size_t memory_len) {
    uint8_t kept[FC_AGENT_RECORD_BYTES];
    size_t kept_len = 0;
    bool is_kept = fc_agent_flash_get(store, FC_AGENT_KEY_SECRET, kept, sizeof kept, &kept_len) == FC_AGENT_OK;
    FcAgentSettings settings;
    fc_agent_default_settings(&settings);
    settings.backoff_cap_ms = plan.backoff_cap_ms;
    const FcAgentFactory factory = {
        .abi_version = FC_AGENT_ABI_VERSION,
        .seed = plan.seed,
        .user_name = plan.user,
        .claim_token = plan.claim[0] ? plan.claim : NULL,
        .group_secret = (const uint8_t *)plan.group,
        .group_secret_len = text_len(plan.group),
        .kept = is_kept ? kept : NULL,
        .kept_len = is_kept ? kept_len : 0,
        .settings = &settings,
    };
    if (fc_agent_enrolment_init(memory, memory_len, &factory, &enrolment) != FC_AGENT_OK) {
        give_up("the enrolment was not made\n");
    }
    bool is_new = !fc_agent_enrolment_is_done(enrolment);
    while (!fc_agent_enrolment_is_done(enrolment)) {
        if (fc_agent_enrolment_needs_secret(enrolment)) {
            uint8_t random[FC_AGENT_RANDOM_BYTES];
            draw(random);
            fc_agent_enrolment_renew(enrolment, random);
        }
        keep();
        link_follow(&user, uptime());
        board_wait();
    }
    link_close(&user, uptime());
    const uint8_t *secret = fc_agent_enrolment_password(enrolment, &plan.secret_len);
    if (!secret || plan.secret_len > sizeof plan.secret) {
        give_up("the secret does not fit\n");
    }
    for (size_t i = 0; i < plan.secret_len; i++) {
        plan.secret[i] = secret[i];
    }
    board_say(is_new ? "enrolled\n" : "enrolled before\n");
}
