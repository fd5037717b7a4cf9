#include "board.h"
#include <stdbool.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* The processor's own timer. */
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define SYST_ON 7u /* counts the processor's clock, with interrupts */
#define NVIC_ISER0 REGISTER(0xE000E100u)
#define CORE_HZ 25000000u

/* The first serial port, a CMSDK APB UART. */
#define UART_DATA REGISTER(0x40004000u)
#define UART_STATE REGISTER(0x40004004u)
#define UART_CTRL REGISTER(0x40004008u)
#define UART_INTCLEAR REGISTER(0x4000400Cu)
#define UART_BAUDDIV REGISTER(0x40004010u)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL_ON 0xBu /* sends, receives, and interrupts when it has received */
#define INT_RX 2u
#define BAUD 921600u

/* A power of two, for everything that may come between two turns of the program. */
#define RECEIVED_MAX 4096u

static volatile uint32_t ticks;
static volatile uint8_t received[RECEIVED_MAX];
static volatile uint32_t received_begin, received_end;

void board_start(void) {
    SYST_RVR = CORE_HZ / 1000u - 1u;
    SYST_CVR = 0;
    SYST_CSR = SYST_ON;
    UART_BAUDDIV = CORE_HZ / BAUD;
    UART_CTRL = CTRL_ON;
    NVIC_ISER0 = 1;
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

void board_serial_received(void) {
    UART_INTCLEAR = INT_RX;
    while (UART_STATE & STATE_RX_FULL) {
        uint8_t byte = (uint8_t)UART_DATA;
        /* One that finds no room is lost, as on a wire; MQTT then begins a new connection. */
        if (received_end - received_begin < RECEIVED_MAX) {
            received[received_end % RECEIVED_MAX] = byte;
            received_end++;
        }
    }
}

size_t board_serial_read(uint8_t *room, size_t len) {
    size_t count = 0;
    while (count < len && received_begin != received_end) {
        room[count++] = received[received_begin % RECEIVED_MAX];
        received_begin++;
    }
    return count;
}

void board_serial_write(const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        while (UART_STATE & STATE_TX_FULL) {
        }
        UART_DATA = bytes[i];
    }
}

/* "Semihosting for AArch32 and AArch64". */
#define SYS_WRITE0 0x04u
#define SYS_GET_CMDLINE 0x15u
#define SYS_EXIT_EXTENDED 0x20u
#define APPLICATION_EXIT 0x20026u

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

_Noreturn void board_exit(uint32_t code) {
    uint32_t block[2] = {APPLICATION_EXIT, code};
    debugger(SYS_EXIT_EXTENDED, block);
    for (;;) {
        board_wait();
    }
}
