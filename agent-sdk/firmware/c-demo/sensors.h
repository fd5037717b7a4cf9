/* A machine's sensors at the second serial port; what they measure goes to the hub. In the demo a simulated washing machine
 * stands behind them.
 *
 * Frames are a kind, a count, and as many bytes; numbers have their lowest byte first.
 *
 *   from the sensors:  'S' a sample: milliseconds since 1970 in 8 bytes, then for each channel, ids rising, its id in a byte and
 *                      its value as a float
 *   to the sensors:    'K' the hub has so many samples more: 4 bytes
 */

#ifndef SENSORS_H
#define SENSORS_H

#include <forecall_agent.h>

/* Takes samples in, and hands messages to the agent. */
void sensors_turn(FcAgent *agent, uint64_t now);

/* The hub has the message of this token. */
void sensors_delivered(uint32_t token);

#endif
