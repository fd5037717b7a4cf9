#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* The processor's own timer. */
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define SYST_ON 7u /* counts the processor's clock, with interrupts */
#define NVIC_ISER0 REGISTER(0xE000E100u)
#define CORE_HZ 25000000u

/* Application Interrupt and Reset Control Register. */
#define AIRCR REGISTER(0xE000ED0Cu)
#define AIRCR_RESET 0x05FA0004u /* the key, and SYSRESETREQ */

/* The serial ports, two CMSDK APB UARTs. */
#define PORTS 2u
#define UART(port, offset) REGISTER(0x40004000u + 0x1000u * (uint32_t)(port) + (offset))
#define UART_DATA(port) UART(port, 0x00u)
#define UART_STATE(port) UART(port, 0x04u)
#define UART_CTRL(port) UART(port, 0x08u)
#define UART_INTCLEAR(port) UART(port, 0x0Cu)
#define UART_BAUDDIV(port) UART(port, 0x10u)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL_ON 0xBu /* sends, receives, and interrupts when it has received */
#define INT_RX 2u
#define BAUD 921600u
/* Interrupts of reception: 0 and 2. */
#define RECEIVED_INTERRUPTS 5u

/* A power of two, for everything that may come between two turns of the program. */
#define RECEIVED_MAX 16384u

static volatile uint32_t ticks;
static struct {
    volatile uint8_t bytes[RECEIVED_MAX];
    volatile uint32_t begin, end;
} received[PORTS];

/* What outlives a reset, in memory behind all that the linker knows of: QEMU clears what an image covers. It holds anything
 * after power came. */
typedef struct {
    uint32_t magic, starts, has_crashed, crashed_at;
} note;
#define NOTE (*(volatile note *)0x20020000u)
#define NOTE_MAGIC 0xFCC2A501u

static note last_run;

void board_start(void) {
    if (NOTE.magic == NOTE_MAGIC) {
        last_run = NOTE;
    }
    NOTE.magic = NOTE_MAGIC;
    NOTE.starts = last_run.starts + 1;
    NOTE.has_crashed = 0;
    SYST_RVR = CORE_HZ / 1000u - 1u;
    SYST_CVR = 0;
    SYST_CSR = SYST_ON;
    for (uint32_t port = 0; port < PORTS; port++) {
        UART_BAUDDIV(port) = CORE_HZ / BAUD;
        UART_CTRL(port) = CTRL_ON;
    }
    NVIC_ISER0 = RECEIVED_INTERRUPTS;
}

void board_tick(void) {
    ticks++;
}

uint64_t board_ms(void) {
    return ticks;
}

void board_wait(void) {
    __asm__ volatile("wfi" ::: "memory");
}

static void serial_received(board_port port) {
    UART_INTCLEAR(port) = INT_RX;
    while (UART_STATE(port) & STATE_RX_FULL) {
        uint8_t byte = (uint8_t)UART_DATA(port);
        /* One that finds no room is lost, as on a wire; MQTT then begins a new connection. */
        if (received[port].end - received[port].begin < RECEIVED_MAX) {
            received[port].bytes[received[port].end % RECEIVED_MAX] = byte;
            received[port].end++;
        }
    }
}

void board_modem_received(void) {
    serial_received(BOARD_MODEM);
}

void board_sensors_received(void) {
    serial_received(BOARD_SENSORS);
}

size_t board_serial_read(board_port port, uint8_t *room, size_t len) {
    size_t count = 0;
    while (count < len && received[port].begin != received[port].end) {
        room[count++] = received[port].bytes[received[port].begin % RECEIVED_MAX];
        received[port].begin++;
    }
    return count;
}

void board_serial_write(board_port port, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        while (UART_STATE(port) & STATE_TX_FULL) {
        }
        UART_DATA(port) = bytes[i];
    }
}

uint32_t board_starts(void) {
    return last_run.starts;
}

bool board_has_crashed(uint32_t *at) {
    *at = last_run.crashed_at;
    return last_run.has_crashed != 0;
}

_Noreturn void board_crash(uint32_t at) {
    NOTE.crashed_at = at;
    NOTE.has_crashed = 1;
    __asm__ volatile("dsb" ::: "memory");
    AIRCR = AIRCR_RESET;
    for (;;) {
    }
}

/* Of link.ld. */
extern uint32_t bss_end[], stack_top[];

size_t board_stack_bytes(void) {
    const volatile uint32_t *at = bss_end;
    while (at < stack_top && *at == BOARD_STACK_PAINT) {
        at++;
    }
    return (size_t)((uintptr_t)stack_top - (uintptr_t)at);
}

/* "Semihosting for AArch32 and AArch64". */
#define SYS_OPEN 0x01u
#define SYS_WRITE0 0x04u
#define SYS_WRITE 0x05u
#define SYS_READ 0x06u
#define SYS_SEEK 0x0Au
#define SYS_GET_CMDLINE 0x15u
#define SYS_EXIT_EXTENDED 0x20u
#define APPLICATION_EXIT 0x20026u
#define OPEN_TO_CHANGE 3u /* "r+b" */

static uint32_t debugger(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt #0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void board_say(const char *text) {
    debugger(SYS_WRITE0, text);
}

void board_command_line(char *room, size_t len) {
    uint32_t block[2] = {(uint32_t)(uintptr_t)room, (uint32_t)len};
    bool failed = debugger(SYS_GET_CMDLINE, block) != 0;
    if (failed || block[1] >= len) {
        room[0] = 0;
    }
}

static uint32_t flash_file;

bool board_flash_open(const char *path) {
    uint32_t len = 0;
    while (path[len]) {
        len++;
    }
    uint32_t block[3] = {(uint32_t)(uintptr_t)path, OPEN_TO_CHANGE, len};
    flash_file = debugger(SYS_OPEN, block);
    return flash_file != UINT32_MAX;
}

/* Both give how many bytes were not read or written. */
static bool transfer(uint32_t operation, uint32_t at, const uint8_t *bytes, size_t len) {
    uint32_t place[2] = {flash_file, at};
    uint32_t block[3] = {flash_file, (uint32_t)(uintptr_t)bytes, (uint32_t)len};
    return debugger(SYS_SEEK, place) == 0 && debugger(operation, block) == 0;
}

bool board_flash_read(uint32_t at, uint8_t *to, size_t len) {
    return transfer(SYS_READ, at, to, len);
}

bool board_flash_write(uint32_t at, const uint8_t *from, size_t len) {
    return transfer(SYS_WRITE, at, from, len);
}

_Noreturn void board_exit(uint32_t code) {
    uint32_t block[2] = {APPLICATION_EXIT, code};
    debugger(SYS_EXIT_EXTENDED, block);
    for (;;) {
        board_wait();
    }
}
