//! What outlives a reset: how often the board has started, and where it crashed. In memory behind all that the linker knows
//! of, which therefore nobody clears: what a linker puts into an image, even as memory that is not initialised, QEMU sets to
//! zero at each reset. It holds anything after power came.

use core::ptr::addr_of_mut;

/// Tells a note from what memory holds by chance.
const MAGIC: u32 = 0xFC_C2A5_01;

/// What is noted.
#[derive(Clone, Copy)]
pub struct Note {
    magic: u32,
    /// How often the board has started before, since power came.
    pub starts: u32,
    /// Where it crashed, if that ended the last run.
    pub crashed_at: Option<u32>,
}

/// Where it is noted: behind the end of RAM in memory.x. The boards have 4 MiB from 0x2000_0000 on.
const NOTE: *mut Note = 0x2004_0000 as *mut Note;

/// Takes the note of the last run, and notes this start. To be called once, first.
pub fn take() -> Note {
    // SAFETY: one thread, and no exception but the one that ends the run uses it. Any bits are numbers, and the option is
    // looked at only behind the magic word.
    let before = unsafe { known() };
    let note = before.unwrap_or(Note {
        magic: MAGIC,
        starts: 0,
        crashed_at: None,
    });
    write(Note {
        starts: note.starts.wrapping_add(1),
        crashed_at: None,
        ..note
    });
    note
}

/// Notes a crash and starts the board again.
pub fn restart(at: u32) -> ! {
    // SAFETY: as in `take`.
    let starts = unsafe { known() }.map_or(1, |note| note.starts);
    write(Note {
        magic: MAGIC,
        starts,
        crashed_at: Some(at),
    });
    cortex_m::peripheral::SCB::sys_reset()
}

/// # Safety
///
/// Nobody else uses the note.
unsafe fn known() -> Option<Note> {
    // SAFETY: it lies in memory that nothing else uses, and that word of a note is a number whatever it holds.
    let magic = unsafe { addr_of_mut!((*NOTE).magic).read_volatile() };
    // SAFETY: behind the magic word lies what `write` wrote.
    (magic == MAGIC).then(|| unsafe { NOTE.read_volatile() })
}

fn write(note: Note) {
    // SAFETY: one thread, and no exception but the one that ends the run uses it.
    unsafe { NOTE.write_volatile(note) };
}
