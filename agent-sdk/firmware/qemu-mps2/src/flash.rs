//! What stands in for the board's flash: a file on the debugger's machine, which outlives the power. Programming only clears
//! bits and erasing sets all of a page, as in a real one.

use crate::semihosting::File;
use agent_sdk_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Bytes of a page, as a sector of a real one may have.
pub const PAGE_BYTES: u32 = 4_096;
/// How many there are.
pub const PAGES: u32 = 2;

/// Bytes that are changed at a time.
const PIECE_BYTES: usize = 64;

/// The flash.
pub struct FileFlash(File);

impl FileFlash {
    /// Opens the file, which has the bytes of all pages; `None` if there is none.
    pub fn open(path: &str) -> Option<Self> {
        File::open(path).map(Self)
    }
}

impl ErrorType for FileFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        done(self.0.read(offset, bytes))
    }

    fn capacity(&self) -> usize {
        (PAGE_BYTES * PAGES) as usize
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE_BYTES as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        for at in (from..to).step_by(PIECE_BYTES) {
            done(self.0.write(at, &[0xFF; PIECE_BYTES]))?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        for (at, piece) in (offset..).step_by(PIECE_BYTES).zip(bytes.chunks(PIECE_BYTES)) {
            let mut cells = [0; PIECE_BYTES];
            let cells = &mut cells[..piece.len()];
            done(self.0.read(at, cells))?;
            for (cell, byte) in cells.iter_mut().zip(piece) {
                *cell &= *byte;
            }
            done(self.0.write(at, cells))?;
        }
        Ok(())
    }
}

fn done(is_done: bool) -> Result<(), NorFlashErrorKind> {
    if is_done {
        Ok(())
    } else {
        Err(NorFlashErrorKind::Other)
    }
}
