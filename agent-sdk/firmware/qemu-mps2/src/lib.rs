//! An MPS2 board with a pump: what the images of this package share. QEMU plays the boards AN385 (Cortex-M3) and AN386
//! (Cortex-M4) with their Ethernet; the network stack is smoltcp.
//!
//! `unsafe` is where registers, the debugger's calls and memory that outlives a reset are reached, and nowhere else.
#![no_std]

#[macro_use]
pub mod semihosting;

pub mod args;
pub mod clock;
pub mod crash;
pub mod first_boot;
pub mod flash;
pub mod lan9118;
pub mod net;
pub mod plan;
pub mod pump;
pub mod stack;
pub mod text;

use lan9118::{Lan9118, MPS2_BASE};

/// Exit code of arguments that are missing or no numbers.
pub const EXIT_USAGE: u32 = 2;
/// Exit code of a board without its Ethernet.
pub const EXIT_BOARD: u32 = 3;
/// Exit code of a panic.
pub const EXIT_PANIC: u32 = 101;

/// Ends the program because it cannot begin.
pub fn give_up(why: &str) -> ! {
    say!("{why}: see src/plan.rs");
    semihosting::exit(EXIT_USAGE)
}

/// The board's Ethernet; ends the program where there is none. To be called once.
pub fn ethernet() -> Lan9118 {
    // SAFETY: it is there on both boards, and called once nobody else uses it.
    let controller = unsafe { Lan9118::new(MPS2_BASE, net::ADDRESS) };
    controller.unwrap_or_else(|| {
        say!("no LAN9118 at {MPS2_BASE:#x}: start QEMU with -nic user,model=lan9118");
        semihosting::exit(EXIT_BOARD)
    })
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say!("{info}");
    semihosting::exit(EXIT_PANIC)
}
