/* A washing machine with the device agent, in C: agent-sdk/README.md shows this file, and a test compiles and runs it. */

#include <forecall_agent.h>
#include <string.h>

/* What the board supplies. */
uint64_t board_uptime_ms(void);
uint32_t board_random(void);
bool link_open(void);                             /* a connection to the hub: TCP, or TLS */
int link_read(uint8_t *to, size_t len);           /* bytes that have come; 0: none now; -1: the link is lost */
bool link_write(const uint8_t *from, size_t len); /* all of them, or the link is lost */
void link_close(void);

#define RECEIVE_BYTES 512
#define OUTBOX_BYTES 4096

static uint64_t memory[(FC_AGENT_STATE_BYTES + RECEIVE_BYTES + OUTBOX_BYTES) / sizeof(uint64_t)];
static const uint8_t secret[] = "of this device alone";
static const uint8_t gone[] = {0x81, 0x06}; /* the last will [6] */
static const char *const subscriptions[] = {"c/+"};
static FcAgent *agent;
static bool is_open;

bool machine_start(void) {
    const FcAgentConfig config = {
        .abi_version = FC_AGENT_ABI_VERSION,
        .seed = board_random(),
        .client_id = "wm-001",
        .user_name = "acme/wm-001",
        .password = secret,
        .password_len = sizeof secret - 1,
        .topic_prefix = "d/wm-001/",
        .will_topic = "s",
        .will_payload = gone,
        .will_payload_len = sizeof gone,
        .subscriptions = subscriptions,
        .subscription_count = 1,
        .receive_bytes = RECEIVE_BYTES,
    };
    return fc_agent_init(memory, sizeof memory, &config, &agent) == FC_AGENT_OK;
}

/* A message for the hub, with or without a connection: telemetry on "t", events on "e". It is copied. */
bool machine_say(const char *topic, uint8_t lane, const void *payload, size_t len) {
    const FcAgentPublish message = {
        .topic = topic,
        .payload = payload,
        .payload_len = len,
        .lane = lane,
        .qos = 1,
        .overflow = lane == FC_AGENT_EVENT ? FC_AGENT_DROP_NEWEST : FC_AGENT_DROP_OLDEST,
    };
    return fc_agent_publish(agent, &message, NULL) == FC_AGENT_OK;
}

/* A command came, on "d/wm-001/c/ID": it is answered on "r/ID". This machine does nothing for anybody. */
static void obey(const FcAgentEvent *event) {
    static const char refused[] = "{\"status\":\"refused\",\"reason\":\"not allowed\"}";
    char topic[67] = "r/";
    size_t from = event->topic_len;
    while (from > 0 && event->topic[from - 1] != '/') {
        from--;
    }
    if (event->topic_len - from < sizeof topic - 2) {
        memcpy(topic + 2, event->topic + from, event->topic_len - from);
        machine_say(topic, FC_AGENT_EVENT, refused, sizeof refused - 1);
    }
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
        taken += fc_agent_bytes(agent, in + taken, len - taken, now);
        bool is_over = false;
        FcAgentEvent event;
        while (fc_agent_poll_event(agent, &event)) {
            if (event.kind == FC_AGENT_MESSAGE) {
                obey(&event);
            } else if (event.kind == FC_AGENT_DISCONNECTED) {
                is_over = true;
            }
        }
        size_t written;
        while ((written = fc_agent_poll_transmit(agent, out, sizeof out, now)) > 0) {
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

/* In the main loop, when bytes have come, after machine_say, and at fc_agent_next_deadline. */
void machine_turn(void) {
    uint64_t now = board_uptime_ms();
    if (!is_open && now >= fc_agent_next_connect_at(agent)) {
        is_open = link_open();
        if (is_open) {
            fc_agent_connected(agent, now, board_random());
        } else {
            fc_agent_disconnected(agent, now);
        }
    }
    if (is_open && !exchange(now)) {
        link_close();
        is_open = false;
        fc_agent_disconnected(agent, now);
    }
}
