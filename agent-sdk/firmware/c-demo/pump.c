#include "pump.h"

/* Mean in stored integers, how far from it a sound rig measures, and what makes an integer of a value. */
static const struct {
    int32_t mean, spread;
    double scale;
} channels[PUMP_CHANNELS] = {
    {270000, 6000, 1e7}, {400000, 9000, 1e7}, {900000, 120000, 1e6},    {200000, 60000, 1e6},
    {700000, 6000, 1e4}, {250000, 1500, 1e4}, {230000, 5000, 1e3}, {32000000, 500000, 1e6},
};

#define FLOW 7
#define FLOW_LEFT 60 /* percent */

/* A number that looks like chance and is the same each time. */
static uint64_t chance(uint64_t one, uint64_t other) {
    uint64_t mixed = (one * 0xbf58476d1ce4e5b9u) ^ (other * 0x9e3779b97f4a7c15u);
    mixed = (mixed ^ (mixed >> 29)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 32);
}

static int32_t draw(const pump *self, uint64_t number, int channel, uint64_t salt) {
    int32_t spread = channels[channel].spread;
    uint64_t drawn = chance(self->unit, (number << 8) | ((uint64_t)channel << 1) | salt);
    return (int32_t)(drawn % (2 * (uint64_t)spread + 1)) - spread;
}

void pump_read(const pump *self, uint64_t number, double values[PUMP_CHANNELS]) {
    for (int channel = 0; channel < PUMP_CHANNELS; channel++) {
        /* The mean of two draws: most readings lie near the middle. */
        int32_t off = (draw(self, number, channel, 0) + draw(self, number, channel, 1)) / 2;
        int32_t stored = channels[channel].mean + off;
        if (number >= self->worn_from && channel == FLOW) {
            stored = stored / 100 * FLOW_LEFT;
        }
        values[channel] = stored / channels[channel].scale;
    }
}
