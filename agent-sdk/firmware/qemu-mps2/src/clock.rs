//! Milliseconds since the start, counted by the processor's own timer.

use core::sync::atomic::{AtomicU32, Ordering};
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::SYST;

/// Of the processor, on all MPS2 boards.
const CORE_HZ: u32 = 25_000_000;

static TICKS: AtomicU32 = AtomicU32::new(0);

/// Starts the timer. Its exception, `SysTick`, has to call [`tick`].
pub fn start(timer: &mut SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CORE_HZ / 1_000 - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// A millisecond has passed.
pub fn tick() {
    TICKS.fetch_add(1, Ordering::Relaxed);
}

/// Milliseconds since the start; it begins again after 49 days, which no run of these images lasts.
pub fn ms() -> u64 {
    TICKS.load(Ordering::Relaxed).into()
}
