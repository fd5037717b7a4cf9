/* A pump with the device agent, in C: it comes to a secret, measures, asks the hub for the time, reports, obeys, says why it
 * crashed, and starts again where a connection was lost. All memory is here; nothing is allocated.
 *
 * Arguments are those of agent-sdk/firmware/qemu-mps2/src/plan.rs, without `port` and `batch`: the modem knows where the hub is.
 * And `sensors=1`: what is measured comes from the second serial port, see sensors.h.
 */

#include "args.h"
#include "board.h"
#include "cbor.h"
#include "first_boot.h"
#include "link.h"
#include "modem.h"
#include "plan.h"
#include "sensors.h"
#include <forecall_agent.h>

#define BATCH 8u /* samples of a message */
/* Samples that wait until the time is known; the oldest give way. */
#define WAITING_MAX 256u

#define MESSAGE_MAX 1024
#define RECEIVE_BYTES 512
#define OUTBOX_BYTES (48 * 1024)

/* The hub says what time it is to a device that asks. */
#define QUESTION "v1/devices/me/rpc/request/1"
#define ANSWER "v1/devices/me/rpc/response/1"
#define ANSWERS "v1/devices/me/rpc/response/+"

typedef struct {
    uint64_t number;
    uint64_t uptime_ms;
} sample;

/* Aligned as a uint64_t, as the header asks for. */
static uint64_t memory[(FC_AGENT_STATE_BYTES + RECEIVE_BYTES + OUTBOX_BYTES) / sizeof(uint64_t)];
static FcAgent *agent;

static sample waiting[WAITING_MAX];
static uint64_t waiting_begin, waiting_end;
static uint64_t next_number, next_event;

/* A reading of both clocks at one moment, once the hub has told. */
static bool has_time, has_asked;
static uint64_t asked_at, time_uptime_ms, time_utc_ms;

/* What is done once the hub has the answer to a command. */
static enum { NOTHING, STOP, FAULT } ending = NOTHING;
static bool has_stopped;
static uint32_t ending_token;

/* The hub has had one connection for a while. */
static bool is_healthy;

static void start_agent(void) {
    static const uint8_t gone[] = {0x81, 0x06}; /* the will [6] */
    const char *subscriptions[] = {plan.commands, ANSWERS};
    FcAgentSettings settings;
    fc_agent_default_settings(&settings);
    settings.backoff_cap_ms = plan.backoff_cap_ms;
    FcAgentConfig config = {
        .abi_version = FC_AGENT_ABI_VERSION,
        .seed = plan.seed,
        .client_id = plan.device,
        .user_name = plan.user,
        .password = plan.secret,
        .password_len = plan.secret_len,
        /* Topics are written out: one of them is not of the device's own. */
        .topic_prefix = NULL,
        .will_topic = plan.state,
        .will_payload = gone,
        .will_payload_len = sizeof gone,
        .subscriptions = subscriptions,
        .subscription_count = sizeof subscriptions / sizeof subscriptions[0],
        .receive_bytes = RECEIVE_BYTES,
        .settings = &settings,
    };
    if (fc_agent_init(memory, sizeof memory, &config, &agent) != FC_AGENT_OK) {
        give_up("the agent was not made\n");
    }
}

/* Reports an event: it goes before all telemetry that waits. */
static void report_event(int state, const char *code, const char *detail, uint64_t at) {
    uint8_t bytes[128];
    cbor payload = {bytes, 0, sizeof bytes, false};
    cbor_array(&payload, 8);
    cbor_number(&payload, 3); /* an event */
    /* In UTC, or else in uptime, and the hub places it when it comes. */
    cbor_number(&payload, has_time ? 1 : 0);
    cbor_number(&payload, plan.boot);
    cbor_number(&payload, next_event++);
    cbor_number(&payload, has_time ? time_utc_ms + at - time_uptime_ms : at);
    cbor_number(&payload, (uint64_t)state);
    cbor_text(&payload, code);
    cbor_text(&payload, detail);
    FcAgentPublish message = {
        .topic = plan.events,
        .payload = bytes,
        .payload_len = payload.len,
        .lane = FC_AGENT_EVENT,
        .qos = 1,
        .overflow = FC_AGENT_DROP_NEWEST,
        .retain = 0,
    };
    if (payload.is_cut || fc_agent_publish(agent, &message, NULL) != FC_AGENT_OK) {
        board_say("the event was not taken\n");
    }
}

#define EVENT_RAISED 1
#define EVENT_REPORTED 2

/* Why the last run ended, if it crashed. */
static void report_crash(void) {
    uint32_t at;
    if (board_has_crashed(&at)) {
        char detail[16] = "pc=0x";
        text_append_number(detail, sizeof detail, at, 16);
        report_event(EVENT_REPORTED, "hard_fault", detail, uptime());
    }
}

/* Takes the readings that are due. */
static void measure(uint64_t now) {
    while (next_number < plan.count) {
        uint64_t due = next_number < plan.past ? next_number * STEP_MS
                                               : plan.past * STEP_MS + (next_number - plan.past) * plan.period_ms;
        if (now < due) {
            return;
        }
        if (waiting_end - waiting_begin == WAITING_MAX) {
            waiting_begin++;
        }
        waiting[waiting_end % WAITING_MAX] = (sample){next_number, due};
        waiting_end++;
        if (next_number == plan.event_at) {
            report_event(EVENT_RAISED, "E18", "flow", due);
        }
        next_number++;
    }
}

/* Writes a message of `count` samples that wait; false if it does not fit. */
static bool encode(cbor *into, uint64_t count) {
    const sample *first = &waiting[waiting_begin % WAITING_MAX];
    cbor_array(into, 6);
    cbor_number(into, 1); /* telemetry */
    cbor_number(into, 1); /* in UTC */
    cbor_number(into, plan.boot);
    cbor_number(into, first->number);
    cbor_number(into, time_utc_ms + first->uptime_ms - time_uptime_ms);
    cbor_array(into, count);
    for (uint64_t i = 0; i < count; i++) {
        const sample *one = &waiting[(waiting_begin + i) % WAITING_MAX];
        double values[PUMP_CHANNELS];
        pump_read(&plan.pump, one->number, values);
        cbor_array(into, 2);
        cbor_number(into, one->uptime_ms - first->uptime_ms);
        cbor_map(into, PUMP_CHANNELS);
        for (int channel = 0; channel < PUMP_CHANNELS; channel++) {
            cbor_number(into, (uint64_t)channel + 1);
            cbor_double(into, values[channel]);
        }
    }
    return !into->is_cut;
}

/* Hands whole messages to the agent, and what is left once the last reading was taken. */
static void report(void) {
    while (has_time) {
        uint64_t count = waiting_end - waiting_begin;
        bool is_last = next_number == plan.count;
        if (count == 0 || (count < BATCH && !is_last)) {
            return;
        }
        count = count > BATCH ? BATCH : count;
        /* Not on the stack, of which a board has little. */
        static uint8_t bytes[MESSAGE_MAX];
        cbor payload = {bytes, 0, sizeof bytes, false};
        if (!encode(&payload, count)) {
            give_up("a message does not fit\n");
        }
        FcAgentPublish message = {
            .topic = plan.telemetry,
            .payload = payload.bytes,
            .payload_len = payload.len,
            .lane = FC_AGENT_TELEMETRY,
            .qos = 1,
            /* Refused, they wait here. */
            .overflow = FC_AGENT_DROP_NEWEST,
            .retain = 0,
        };
        if (fc_agent_publish(agent, &message, NULL) != FC_AGENT_OK) {
            return;
        }
        waiting_begin += count;
    }
}

static int32_t say(const char *to, const char *text, uint8_t qos, uint32_t *token) {
    FcAgentPublish message = {
        .topic = to,
        .payload = (const uint8_t *)text,
        .payload_len = text_len(text),
        .lane = FC_AGENT_EVENT,
        .qos = qos,
        .overflow = FC_AGENT_DROP_NEWEST,
        .retain = 0,
    };
    return fc_agent_publish(agent, &message, token);
}

/* Whether `text` is somewhere in the bytes; where it ends. */
static const uint8_t *behind(const uint8_t *bytes, size_t len, const char *text) {
    for (size_t at = 0; at < len; at++) {
        size_t same = 0;
        while (text[same] && at + same < len && bytes[at + same] == (uint8_t)text[same]) {
            same++;
        }
        if (!text[same]) {
            return bytes + at + same;
        }
    }
    return NULL;
}

/* `{"time": milliseconds since 1970}` */
static void hear_time(const FcAgentEvent *event, uint64_t now) {
    const uint8_t *at = behind(event->payload, event->payload_len, "\"time\"");
    const uint8_t *end = event->payload + event->payload_len;
    if (!at || has_time || !has_asked) {
        return;
    }
    while (at < end && (*at < '0' || *at > '9')) {
        at++;
    }
    uint64_t utc_ms = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        utc_ms = utc_ms * 10 + (uint64_t)(*at - '0');
    }
    /* Right somewhere between question and answer. */
    time_uptime_ms = asked_at + (now - asked_at) / 2;
    time_utc_ms = utc_ms;
    has_time = utc_ms > 0;
}

static void obey(const FcAgentEvent *event) {
    char reply[TOPIC_MAX], answer[48];
    size_t from = event->topic_len;
    while (from > 0 && event->topic[from - 1] != '/') {
        from--;
    }
    plan_topic(reply, "/r/");
    size_t at = text_len(reply);
    if (event->topic_len - from + at >= sizeof reply) {
        return;
    }
    for (; from < event->topic_len; from++) {
        reply[at++] = (char)event->topic[from];
    }
    reply[at] = 0;
    /* What the device does: nothing else, whatever the hub says. */
    bool is_stop = behind(event->payload, event->payload_len, "\"stop\"") != NULL;
    bool is_fault = behind(event->payload, event->payload_len, "\"fault\"") != NULL;
    bool is_status = behind(event->payload, event->payload_len, "\"status\"") != NULL;
    answer[0] = 0;
    if (is_stop || is_fault || is_status) {
        text_append(answer, sizeof answer, "{\"status\":\"done\",\"result\":");
        text_append_number(answer, sizeof answer, next_number, 10);
        text_append(answer, sizeof answer, "}");
    } else {
        text_append(answer, sizeof answer, "{\"status\":\"refused\",\"reason\":\"not allowed\"}");
    }
    uint32_t token = 0;
    if (say(reply, answer, 1, &token) == FC_AGENT_OK && (is_stop || is_fault)) {
        ending = is_stop ? STOP : FAULT;
        ending_token = token;
    }
}

static void delivered(uint32_t token) {
    sensors_delivered(token);
    if (ending == NOTHING || token != ending_token) {
        return;
    }
    if (ending == FAULT) {
        __asm__ volatile("udf #0");
    }
    has_stopped = true;
    fc_agent_close(agent);
}

static bool is_topic(const FcAgentEvent *event, const char *name) {
    size_t same = 0;
    while (same < event->topic_len && name[same] && event->topic[same] == (uint8_t)name[same]) {
        same++;
    }
    return same == event->topic_len && !name[same];
}

/* Does what events ask for; whether the connection is over. */
static bool tell_events(uint64_t now) {
    FcAgentEvent event;
    bool is_over = false;
    while (fc_agent_poll_event(agent, &event)) {
        switch (event.kind) {
        case FC_AGENT_CONNECTED:
            board_say(event.session_present ? "connected again\n" : "connected\n");
            break;
        case FC_AGENT_SUBSCRIBED:
            if (!has_time && say(QUESTION, "{\"method\":\"getCurrentTime\"}", 0, NULL) == FC_AGENT_OK) {
                has_asked = true;
                asked_at = now;
            }
            break;
        case FC_AGENT_MESSAGE:
            if (is_topic(&event, ANSWER)) {
                hear_time(&event, now);
            } else {
                obey(&event);
            }
            break;
        case FC_AGENT_DELIVERED:
            delivered(event.number);
            break;
        case FC_AGENT_DROPPED:
            board_say("dropped\n");
            break;
        case FC_AGENT_DISCONNECTED:
            is_over = true;
            break;
        default:
            break;
        }
    }
    return is_over;
}

static uint64_t next_connect_at(void) {
    return fc_agent_next_connect_at(agent);
}

static void connected(uint64_t now) {
    fc_agent_connected(agent, now, 0);
}

/* Ends the program, if that is why. */
static void disconnected(uint64_t now) {
    if (has_stopped) {
        char said[32] = "stack ";
        text_append_number(said, sizeof said, board_stack_bytes(), 10);
        text_append(said, sizeof said, " bytes\n");
        board_say(said);
        board_say("stopped\n");
        board_exit(0);
    }
    board_say("disconnected\n");
    fc_agent_disconnected(agent, now);
}

static size_t received(const uint8_t *bytes, size_t len, uint64_t now) {
    return fc_agent_bytes(agent, bytes, len, now);
}

static size_t transmit(uint8_t *out, size_t len, uint64_t now) {
    return fc_agent_poll_transmit(agent, out, len, now);
}

static const link_user user = {next_connect_at, connected, disconnected, received, tell_events, transmit};

int main(void) {
    board_start();
    plan_read();
    modem_start();
    bool is_loop = first_boot_count();
    if (plan.secret_len == 0) {
        first_boot(memory, sizeof memory);
    }
    start_agent();
    report_crash();
    if (is_loop) {
        fc_agent_safe_mode(agent);
        report_event(EVENT_REPORTED, "safe-mode", "", uptime());
    }
    for (;;) {
        uint64_t now = uptime();
        if (plan.has_sensors) {
            sensors_turn(agent, now);
        } else {
            measure(now);
            report();
        }
        link_follow(&user, now);
        if (!is_healthy && fc_agent_is_healthy(agent, now)) {
            is_healthy = true;
            first_boot_is_healthy();
        }
        board_wait();
    }
}
