/* First boot on Linux with the device agent in C: a file stands in for the flash. The device comes to a secret of its own,
 * which is printed; started again it prints the same one.
 *
 *     first_boot FLASH HOST PORT TENANT/DEVICE claim|group CREDENTIAL [cut|exchange]
 *
 * With `cut` its power fails behind its first question: what the hub answers is lost. With `exchange` it takes another secret.
 */

#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <fcntl.h>
#include <forecall_agent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define PAGES 2
#define CONNECTIONS_MAX 20
#define PAUSE_MAX_MS 300
#define PUBLISH 0x30 /* the first byte of a question */

static int file;
static uint64_t store_memory[FC_AGENT_STORE_BYTES / sizeof(uint64_t)];
static uint64_t enrolment_memory[FC_AGENT_ENROLMENT_BYTES / sizeof(uint64_t)];
static FcAgentStore *store;
static FcAgentEnrolment *enrolment;

static _Noreturn void fail(const char *why) {
    fprintf(stderr, "first_boot: %s\n", why);
    exit(1);
}

static int32_t flash_read(void *context, uint32_t at, uint8_t *to, size_t len) {
    (void)context;
    return pread(file, to, len, at) == (ssize_t)len ? 0 : 1;
}

static int32_t flash_program(void *context, uint32_t at, const uint8_t *from, size_t len) {
    (void)context;
    return pwrite(file, from, len, at) == (ssize_t)len ? 0 : 1;
}

static int32_t flash_erase(void *context, uint32_t at, size_t len) {
    uint8_t erased[PAGE_BYTES];
    (void)context;
    memset(erased, 0xFF, sizeof erased);
    return len == sizeof erased && pwrite(file, erased, len, at) == (ssize_t)len ? 0 : 1;
}

/* A new file is an erased flash. */
static void open_flash(const char *name) {
    file = open(name, O_RDWR | O_CREAT, 0600);
    if (file < 0) {
        fail("the file of the flash cannot be opened");
    }
    if (lseek(file, 0, SEEK_END) == 0) {
        for (uint32_t page = 0; page < PAGES; page++) {
            if (flash_erase(NULL, page * PAGE_BYTES, PAGE_BYTES) != 0) {
                fail("the file of the flash cannot be written");
            }
        }
    }
    const FcAgentFlash flash = {
        .read = flash_read,
        .program = flash_program,
        .erase = flash_erase,
        .page_bytes = PAGE_BYTES,
        .pages = PAGES,
    };
    if (fc_agent_flash_open(store_memory, sizeof store_memory, &flash, &store) != FC_AGENT_OK) {
        fail("the flash is not one of ours");
    }
}

static void begin(const char *user, bool is_claim, const char *credential) {
    static uint8_t kept[FC_AGENT_RECORD_BYTES];
    size_t kept_len = 0;
    int32_t found = fc_agent_flash_get(store, FC_AGENT_KEY_SECRET, kept, sizeof kept, &kept_len);
    if (found != FC_AGENT_OK && found != FC_AGENT_NOTHING) {
        fail("the record cannot be read");
    }
    const FcAgentFactory factory = {
        .abi_version = FC_AGENT_ABI_VERSION,
        .seed = 7,
        .user_name = user,
        .claim_token = is_claim ? credential : NULL,
        .group_secret = is_claim ? NULL : (const uint8_t *)credential,
        .group_secret_len = is_claim ? 0 : strlen(credential),
        .kept = found == FC_AGENT_OK ? kept : NULL,
        .kept_len = kept_len,
    };
    if (fc_agent_enrolment_init(enrolment_memory, sizeof enrolment_memory, &factory, &enrolment) != FC_AGENT_OK) {
        fail("there is no enrolment");
    }
}

static void renew(void) {
    uint8_t random[FC_AGENT_RANDOM_BYTES];
    int source = open("/dev/urandom", O_RDONLY);
    if (source < 0 || read(source, random, sizeof random) != (ssize_t)sizeof random) {
        fail("there is nothing random");
    }
    close(source);
    if (!fc_agent_enrolment_renew(enrolment, random)) {
        fail("another secret is on its way");
    }
}

/* What is to be kept is kept before anything else. */
static void keep(void) {
    size_t len;
    const uint8_t *record = fc_agent_enrolment_to_keep(enrolment, &len);
    if (record) {
        if (fc_agent_flash_put(store, FC_AGENT_KEY_SECRET, record, len) != FC_AGENT_OK) {
            fail("the record cannot be kept");
        }
        fc_agent_enrolment_kept(enrolment);
    }
}

static int open_link(const char *host, const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    const struct timeval patience = {.tv_sec = 20};
    int link = socket(AF_INET, SOCK_STREAM, 0);
    if (link < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        connect(link, (const struct sockaddr *)&address, sizeof address) != 0) {
        fail("no connection to the hub");
    }
    return link;
}

/* Until either side ends it. */
static void talk(int link, uint64_t now, bool is_cut) {
    uint8_t in[512], out[512];
    size_t waiting = 0;
    while (fc_agent_enrolment_poll_event(enrolment, now) == 0) {
        size_t written = fc_agent_enrolment_poll_transmit(enrolment, out, sizeof out, now);
        if (written > 0) {
            if (send(link, out, written, MSG_NOSIGNAL) != (ssize_t)written) {
                return;
            }
            if (is_cut && out[0] == PUBLISH) {
                /* The hub has answered, and so has committed; nobody hears it. */
                exit(recv(link, in, sizeof in, 0) > 0 ? 3 : 1);
            }
            continue;
        }
        if (waiting == 0) {
            ssize_t count = recv(link, in, sizeof in, 0);
            if (count <= 0) {
                return;
            }
            waiting = (size_t)count;
        }
        size_t taken = fc_agent_enrolment_bytes(enrolment, in, waiting, now);
        waiting -= taken;
        memmove(in, in + taken, waiting);
    }
}

/* One connection, at the time when the enrolment wants it; of its back-off no more is waited for than the hub needs. */
static void connection(const char *host, const char *port, bool is_cut) {
    uint64_t now = fc_agent_enrolment_next_connect_at(enrolment);
    if (now == UINT64_MAX) {
        fail("no connection is wanted");
    }
    int link = open_link(host, port);
    fc_agent_enrolment_connected(enrolment, now, 0);
    talk(link, now, is_cut);
    close(link);
    fc_agent_enrolment_disconnected(enrolment, now);
    while (fc_agent_enrolment_poll_event(enrolment, now) != 0) {
    }
    uint64_t next = fc_agent_enrolment_next_connect_at(enrolment);
    uint64_t pause_ms = next == UINT64_MAX ? 0 : next - now;
    pause_ms = pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms;
    const struct timespec pause = {.tv_nsec = (long)pause_ms * 1000000};
    nanosleep(&pause, NULL);
}

int main(int argc, char **argv) {
    if (argc < 7) {
        fail("first_boot FLASH HOST PORT TENANT/DEVICE claim|group CREDENTIAL [cut|exchange]");
    }
    bool is_cut = argc > 7 && strcmp(argv[7], "cut") == 0;
    bool exchanges = argc > 7 && strcmp(argv[7], "exchange") == 0;
    open_flash(argv[1]);
    begin(argv[4], strcmp(argv[5], "claim") == 0, argv[6]);
    if (exchanges || fc_agent_enrolment_needs_secret(enrolment)) {
        renew();
    }
    for (int connections = 0; connections < CONNECTIONS_MAX; connections++) {
        keep();
        if (fc_agent_enrolment_is_done(enrolment)) {
            size_t len;
            const uint8_t *password = fc_agent_enrolment_password(enrolment, &len);
            printf("%.*s\n", (int)len, (const char *)password);
            return 0;
        }
        connection(argv[2], argv[3], is_cut);
    }
    fail("it does not come to an end");
}
