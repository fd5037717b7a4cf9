/* A washing machine with the device agent, in C: agent-sdk/README.md shows this file, and a test compiles and runs it. */

#include <forecall_agent.h>

/* What the board supplies. */
uint64_t board_uptime_ms(void);
uint32_t board_random(void);
bool link_open(void);                             /* a connection to the hub: TCP, or TLS */
int link_read(uint8_t *to, size_t len);           /* bytes that have come; 0: none now; -1: the link is lost */
bool link_write(const uint8_t *from, size_t len); /* all of them, or the link is lost */
void link_close(void);

#define METRICS 4
#define METHODS 1
#define READINGS 64 /* of an open batch */
#define PACKET_BYTES 512
#define OUTBOX_BYTES 4096
#define PARTS_BYTES (METRICS * FC_AGENT_METRIC_BYTES + METHODS * FC_AGENT_METHOD_BYTES + READINGS * FC_AGENT_READING_BYTES)

/* All the memory there is. */
static uint64_t memory[(FC_AGENT_STATE_BYTES + PARTS_BYTES + 2 * PACKET_BYTES + OUTBOX_BYTES) / sizeof(uint64_t)];
static const uint8_t secret[] = "of this device alone";
static const char *const methods[METHODS] = {"status"};
static FcAgentMachine *machine;
static uint8_t drum;
static bool is_open;

bool machine_start(void) {
    const FcAgentMachineConfig config = {
        .abi_version = FC_AGENT_ABI_VERSION,
        .seed = board_random(),
        .boot_id = ((uint64_t)board_random() << 32) | board_random(),
        .client_id = "wm-001",
        .user_name = "acme/wm-001",
        .password = secret,
        .password_len = sizeof secret - 1,
        .topic_prefix = "d/wm-001/",
        .model = "WM7",
        .firmware = "1.4.2",
        .methods = methods,
        .method_count = METHODS,
        .metric_count = METRICS,
        .reading_count = READINGS,
        .packet_bytes = PACKET_BYTES,
        .batch_age_ms = 60000,
        .batch_samples = 32,
        .reset = FC_AGENT_RESET_POWER_ON,
    };
    /* Channel 3 of the profile has one decimal: half a degree, or once a minute. */
    const FcAgentMetric degrees = {
        .channel = 3,
        .overflow = FC_AGENT_DROP_OLDEST,
        .deadband = 5,
        .interval_ms = 60000,
    };
    uint64_t now = board_uptime_ms();
    return fc_agent_machine_init(memory, sizeof memory, &config, now, &machine) == FC_AGENT_OK &&
           fc_agent_machine_metric(machine, &degrees, &drum) == FC_AGENT_OK;
}

/* A fault has begun, with or without a connection: it overtakes readings. */
bool machine_fault(const char *code) {
    return fc_agent_machine_event(machine, FC_AGENT_RAISED, code, NULL, board_uptime_ms()) == FC_AGENT_OK;
}

/* Whether the connection lasts. */
static bool exchange(uint64_t now) {
    uint8_t in[256], out[256];
    int count = link_read(in, sizeof in);
    if (count < 0) {
        return false;
    }
    size_t taken = 0, len = (size_t)count;
    do {
        taken += fc_agent_machine_bytes(machine, in + taken, len - taken, now);
        bool is_over = false;
        FcAgentMachineEvent event;
        while (fc_agent_machine_poll_event(machine, &event, now)) {
            if (event.kind == FC_AGENT_COMMAND) {
                /* Only what is on the list of methods comes here. */
                fc_agent_machine_reply(machine, &event.command, FC_AGENT_DONE, NULL, 0);
            } else if (event.kind == FC_AGENT_DISCONNECTED) {
                is_over = true;
            }
        }
        size_t written;
        while ((written = fc_agent_machine_poll_transmit(machine, out, sizeof out, now)) > 0) {
            if (!link_write(out, written)) {
                return false;
            }
        }
        if (is_over) {
            return false;
        }
    } while (taken < len);
    return true;
}

/* In the main loop: when there is a value, when bytes have come, and at fc_agent_machine_next_deadline. */
void machine_turn(int32_t drum_tenths) {
    uint64_t now = board_uptime_ms();
    fc_agent_machine_report(machine, drum, drum_tenths, now);
    if (!is_open && now >= fc_agent_machine_next_connect_at(machine)) {
        is_open = link_open();
        if (is_open) {
            fc_agent_machine_connected(machine, now, board_random());
        } else {
            fc_agent_machine_disconnected(machine, now);
        }
    }
    if (is_open && !exchange(now)) {
        link_close();
        is_open = false;
        fc_agent_machine_disconnected(machine, now);
    }
}
