#include "link.h"
#include "modem.h"

static enum { IDLE, OPENING, OPEN, CLOSING } phase = IDLE;

void link_close(const link_user *user, uint64_t now) {
    if (phase == OPENING || phase == OPEN) {
        modem_close();
        phase = CLOSING;
        user->disconnected(now);
    }
}

/* Hands bytes over until neither side has more. */
static void work(const link_user *user, uint64_t now) {
    bool has_more = true;
    while (has_more) {
        size_t len;
        const uint8_t *received = modem_received(&len);
        size_t taken = len > 0 ? user->received(received, len, now) : 0;
        modem_consume(taken);
        if (user->tell(now)) {
            link_close(user, now);
            return;
        }
        uint8_t out[128];
        size_t written = user->transmit(out, sizeof out, now);
        modem_send(out, written);
        has_more = taken > 0 || written > 0;
    }
    if (user->tell(now)) {
        link_close(user, now);
    }
}

void link_follow(const link_user *user, uint64_t now) {
    modem_link link = modem_poll();
    switch (phase) {
    case IDLE:
        if (now >= user->next_connect_at()) {
            modem_open();
            phase = OPENING;
        }
        break;
    case OPENING:
        if (link == MODEM_UP) {
            phase = OPEN;
            user->connected(now);
            work(user, now);
        } else if (link == MODEM_DOWN) {
            phase = IDLE;
            user->disconnected(now);
        }
        break;
    case OPEN:
        if (link == MODEM_UP) {
            work(user, now);
        } else {
            phase = IDLE;
            user->disconnected(now);
            /* Why, which nobody needs to do anything about. */
            user->tell(now);
        }
        break;
    case CLOSING:
        if (link == MODEM_DOWN) {
            phase = IDLE;
        }
        break;
    }
}
