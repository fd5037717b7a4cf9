/* The boards AN385 and AN386 of Arm's MPS2, as far as this program needs them: a clock, two serial ports, what outlives a reset,
 * and the debugger's calls. */

#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts clock and serial ports. */
void board_start(void);

/* Milliseconds since the start. */
uint64_t board_ms(void);

/* Sleeps until something happens, a millisecond at most. */
void board_wait(void);

/* The serial ports: a modem at the first, sensors at the second. */
typedef enum { BOARD_MODEM, BOARD_SENSORS } board_port;

/* Takes what a port has received; gives how many bytes. */
size_t board_serial_read(board_port port, uint8_t *room, size_t len);

/* Writes to a port; waits until all is written. */
void board_serial_write(board_port port, const uint8_t *bytes, size_t len);

/* How often the board has started before, since power came. */
uint32_t board_starts(void);

/* Whether the last run ended in a crash; where. */
bool board_has_crashed(uint32_t *at);

/* Notes where it crashed, and starts the board again. */
_Noreturn void board_crash(uint32_t at);

/* What the stack holds where it was never used. */
#define BOARD_STACK_PAINT 0xC0DEC0DEu

/* How deep the stack went so far, in bytes. */
size_t board_stack_bytes(void);

/* Writes a text to the debugger's console. */
void board_say(const char *text);

/* The arguments of the program, with spaces between them; empty if they do not fit. */
void board_command_line(char *room, size_t len);

/* Opens the file that stands in for the flash; false if there is none. */
bool board_flash_open(const char *path);
bool board_flash_read(uint32_t at, uint8_t *to, size_t len);
bool board_flash_write(uint32_t at, const uint8_t *from, size_t len);

/* Ends the program with an exit code. */
_Noreturn void board_exit(uint32_t code);

/* Exceptions: a millisecond has passed; a serial port has received a byte. */
void board_tick(void);
void board_modem_received(void);
void board_sensors_received(void);

#endif
