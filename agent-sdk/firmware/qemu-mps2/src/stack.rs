//! How deep the stack went: it is painted at the start, and looked at later.

use core::ptr::addr_of;

/// What it holds where it was never used.
const PAINT: u32 = 0xC0DE_C0DE;
const WORD_BYTES: usize = size_of::<u32>();

extern "C" {
    /// Where it begins; of cortex-m-rt's linker script.
    static _stack_start: u32;
}

/// Paints what of the stack is not in use. To be called first.
#[inline(never)]
pub fn paint() {
    let in_use = cortex_m::register::msp::read() as usize;
    for at in (lowest()..in_use).step_by(WORD_BYTES) {
        // SAFETY: memory behind all globals and below the stack pointer, which nothing uses yet: interrupts are still off.
        unsafe { (at as *mut u32).write_volatile(PAINT) };
    }
}

/// How many bytes of it were used so far, at most.
pub fn depth_bytes() -> usize {
    let start = addr_of!(_stack_start) as usize;
    let mut words = (lowest()..start).step_by(WORD_BYTES);
    // SAFETY: memory between globals and the begin of the stack, where words are.
    let used = words.find(|at| unsafe { (*at as *const u32).read_volatile() } != PAINT);
    used.map_or(0, |at| start - at)
}

/// Where it would meet the globals.
fn lowest() -> usize {
    cortex_m_rt::heap_start() as usize
}
