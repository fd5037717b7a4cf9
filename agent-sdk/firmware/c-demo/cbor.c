#include "cbor.h"

static void put(cbor *into, uint8_t byte) {
    if (into->len < into->room) {
        into->bytes[into->len++] = byte;
    } else {
        into->is_cut = true;
    }
}

static void put_big_endian(cbor *into, uint64_t number, int bytes) {
    while (bytes-- > 0) {
        put(into, (uint8_t)(number >> (8 * bytes)));
    }
}

static void head(cbor *into, uint8_t major, uint64_t argument) {
    major = (uint8_t)(major << 5);
    if (argument < 24) {
        put(into, major | (uint8_t)argument);
    } else if (argument <= UINT8_MAX) {
        put(into, major | 24);
        put_big_endian(into, argument, 1);
    } else if (argument <= UINT16_MAX) {
        put(into, major | 25);
        put_big_endian(into, argument, 2);
    } else if (argument <= UINT32_MAX) {
        put(into, major | 26);
        put_big_endian(into, argument, 4);
    } else {
        put(into, major | 27);
        put_big_endian(into, argument, 8);
    }
}

void cbor_number(cbor *into, uint64_t number) {
    head(into, 0, number);
}

void cbor_array(cbor *into, uint64_t count) {
    head(into, 4, count);
}

void cbor_map(cbor *into, uint64_t count) {
    head(into, 5, count);
}

void cbor_double(cbor *into, double value) {
    union {
        double value;
        uint64_t bits;
    } both = {value};
    put(into, 0xFB);
    put_big_endian(into, both.bits, 8);
}

void cbor_float(cbor *into, uint32_t bits) {
    put(into, 0xFA);
    put_big_endian(into, bits, 4);
}

void cbor_text(cbor *into, const char *text) {
    uint64_t len = 0;
    while (text[len]) {
        len++;
    }
    head(into, 3, len);
    while (*text) {
        put(into, (uint8_t)*text++);
    }
}
