/* The board AN386 of Arm's MPS2, as far as this program needs it: a clock, a serial port, and the debugger's calls. */

#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/* Starts clock and serial port. */
void board_start(void);

/* Milliseconds since the start. */
uint64_t board_ms(void);

/* Sleeps until something happens, a millisecond at most. */
void board_wait(void);

/* Takes what the serial port has received; gives how many bytes. */
size_t board_serial_read(uint8_t *room, size_t len);

/* Writes to the serial port; waits until all is written. */
void board_serial_write(const uint8_t *bytes, size_t len);

/* Writes a text to the debugger's console. */
void board_say(const char *text);

/* The arguments of the program, with spaces between them; empty if they do not fit. */
void board_command_line(char *room, size_t len);

/* Ends the program with an exit code. */
_Noreturn void board_exit(uint32_t code);

/* Exceptions: a millisecond has passed; the serial port has received a byte. */
void board_tick(void);
void board_serial_received(void);

#endif
