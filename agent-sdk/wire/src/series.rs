//! Runs of whole numbers in few bits: how the columns and the times of a batch are coded, both ways. Knows nothing of
//! messages; `telemetry.cddl` describes it for other languages.
//!
//! `head first [step bits]`: the first number, then the difference to the one before, divided by what divides all of them,
//! zig-zag, and Rice-coded with as many low bits as suit this run.

mod plan;

use crate::DecodeProblem;
pub(crate) use plan::{Part, Plan, Run};
pub use plan::{Source, ordered};

/// Flag in the head of a column that has no reading at some samples: a bitmap follows the head.
pub(crate) const SPARSE: u8 = 0x40;
/// The longest run without its head: first number, step, and at most 34 bits for each further number.
pub(crate) const fn body_bytes_max(numbers: usize) -> usize {
    2 * VARINT_BYTES_MAX + (34 * numbers.saturating_sub(1)).div_ceil(8)
}

/// In place of the count of low bits: all numbers are as the first.
const CONSTANT: u8 = 0x3F;
/// Low bits of a number at most.
const LOW_BITS_MAX: u8 = 32;
/// So many ones in a row: the number follows in [`ESCAPED_BITS`] bits.
const ESCAPE: u8 = 16;
/// The largest difference of two 32-bit numbers, zig-zag.
const ESCAPED_BITS: u8 = 33;
/// 35 bits are more than any number of a run needs.
const VARINT_BYTES_MAX: usize = 5;

fn unzigzag(code: u64) -> i64 {
    (code >> 1) as i64 ^ -((code & 1) as i64)
}

/// A run that is read number by number. It does not know its own end: the reader knows how many there are.
#[derive(Debug, Clone)]
pub(crate) struct Series<'b> {
    bits: BitSource<'b>,
    low_bits: u8,
    step: i64,
    number: i64,
    is_begun: bool,
}

impl<'b> Series<'b> {
    /// The run of what follows its head, which comes without [`SPARSE`].
    pub(crate) fn open(head: u8, mut bytes: &'b [u8]) -> Result<Self, DecodeProblem> {
        if head != CONSTANT && head > LOW_BITS_MAX {
            return Err(DecodeProblem::Range);
        }
        let number = unzigzag(read_varint(&mut bytes)?);
        let step = if head == CONSTANT {
            0
        } else {
            let step = u32::try_from(read_varint(&mut bytes)?).unwrap_or(0);
            if step == 0 {
                return Err(DecodeProblem::Range);
            }
            i64::from(step)
        };
        Ok(Self {
            bits: BitSource { bytes, at: 0 },
            low_bits: head,
            step,
            number,
            is_begun: false,
        })
    }

    /// The next number.
    pub(crate) fn next_number(&mut self) -> Result<i64, DecodeProblem> {
        if !self.is_begun {
            self.is_begun = true;
            return Ok(self.number);
        }
        if self.low_bits == CONSTANT {
            return Ok(self.number);
        }
        let steps = unzigzag(self.bits.code(self.low_bits)?);
        let next = steps
            .checked_mul(self.step)
            .and_then(|difference| self.number.checked_add(difference));
        self.number = next.ok_or(DecodeProblem::Range)?;
        Ok(self.number)
    }

    /// After the last number: nothing may be left but the zeros that fill the last byte.
    pub(crate) fn check_end(mut self) -> Result<(), DecodeProblem> {
        while !self.bits.at.is_multiple_of(8) {
            if self.bits.bit()? != 0 {
                return Err(DecodeProblem::Trailing);
            }
        }
        if self.bits.at / 8 == self.bits.bytes.len() {
            Ok(())
        } else {
            Err(DecodeProblem::Trailing)
        }
    }
}

fn read_varint<'b>(bytes: &mut &'b [u8]) -> Result<u64, DecodeProblem> {
    let mut number = 0_u64;
    for place in 0..VARINT_BYTES_MAX {
        let whole: &'b [u8] = bytes;
        let (byte, rest) = whole.split_first().ok_or(DecodeProblem::Malformed)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(DecodeProblem::Range)
}

#[derive(Debug, Clone)]
struct BitSource<'b> {
    bytes: &'b [u8],
    /// In bits.
    at: usize,
}

impl BitSource<'_> {
    fn bit(&mut self) -> Result<u64, DecodeProblem> {
        let byte = self.bytes.get(self.at / 8).ok_or(DecodeProblem::Malformed)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(u64::from(bit))
    }

    fn take(&mut self, count: u8) -> Result<u64, DecodeProblem> {
        let mut bits = 0;
        for _ in 0..count {
            bits = bits << 1 | self.bit()?;
        }
        Ok(bits)
    }

    fn code(&mut self, low_bits: u8) -> Result<u64, DecodeProblem> {
        let mut high = 0;
        while high < ESCAPE && self.bit()? == 1 {
            high += 1;
        }
        if high == ESCAPE {
            return self.take(ESCAPED_BITS);
        }
        Ok(u64::from(high) << low_bits | self.take(low_bits)?)
    }
}
