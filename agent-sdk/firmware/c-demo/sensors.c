#include "sensors.h"
#include "board.h"
#include "cbor.h"
#include "plan.h"

#define FRAME_BYTES_MAX 255
#define TIME_BYTES 8u
#define READING_BYTES 5u
/* Samples of a message; as long as this waits one for others, in milliseconds. */
#define BATCH 8u
#define BATCH_AGE_MS 200u
#define MESSAGE_MAX 1024u
/* What a sample of the longest frame takes in a message. */
#define SAMPLE_MAX 360u
/* Messages that wait for the hub; a power of two. */
#define WAITING_MAX 64u

static uint8_t frame[FRAME_BYTES_MAX];
static size_t frame_len, frame_want;
static uint8_t frame_kind;
static enum { KIND, COUNT, BYTES } part = KIND;
/* A sample that is read, and in no message yet. */
static bool has_sample;

/* The message that is being written. */
static uint8_t bytes[MESSAGE_MAX];
static cbor message;
static size_t count_at;
static uint8_t count;
static uint64_t first_utc_ms, begun_at, next_number;

/* Messages that the agent has and the hub has not. */
static struct {
    uint32_t token;
    uint8_t samples;
} waiting[WAITING_MAX];
static uint32_t waiting_begin, waiting_end;

/* A number of some bytes. */
static uint64_t number_at(const uint8_t *at, int count) {
    uint64_t number = 0;
    for (int i = count - 1; i >= 0; i--) {
        number = (number << 8) | at[i];
    }
    return number;
}

/* Takes in up to the end of a frame; whether one is complete. */
static bool read_frame(void) {
    uint8_t byte;
    while (board_serial_read(BOARD_SENSORS, &byte, 1) == 1) {
        switch (part) {
        case KIND:
            frame_kind = byte;
            part = COUNT;
            break;
        case COUNT:
            frame_want = byte;
            frame_len = 0;
            part = frame_want > 0 ? BYTES : KIND;
            break;
        case BYTES:
            frame[frame_len++] = byte;
            if (frame_len == frame_want) {
                part = KIND;
                return frame_kind == 'S' && frame_len >= TIME_BYTES && (frame_len - TIME_BYTES) % READING_BYTES == 0;
            }
            break;
        }
    }
    return false;
}

static void begin(uint64_t utc_ms, uint64_t now) {
    message = (cbor){bytes, 0, sizeof bytes, false};
    cbor_array(&message, 6);
    cbor_number(&message, 1); /* telemetry */
    cbor_number(&message, 1); /* in UTC */
    cbor_number(&message, plan.boot);
    cbor_number(&message, next_number);
    cbor_number(&message, utc_ms);
    /* One byte, which says later how many samples follow. */
    count_at = message.len;
    cbor_array(&message, 0);
    count = 0;
    first_utc_ms = utc_ms;
    begun_at = now;
}

static void add_sample(uint64_t utc_ms) {
    cbor_array(&message, 2);
    cbor_number(&message, utc_ms - first_utc_ms);
    cbor_map(&message, (frame_len - TIME_BYTES) / READING_BYTES);
    for (size_t at = TIME_BYTES; at < frame_len; at += READING_BYTES) {
        cbor_number(&message, frame[at]);
        /* Its bits go on as they came. */
        cbor_float(&message, (uint32_t)number_at(&frame[at + 1], 4));
    }
    count++;
    next_number++;
}

/* Hands the message to the agent; false if there is no room now. */
static bool hand_over(FcAgent *agent) {
    bytes[count_at] = (uint8_t)(0x80u | count);
    FcAgentPublish publish = {
        .topic = plan.telemetry,
        .payload = bytes,
        .payload_len = message.len,
        .lane = FC_AGENT_TELEMETRY,
        .qos = 1,
        /* Refused, it waits here, and the sensors behind it. */
        .overflow = FC_AGENT_DROP_NEWEST,
        .retain = 0,
    };
    uint32_t token;
    if (waiting_end - waiting_begin == WAITING_MAX || fc_agent_publish(agent, &publish, &token) != FC_AGENT_OK) {
        return false;
    }
    waiting[waiting_end % WAITING_MAX].token = token;
    waiting[waiting_end % WAITING_MAX].samples = count;
    waiting_end++;
    count = 0;
    return true;
}

void sensors_turn(FcAgent *agent, uint64_t now) {
    for (;;) {
        bool is_full = count == BATCH || message.len + SAMPLE_MAX > MESSAGE_MAX;
        bool is_due = count > 0 && (is_full || now - begun_at >= BATCH_AGE_MS);
        if (is_due && !hand_over(agent)) {
            return;
        }
        if (!has_sample) {
            has_sample = read_frame();
        }
        if (!has_sample) {
            return;
        }
        uint64_t utc_ms = number_at(frame, 8);
        /* The contract wants times that rise, and lie near each other. */
        bool is_odd = count > 0 && (utc_ms < first_utc_ms || utc_ms - first_utc_ms > UINT32_MAX);
        if (is_odd && !hand_over(agent)) {
            return;
        }
        if (count == 0) {
            begin(utc_ms, now);
        }
        add_sample(utc_ms);
        has_sample = false;
    }
}

void sensors_delivered(uint32_t token) {
    if (waiting_begin == waiting_end || waiting[waiting_begin % WAITING_MAX].token != token) {
        return;
    }
    uint8_t samples = waiting[waiting_begin % WAITING_MAX].samples;
    waiting_begin++;
    const uint8_t told[] = {'K', 4, samples, 0, 0, 0};
    board_serial_write(BOARD_SENSORS, told, sizeof told);
}
