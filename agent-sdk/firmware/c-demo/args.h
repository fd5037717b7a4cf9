/* The program's arguments, `name=value`. */

#ifndef ARGS_H
#define ARGS_H

#include <stddef.h>
#include <stdint.h>

/* Copies the value of a name, with a final zero; NULL if it is not there or does not fit. */
const char *args_text(const char *line, const char *name, char *room, size_t len);

/* The value of a name as a number, or `otherwise`. */
uint64_t args_number(const char *line, const char *name, uint64_t otherwise);

/* Appends `more` to a text in `room`; cut off where it does not fit. */
void text_append(char *room, size_t len, const char *more);

/* Appends a number, in digits of base 10 or 16. */
void text_append_number(char *room, size_t len, uint64_t number, uint32_t base);

size_t text_len(const char *text);

#endif
