/* Connections through the modem: first for the way to a secret, then for the agent. */

#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The functions of the agent, or of its enrolment. */
typedef struct {
    uint64_t (*next_connect_at)(void);
    void (*connected)(uint64_t now);
    void (*disconnected)(uint64_t now);
    /* Takes bytes in; how many. */
    size_t (*received)(const uint8_t *bytes, size_t len, uint64_t now);
    /* Does what events ask for; whether the connection is over. */
    bool (*tell)(uint64_t now);
    /* Writes what is due; how many bytes. */
    size_t (*transmit)(uint8_t *out, size_t len, uint64_t now);
} link_user;

/* Opens the connection when it is time to, and works on it while it is there. */
void link_follow(const link_user *user, uint64_t now);

/* Closes the connection, if there is one. */
void link_close(const link_user *user, uint64_t now);

#endif
