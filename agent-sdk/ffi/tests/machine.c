/* A board and a hub for examples/machine.c: the hub takes the connection, tells the time, and asks for something; a minute
 * later the link is lost. */

#include "../examples/machine.c"
#include <string.h>

static uint64_t now_ms;
static unsigned opened, closed;
static uint8_t sent[2048];
static size_t sent_len;
static const uint8_t *coming;
static size_t coming_len;
static bool is_lost;

uint64_t board_uptime_ms(void) {
    return now_ms;
}

uint32_t board_random(void) {
    return 7;
}

bool link_open(void) {
    opened++;
    /* The hub is away at the first attempt. */
    return opened > 1;
}

int link_read(uint8_t *to, size_t len) {
    size_t count = coming_len < len ? coming_len : len;
    if (is_lost) {
        return -1;
    }
    memcpy(to, coming, count);
    coming += count;
    coming_len -= count;
    return (int)count;
}

bool link_write(const uint8_t *from, size_t len) {
    if (len > sizeof sent - sent_len) {
        return false;
    }
    memcpy(sent + sent_len, from, len);
    sent_len += len;
    return true;
}

void link_close(void) {
    closed++;
}

static bool has_sent(const void *bytes, size_t len) {
    for (size_t at = 0; at + len <= sent_len; at++) {
        if (memcmp(sent + at, bytes, len) == 0) {
            return true;
        }
    }
    return false;
}

#define HAS_SENT(text) has_sent(text, sizeof text - 1)

static void hear(const void *bytes, size_t len) {
    coming = bytes;
    coming_len = len;
    machine_turn(412);
}

#define HEAR(text) hear(text, sizeof text - 1)

/* The number of the check that fails, or 0. */
int main(void) {
    coming = sent;
    if (!machine_start()) return 1;
    if (!machine_fault("E21")) return 2;
    machine_turn(412);
    if (opened != 1 || sent_len != 0) return 3;
    now_ms = fc_agent_machine_next_connect_at(machine);
    machine_turn(412);
    if (opened != 2 || !HAS_SENT("MQTT") || !HAS_SENT("acme/wm-001")) return 4;
    /* CONNACK, and the answer to the four subscriptions. */
    HEAR("\x20\x02\x00\x00\x90\x06\xFF\xFF\x01\x01\x01\x01");
    if (!HAS_SENT("d/wm-001/c/+") || !HAS_SENT("getCurrentTime") || HAS_SENT("E21")) return 5;
    HEAR("\x30\x34\x00\x1C" "v1/devices/me/rpc/response/1" "{\"time\":1800000000000}");
    if (!HAS_SENT("d/wm-001/e") || !HAS_SENT("E21") || !HAS_SENT("WM7")) return 6;
    /* Commands at QoS 0: one on the list, and one that is not. */
    HEAR("\x30\x21\x00\x0C" "d/wm-001/c/7" "{\"method\":\"status\"}");
    if (!HAS_SENT("d/wm-001/r/7") || !HAS_SENT("\"done\"")) return 7;
    HEAR("\x30\x1F\x00\x0C" "d/wm-001/c/8" "{\"method\":\"open\"}");
    if (!HAS_SENT("d/wm-001/r/8") || !HAS_SENT("not allowed")) return 8;
    /* A batch begins with an array of eight and its kind, 4. */
    if (HAS_SENT("\x88\x04")) return 9;
    now_ms += 60000;
    machine_turn(412);
    if (!HAS_SENT("\x88\x04")) return 10;
    is_lost = true;
    machine_turn(412);
    if (closed != 1 || fc_agent_machine_next_connect_at(machine) == UINT64_MAX) return 11;
    return 0;
}
