/* From reset to main. */

#include "board.h"
#include <stdint.h>

/* Of link.ld. */
extern uint32_t stack_top[];
extern uint32_t data_start[], data_end[], data_load[];
extern uint32_t bss_start[], bss_end[];

int main(void);
void reset(void);

/* Coprocessor Access Control Register: the floating point unit is off after a reset. A Cortex-M3 has none, and takes no note. */
#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define FPU_ON (0xFu << 20)

/* Runs before the unit is on, so it must not use it: all it does is done with integers. */
void reset(void) {
    CPACR |= FPU_ON;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    const uint32_t *from = data_load;
    for (volatile uint32_t *to = data_start; to < data_end; to++) {
        *to = *from++;
    }
    for (volatile uint32_t *to = bss_start; to < bss_end; to++) {
        *to = 0;
    }
    /* Below the stack pointer nothing is in use yet. */
    volatile uint32_t *used;
    __asm__ volatile("mov %0, sp" : "=r"(used));
    for (volatile uint32_t *to = bss_end; to < used; to++) {
        *to = BOARD_STACK_PAINT;
    }
    board_exit((uint32_t)main());
}

/* Where the processor was is the seventh word of what it has pushed. */
__attribute__((used)) static _Noreturn void fault_at(const uint32_t *pushed) {
    board_crash(pushed[6]);
}

__attribute__((naked)) static void fault(void) {
    __asm__ volatile("mrs r0, msp\n\tb fault_at");
}

#define CORE_VECTORS 16
/* Reception at the first serial port is the board's first interrupt, at the second one its third. */
#define INTERRUPTS 3

/* The first is the initial stack pointer, not a function. */
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[CORE_VECTORS + INTERRUPTS] = {
    [0] = (uintptr_t)stack_top,
    [1] = (uintptr_t)reset,
    [2] = (uintptr_t)fault,
    [3] = (uintptr_t)fault,
    [4] = (uintptr_t)fault,
    [5] = (uintptr_t)fault,
    [6] = (uintptr_t)fault,
    [15] = (uintptr_t)board_tick,
    [16] = (uintptr_t)board_modem_received,
    [18] = (uintptr_t)board_sensors_received,
};
