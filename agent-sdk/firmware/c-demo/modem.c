#include "modem.h"
#include "board.h"
#include <stdbool.h>

#define FRAME_BYTES_MAX 255
#define RECEIVED_MAX 1024
/* So long it says nothing once it has closed a connection. */
#define SILENCE_MS 50u

static modem_link link_now = MODEM_DOWN;
static uint8_t received[RECEIVED_MAX];
static size_t received_len;

/* The frame that is being read. */
static uint8_t kind;
static size_t bytes_left;
static enum { KIND, COUNT, BYTES } part = KIND;

static void frame_began(void) {
    switch (kind) {
    case 'U':
        link_now = MODEM_UP;
        received_len = 0;
        break;
    case 'L':
        link_now = MODEM_DOWN;
        break;
    default:
        break;
    }
}

modem_link modem_poll(void) {
    uint8_t byte;
    /* What was received before the connection was lost is lost with it. The hub knows that. */
    while (received_len < RECEIVED_MAX && board_serial_read(BOARD_MODEM, &byte, 1) == 1) {
        switch (part) {
        case KIND:
            kind = byte;
            part = COUNT;
            break;
        case COUNT:
            bytes_left = byte;
            frame_began();
            part = bytes_left > 0 ? BYTES : KIND;
            break;
        case BYTES:
            if (kind == 'D' && link_now == MODEM_UP) {
                received[received_len++] = byte;
            }
            if (--bytes_left == 0) {
                part = KIND;
            }
            break;
        }
    }
    return link_now;
}

static void frame(uint8_t of_kind, const uint8_t *bytes, uint8_t count) {
    uint8_t head[2] = {of_kind, count};
    board_serial_write(BOARD_MODEM, head, sizeof head);
    board_serial_write(BOARD_MODEM, bytes, count);
}

void modem_start(void) {
    uint8_t byte;
    frame('C', NULL, 0);
    /* The rest of a frame may still come, whose beginning nobody knows any more. */
    for (uint64_t heard_at = board_ms(); board_ms() - heard_at < SILENCE_MS;) {
        while (board_serial_read(BOARD_MODEM, &byte, 1) == 1) {
            heard_at = board_ms();
        }
        board_wait();
    }
}

void modem_open(void) {
    link_now = MODEM_WAITING;
    received_len = 0;
    frame('O', NULL, 0);
}

void modem_close(void) {
    link_now = MODEM_WAITING;
    received_len = 0;
    frame('C', NULL, 0);
}

const uint8_t *modem_received(size_t *len) {
    *len = received_len;
    return received;
}

void modem_consume(size_t len) {
    if (len > received_len) {
        len = received_len;
    }
    received_len -= len;
    for (size_t i = 0; i < received_len; i++) {
        received[i] = received[i + len];
    }
}

void modem_send(const uint8_t *bytes, size_t len) {
    while (len > 0) {
        uint8_t count = len > FRAME_BYTES_MAX ? FRAME_BYTES_MAX : (uint8_t)len;
        frame('D', bytes, count);
        bytes += count;
        len -= count;
    }
}
