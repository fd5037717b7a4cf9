//! What the debugger, or QEMU in its place, does for a program: its arguments, a console, and its end. Arm's "Semihosting
//! for AArch32 and AArch64" has the operations.

use core::arch::asm;
use core::fmt;

const SYS_OPEN: u32 = 0x01;
const SYS_WRITE0: u32 = 0x04;
const SYS_WRITE: u32 = 0x05;
const SYS_READ: u32 = 0x06;
const SYS_SEEK: u32 = 0x0A;
const SYS_GET_CMDLINE: u32 = 0x15;
const SYS_EXIT_EXTENDED: u32 = 0x20;
/// `ADP_Stopped_ApplicationExit`.
const APPLICATION_EXIT: u32 = 0x2_0026;

/// `r+b`: the file is there, is read and changed.
const OPEN_TO_CHANGE: u32 = 3;
/// The longest name of a file, with its final zero.
const PATH_BYTES: usize = 160;

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

/// A file on the debugger's machine.
pub struct File {
    handle: u32,
}

impl File {
    /// Opens a file to read and change it; `None` if it is not there.
    pub fn open(path: &str) -> Option<Self> {
        let mut name = [0_u8; PATH_BYTES];
        // The rest stays zero, which ends the name.
        name[..PATH_BYTES - 1]
            .get_mut(..path.len())?
            .copy_from_slice(path.as_bytes());
        let block = [name.as_ptr() as u32, OPEN_TO_CHANGE, path.len() as u32];
        // SAFETY: the operation reads the name and the block.
        let handle = unsafe { call(SYS_OPEN, block.as_ptr() as u32) };
        (handle != u32::MAX).then_some(Self { handle })
    }

    /// Reads all of `bytes` from a place; whether it could.
    pub fn read(&mut self, at: u32, bytes: &mut [u8]) -> bool {
        let block = [self.handle, bytes.as_mut_ptr() as u32, bytes.len() as u32];
        // SAFETY: the operation reads the block and writes to the bytes; it gives how many are left over.
        self.seek(at) && unsafe { call(SYS_READ, block.as_ptr() as u32) } == 0
    }

    /// Writes all of `bytes` to a place; whether it could.
    pub fn write(&mut self, at: u32, bytes: &[u8]) -> bool {
        let block = [self.handle, bytes.as_ptr() as u32, bytes.len() as u32];
        // SAFETY: the operation reads the block and the bytes; it gives how many are left over.
        self.seek(at) && unsafe { call(SYS_WRITE, block.as_ptr() as u32) } == 0
    }

    fn seek(&self, at: u32) -> bool {
        let block = [self.handle, at];
        // SAFETY: the operation reads the block.
        unsafe { call(SYS_SEEK, block.as_ptr() as u32) == 0 }
    }
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
