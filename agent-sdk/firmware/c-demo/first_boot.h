/* The way of a new device to a secret of its own, and the count of starts that came to nothing; both in flash. */

#ifndef FIRST_BOOT_H
#define FIRST_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens the flash, if the plan names one, and counts this start; whether too many have come to nothing. */
bool first_boot_count(void);

/* Puts the device's secret into the plan: what is kept, or what comes of a claim or a group's secret in `len` bytes of memory,
 * aligned as a uint64_t, which are free afterwards. Returns once the device has it, over as many connections as that takes. */
void first_boot(void *memory, size_t len);

/* The hub has had a connection for a while: this start counts as one that came to something. */
void first_boot_is_healthy(void);

#endif
