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
