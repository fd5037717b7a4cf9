//! What the debugger, or QEMU in its place, does for a program: its arguments, a console, and its end. Arm's "Semihosting
//! for AArch32 and AArch64" has the operations.

use core::arch::asm;
use core::fmt;

const SYS_WRITE0: u32 = 0x04;
const SYS_GET_CMDLINE: u32 = 0x15;
const SYS_EXIT_EXTENDED: u32 = 0x20;
/// `ADP_Stopped_ApplicationExit`.
const APPLICATION_EXIT: u32 = 0x2_0026;

/// Bytes that are written at a time.
const PIECE_BYTES: usize = 128;

/// Where lines go.
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.as_bytes().chunks(PIECE_BYTES) {
            // The rest stays zero, which ends the text.
            let mut buffer = [0_u8; PIECE_BYTES + 1];
            buffer[..piece.len()].copy_from_slice(piece);
            // SAFETY: the operation reads up to the final zero.
            unsafe { call(SYS_WRITE0, buffer.as_ptr() as u32) };
        }
        Ok(())
    }
}

/// Writes a line to the console.
#[macro_export]
macro_rules! say {
    ($($argument:tt)*) => {{
        use core::fmt::Write as _;
        // The console takes everything.
        let _ = writeln!($crate::semihosting::Console, $($argument)*);
    }};
}

/// The arguments, with spaces between them; empty if they do not fit or are not UTF-8.
pub fn command_line(buffer: &mut [u8]) -> &str {
    let mut block = [buffer.as_mut_ptr() as u32, buffer.len() as u32];
    // SAFETY: the operation writes to the buffer, at most its length, and to the block how many bytes.
    let failed = unsafe { call(SYS_GET_CMDLINE, block.as_mut_ptr() as u32) } != 0;
    let len = if failed { 0 } else { block[1] as usize };
    let text = buffer.get(..len).unwrap_or_default();
    core::str::from_utf8(text).unwrap_or_default()
}

/// Ends the program with an exit code.
pub fn exit(code: u32) -> ! {
    let block = [APPLICATION_EXIT, code];
    // SAFETY: the operation reads the block.
    unsafe { call(SYS_EXIT_EXTENDED, block.as_ptr() as u32) };
    // Only where nobody listens.
    loop {
        cortex_m::asm::wfi();
    }
}

/// # Safety
///
/// `argument` is what the operation asks for: an address of memory that it may read or write.
unsafe fn call(operation: u32, argument: u32) -> u32 {
    let answer;
    // SAFETY: the debugger changes r0 and what the argument points at, nothing else.
    unsafe { asm!("bkpt #0xAB", inlateout("r0") operation => answer, in("r1") argument, options(nostack)) };
    answer
}
