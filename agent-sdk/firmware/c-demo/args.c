#include "args.h"

/* Behind `name=`, or NULL. */
static const char *find(const char *line, const char *name) {
    while (*line) {
        const char *at = line;
        const char *letter = name;
        while (*letter && *at == *letter) {
            at++;
            letter++;
        }
        if (!*letter && *at == '=') {
            return at + 1;
        }
        while (*line && *line != ' ') {
            line++;
        }
        while (*line == ' ') {
            line++;
        }
    }
    return NULL;
}

const char *args_text(const char *line, const char *name, char *room, size_t len) {
    const char *from = find(line, name);
    if (!from) {
        return NULL;
    }
    size_t count = 0;
    for (; from[count] && from[count] != ' '; count++) {
        if (count + 1 >= len) {
            return NULL;
        }
        room[count] = from[count];
    }
    room[count] = 0;
    return room;
}

uint64_t args_number(const char *line, const char *name, uint64_t otherwise) {
    const char *from = find(line, name);
    if (!from || *from < '0' || *from > '9') {
        return otherwise;
    }
    uint64_t number = 0;
    for (; *from >= '0' && *from <= '9'; from++) {
        number = number * 10 + (uint64_t)(*from - '0');
    }
    return number;
}

void text_append(char *room, size_t len, const char *more) {
    size_t at = 0;
    while (at < len && room[at]) {
        at++;
    }
    for (; at + 1 < len && *more; more++) {
        room[at++] = *more;
    }
    if (at < len) {
        room[at] = 0;
    }
}

void text_append_number(char *room, size_t len, uint64_t number, uint32_t base) {
    /* From the last digit to the first; 2^64 has 20 of them. */
    char digits[21];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    text_append(room, len, digits + at);
}

size_t text_len(const char *text) {
    size_t len = 0;
    while (text[len]) {
        len++;
    }
    return len;
}
