/* A pump with the device agent, in C: it measures, asks the hub for the time, reports, obeys, and starts again where a
 * connection was lost. All memory is here; nothing is allocated.
 *
 * Arguments are those of agent-sdk/firmware/qemu-mps2/src/plan.rs, without `port`, `batch` and `event_at`: the modem knows where
 * the hub is.
 */

#include "args.h"
#include "board.h"
#include "cbor.h"
#include "modem.h"
#include "pump.h"
#include <forecall_agent.h>
#include <stdbool.h>

#define STEP_MS 1000u /* the step of the rig's model */
#define BATCH 8u      /* samples of a message */
/* Samples that wait until the time is known; the oldest give way. */
#define WAITING_MAX 256u

#define TOPIC_MAX 160
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

static struct {
    char line[512], device[64], user[96], secret[96];
    char commands[TOPIC_MAX], telemetry[TOPIC_MAX], state[TOPIC_MAX];
    uint64_t boot, past, count, period_ms;
    pump pump;
} plan;

/* Aligned as a uint64_t, as the header asks for. */
static uint64_t memory[(FC_AGENT_STATE_BYTES + RECEIVE_BYTES + OUTBOX_BYTES) / sizeof(uint64_t)];
static FcAgent *agent;

static sample waiting[WAITING_MAX];
static uint64_t waiting_begin, waiting_end;
static uint64_t next_number;

/* A reading of both clocks at one moment, once the hub has told. */
static bool has_time, has_asked;
static uint64_t asked_at, time_uptime_ms, time_utc_ms;

/* The answer to `stop`, until the hub has it. */
static bool is_stopping, has_stopped;
static uint32_t stop_token;

static uint64_t uptime(void) {
    return plan.past * STEP_MS + board_ms();
}

static _Noreturn void give_up(const char *why) {
    board_say(why);
    board_exit(2);
}

static void topic(char *room, const char *rest) {
    room[0] = 0;
    text_append(room, TOPIC_MAX, "d/");
    text_append(room, TOPIC_MAX, plan.device);
    text_append(room, TOPIC_MAX, rest);
}

static void read_plan(void) {
    board_command_line(plan.line, sizeof plan.line);
    const char *line = plan.line;
    if (!args_text(line, "user", plan.user, sizeof plan.user) ||
        !args_text(line, "secret", plan.secret, sizeof plan.secret)) {
        give_up("arguments are missing: see main.c\n");
    }
    const char *device = plan.user;
    while (*device && *device != '/') {
        device++;
    }
    if (*device) {
        text_append(plan.device, sizeof plan.device, device + 1);
    }
    topic(plan.commands, "/c/+");
    topic(plan.telemetry, "/t");
    topic(plan.state, "/s");
    plan.boot = args_number(line, "boot", 1);
    plan.past = args_number(line, "past", 0);
    plan.count = args_number(line, "count", UINT64_MAX);
    plan.period_ms = args_number(line, "period_ms", 1000);
    plan.pump.unit = args_number(line, "unit", 1);
    plan.pump.worn_from = args_number(line, "worn_from", UINT64_MAX);
}

static void start_agent(void) {
    static const uint8_t gone[] = {0x81, 0x06}; /* the will [6] */
    const char *subscriptions[] = {plan.commands, ANSWERS};
    FcAgentSettings settings;
    fc_agent_default_settings(&settings);
    settings.backoff_cap_ms = (uint32_t)args_number(plan.line, "backoff_cap_ms", settings.backoff_cap_ms);
    size_t secret_len = 0;
    while (plan.secret[secret_len]) {
        secret_len++;
    }
    FcAgentConfig config = {
        .abi_version = FC_AGENT_ABI_VERSION,
        .seed = (uint32_t)args_number(plan.line, "seed", 1),
        .client_id = plan.device,
        .user_name = plan.user,
        .password = (const uint8_t *)plan.secret,
        .password_len = secret_len,
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
        uint8_t bytes[MESSAGE_MAX];
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
    size_t len = 0;
    while (text[len]) {
        len++;
    }
    FcAgentPublish message = {
        .topic = to,
        .payload = (const uint8_t *)text,
        .payload_len = len,
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
    char reply[TOPIC_MAX], request[TOPIC_MAX] = {0};
    size_t from = event->topic_len;
    while (from > 0 && event->topic[from - 1] != '/') {
        from--;
    }
    if (event->topic_len - from >= sizeof request) {
        return;
    }
    for (size_t i = from; i < event->topic_len; i++) {
        request[i - from] = (char)event->topic[i];
    }
    topic(reply, "/r/");
    text_append(reply, sizeof reply, request);
    bool is_stop = behind(event->payload, event->payload_len, "\"stop\"") != NULL;
    const char *answer = is_stop ? "{\"status\":\"done\"}" : "{\"status\":\"refused\",\"reason\":\"not allowed\"}";
    uint32_t token = 0;
    if (say(reply, answer, 1, &token) == FC_AGENT_OK && is_stop) {
        is_stopping = true;
        stop_token = token;
    }
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
            if (is_stopping && event.number == stop_token) {
                has_stopped = true;
                fc_agent_close(agent);
            }
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

static enum { IDLE, OPENING, OPEN, CLOSING } phase = IDLE;

static void end_connection(uint64_t now) {
    if (has_stopped) {
        board_say("stopped\n");
        board_exit(0);
    }
    board_say("disconnected\n");
    modem_close();
    phase = CLOSING;
    fc_agent_disconnected(agent, now);
}

/* Hands bytes over until neither side has more. */
static void work(uint64_t now) {
    bool has_more = true;
    while (has_more) {
        size_t len;
        const uint8_t *received = modem_received(&len);
        size_t taken = len > 0 ? fc_agent_bytes(agent, received, len, now) : 0;
        modem_consume(taken);
        if (tell_events(now)) {
            end_connection(now);
            return;
        }
        uint8_t out[255];
        size_t written = fc_agent_poll_transmit(agent, out, sizeof out, now);
        modem_send(out, written);
        has_more = taken > 0 || written > 0;
    }
    if (tell_events(now)) {
        end_connection(now);
    }
}

static void follow_link(uint64_t now) {
    modem_link link = modem_poll();
    switch (phase) {
    case IDLE:
        if (now >= fc_agent_next_connect_at(agent)) {
            modem_open();
            phase = OPENING;
        }
        break;
    case OPENING:
        if (link == MODEM_UP) {
            phase = OPEN;
            fc_agent_connected(agent, now, 0);
            work(now);
        } else if (link == MODEM_DOWN) {
            phase = IDLE;
            fc_agent_disconnected(agent, now);
        }
        break;
    case OPEN:
        if (link == MODEM_UP) {
            work(now);
        } else {
            phase = IDLE;
            fc_agent_disconnected(agent, now);
            /* Why, which nobody needs to do anything about. */
            tell_events(now);
        }
        break;
    case CLOSING:
        if (link == MODEM_DOWN) {
            phase = IDLE;
        }
        break;
    }
}

int main(void) {
    board_start();
    read_plan();
    start_agent();
    for (;;) {
        uint64_t now = uptime();
        measure(now);
        report();
        follow_link(now);
        board_wait();
    }
}
