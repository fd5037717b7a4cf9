//! A NOR flash in memory for tests: strict about what real ones refuse, and its power fails where a test says.
//!
//! Writing clears bits only, and no word is written twice between two erases; reads, writes and erases must be aligned.
//! Each byte written and each erase unit erased is a step. [`SimFlash::cut_after`] lets so many steps happen; the next
//! one ends the power in its midst, and everything fails until [`SimFlash::restart`].

use alloc::vec;
use alloc::vec::Vec;
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

/// Why the simulated flash refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// There is no power: [`SimFlash::restart`] brings it back.
    #[error("the power is cut")]
    PowerCut,
    /// An offset or a length is no multiple of the read, write or erase size.
    #[error("not aligned")]
    NotAligned,
    /// Beyond the end of the flash.
    #[error("out of bounds")]
    OutOfBounds,
    /// A word that was written before and not erased since.
    #[error("the word is written already")]
    Written,
}

impl NorFlashError for SimError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::PowerCut | Self::Written => NorFlashErrorKind::Other,
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
        }
    }
}

/// What is left of a step that the power did not suffice for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Bytes before it are as they should be, the word's others as they were; an erase unit is half erased.
    Clean,
    /// The whole word, or erase unit, holds anything, from a generator with this seed.
    Garbage(u64),
}

/// A flash of `WRITE` bytes a word and `ERASE` bytes an erase unit. Words are read whole, too.
#[derive(Debug, Clone)]
pub struct SimFlash<const WRITE: usize, const ERASE: usize> {
    cells: Vec<u8>,
    /// For each word, whether it was written since it was erased.
    written: Vec<bool>,
    /// For each erase unit, how often it was erased, cut erases included.
    erases: Vec<u32>,
    steps: u64,
    /// The step that is cut, and how.
    cut: Option<(u64, Cut)>,
    has_power: bool,
    faults: u32,
}

impl<const WRITE: usize, const ERASE: usize> SimFlash<WRITE, ERASE> {
    /// A flash of so many erase units, as it comes from the factory.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self {
            cells: vec![0xFF; units * ERASE],
            written: vec![false; units * ERASE / WRITE],
            erases: vec![0; units],
            steps: 0,
            cut: None,
            has_power: true,
            faults: 0,
        }
    }

    /// Lets `steps` more steps happen and cuts the one after them.
    pub fn cut_after(&mut self, steps: u64, cut: Cut) {
        self.cut = Some((self.steps + steps, cut));
    }

    /// Brings the power back, and takes back a cut that has not come yet.
    pub fn restart(&mut self) {
        self.has_power = true;
        self.cut = None;
    }

    /// Bytes written and units erased so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How often each erase unit was erased.
    #[must_use]
    pub fn erases(&self) -> &[u32] {
        &self.erases
    }

    /// Operations that a real flash would have refused or spoilt: a user without fault keeps this at 0.
    #[must_use]
    pub fn faults(&self) -> u32 {
        self.faults
    }

    /// Flips the bits of `mask` in the byte at `offset`, as age does; nothing beyond the end.
    pub fn damage(&mut self, offset: usize, mask: u8) {
        if let Some(cell) = self.cells.get_mut(offset) {
            *cell ^= mask;
        }
    }

    /// All bytes, without any check.
    #[must_use]
    pub fn cells(&self) -> &[u8] {
        &self.cells
    }

    fn check(&mut self, offset: usize, bytes: usize, unit: usize) -> Result<(), SimError> {
        let problem = if !self.has_power {
            return Err(SimError::PowerCut);
        } else if !offset.is_multiple_of(unit) || !bytes.is_multiple_of(unit) {
            SimError::NotAligned
        } else if offset + bytes > self.cells.len() {
            SimError::OutOfBounds
        } else {
            return Ok(());
        };
        self.faults += 1;
        Err(problem)
    }

    /// Takes one step, or says how it is cut.
    fn step(&mut self) -> Option<Cut> {
        if let Some((at, cut)) = self.cut.filter(|(at, _)| *at == self.steps) {
            self.has_power = false;
            self.cut = None;
            // Different garbage at different places.
            return Some(match cut {
                Cut::Clean => Cut::Clean,
                Cut::Garbage(seed) => Cut::Garbage(seed ^ at.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            });
        }
        self.steps += 1;
        None
    }

    /// Writes one word; the power may fail before any of its bytes.
    fn write_word(&mut self, offset: usize, bytes: &[u8]) -> Result<(), SimError> {
        if core::mem::replace(&mut self.written[offset / WRITE], true) {
            self.faults += 1;
            return Err(SimError::Written);
        }
        for (index, byte) in bytes.iter().enumerate() {
            if let Some(cut) = self.step() {
                let word = &mut self.cells[offset..offset + WRITE];
                if let Cut::Garbage(seed) = cut {
                    fill(word, seed);
                }
                // Nothing was begun, as far as anybody can tell.
                self.written[offset / WRITE] = word.iter().any(|byte| *byte != 0xFF);
                return Err(SimError::PowerCut);
            }
            self.cells[offset + index] &= byte;
        }
        Ok(())
    }

    fn erase_unit(&mut self, unit: usize) -> Result<(), SimError> {
        self.erases[unit] += 1;
        let cells = unit * ERASE..(unit + 1) * ERASE;
        let words = cells.start / WRITE..cells.end / WRITE;
        match self.step() {
            None => {
                self.cells[cells].fill(0xFF);
                self.written[words].fill(false);
                return Ok(());
            }
            Some(Cut::Clean) => self.cells[cells.start..cells.start + ERASE / 2].fill(0xFF),
            Some(Cut::Garbage(seed)) => spoil(&mut self.cells[cells], seed),
        }
        // Whatever it reads as, it has to be erased before it is written.
        self.written[words].fill(true);
        Err(SimError::PowerCut)
    }
}

/// A cut erase leaves all as it was, all random, some bits set, or its second half only.
fn spoil(unit: &mut [u8], seed: u64) {
    let half = unit.len() / 2;
    match seed >> 62 {
        0 => {}
        1 => fill(unit, seed),
        2 => {
            let mut noise = vec![0; unit.len()];
            fill(&mut noise, seed);
            for (cell, noise) in unit.iter_mut().zip(noise) {
                *cell |= noise;
            }
        }
        _ => unit[half..].fill(0xFF),
    }
}

/// Fills with bytes of a xorshift generator.
fn fill(bytes: &mut [u8], seed: u64) {
    let mut state = seed | 1;
    for byte in bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = (state >> 24) as u8;
    }
}

impl<const WRITE: usize, const ERASE: usize> ErrorType for SimFlash<WRITE, ERASE> {
    type Error = SimError;
}

impl<const WRITE: usize, const ERASE: usize> ReadNorFlash for SimFlash<WRITE, ERASE> {
    const READ_SIZE: usize = WRITE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        let offset = offset as usize;
        self.check(offset, bytes.len(), WRITE)?;
        bytes.copy_from_slice(&self.cells[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.cells.len()
    }
}

impl<const WRITE: usize, const ERASE: usize> NorFlash for SimFlash<WRITE, ERASE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        let (from, to) = (from as usize, to as usize);
        self.check(from, to.saturating_sub(from), ERASE)?;
        (from / ERASE..to / ERASE).try_for_each(|unit| self.erase_unit(unit))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        let offset = offset as usize;
        self.check(offset, bytes.len(), WRITE)?;
        for (index, word) in bytes.chunks(WRITE).enumerate() {
            self.write_word(offset + index * WRITE, word)?;
        }
        Ok(())
    }
}
