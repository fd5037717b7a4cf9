/* A pump rig as the profile `pump-rig` describes it; the same readings as agent-sdk/firmware/qemu-mps2/src/pump.rs. */

#ifndef PUMP_H
#define PUMP_H

#include <stdint.h>

#define PUMP_CHANNELS 8

typedef struct {
    uint64_t unit;      /* tells one rig from another */
    uint64_t worn_from; /* from this reading on it is worn */
} pump;

/* The reading of a number: a value of each channel, by id less one, in its unit. */
void pump_read(const pump *self, uint64_t number, double values[PUMP_CHANNELS]);

#endif
