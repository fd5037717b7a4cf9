/* What the arguments ask of the program; main.c lists them. */

#ifndef PLAN_H
#define PLAN_H

#include "pump.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOPIC_MAX 160
#define SECRET_MAX 96
#define STEP_MS 1000u /* the step of the rig's model */

typedef struct {
    char line[512], device[64], user[96];
    /* The device's own secret, once it has one. */
    uint8_t secret[SECRET_MAX];
    size_t secret_len;
    /* What a new device has from its factory; empty where it has not that. */
    char claim[96], group[SECRET_MAX], flash[128];
    char commands[TOPIC_MAX], telemetry[TOPIC_MAX], events[TOPIC_MAX], state[TOPIC_MAX];
    uint64_t boot, past, count, period_ms, event_at;
    uint32_t seed, backoff_cap_ms;
    bool has_sensors;
    pump pump;
} plan_type;

extern plan_type plan;

/* Reads it from the program's arguments; ends the program if something is missing. */
void plan_read(void);

/* The device's topic `d/{device}{rest}`. */
void plan_topic(char *room, const char *rest);

/* Milliseconds of uptime, with the past that was lived in no time. */
uint64_t uptime(void);

/* Ends the program because it cannot go on. */
_Noreturn void give_up(const char *why);

#endif
