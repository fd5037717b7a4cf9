/* As much of CBOR (RFC 8949) as telemetry needs; agent-sdk/wire/telemetry.cddl has the messages. */

#ifndef CBOR_H
#define CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *bytes;
    size_t len, room;
    bool is_cut; /* something did not fit: what is there is no message */
} cbor;

void cbor_array(cbor *into, uint64_t count);
void cbor_map(cbor *into, uint64_t count);
void cbor_number(cbor *into, uint64_t number);
void cbor_double(cbor *into, double value);
/* The bits of a float. */
void cbor_float(cbor *into, uint32_t bits);
void cbor_text(cbor *into, const char *text);

#endif
