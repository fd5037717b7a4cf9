//! Runs of whole numbers in few bits: how the columns and the times of a batch are coded, both ways. Knows nothing of
//! messages; `telemetry.cddl` describes it for other languages.
//!
//! `head first [step bits]`: the first number, then the difference to the one before, divided by what divides all of them,
//! zig-zag, and Rice-coded with as many low bits as suit this run.

use crate::{DecodeProblem, EncodeError};

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

/// Memory of the caller that is filled from its start.
pub(crate) struct Sink<'s> {
    buffer: &'s mut [u8],
    len: usize,
}

impl<'s> Sink<'s> {
    pub(crate) fn new(buffer: &'s mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Bytes written.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn byte(&mut self, byte: u8) -> Result<(), EncodeError> {
        let slot = self.buffer.get_mut(self.len).ok_or(EncodeError::Full)?;
        *slot = byte;
        self.len += 1;
        Ok(())
    }

    fn varint(&mut self, mut number: u64) -> Result<(), EncodeError> {
        while number >= 0x80 {
            self.byte((number & 0x7F) as u8 | 0x80)?;
            number >>= 7;
        }
        self.byte(number as u8)
    }
}

/// How a run will be written; known before its first byte, so that its length can stand in front of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    first: i64,
    step: u32,
    low_bits: u8,
    bits: u32,
}

impl Plan {
    /// Of numbers that all are 32 bits long, with or without a sign; `None` of none.
    pub(crate) fn of<I: Iterator<Item = i64> + Clone>(numbers: I) -> Option<Self> {
        let first = numbers.clone().next()?;
        let step = differences(numbers.clone()).fold(0, |step, (size, _)| common_divisor(step, size));
        let codes = differences(numbers).map(|difference| code(difference, step));
        let (sum, count) = codes
            .clone()
            .fold((0_u64, 0_u64), |(sum, count), code| (sum + code, count + 1));
        if step == 0 {
            return Some(Self {
                first,
                step,
                low_bits: CONSTANT,
                bits: 0,
            });
        }
        let mean = sum.checked_div(count).unwrap_or(0);
        // The mean's own length keeps every number within 34 bits in the mean; its neighbours are often shorter.
        let length = ((u64::BITS - mean.leading_zeros()) as u8).min(LOW_BITS_MAX);
        let cost = |low_bits: u8| codes.clone().map(|code| code_bits(code, low_bits)).sum::<u32>();
        let (mut low_bits, mut bits) = (length, cost(length));
        for other in length.saturating_sub(2)..length {
            let cost = cost(other);
            if cost < bits {
                (low_bits, bits) = (other, cost);
            }
        }
        Some(Self {
            first,
            step,
            low_bits,
            bits,
        })
    }

    /// The first byte, without [`SPARSE`].
    pub(crate) fn head(&self) -> u8 {
        self.low_bits
    }

    /// Bytes that [`Plan::write`] takes.
    pub(crate) fn body_bytes(&self) -> usize {
        let step = if self.low_bits == CONSTANT {
            0
        } else {
            varint_bytes(u64::from(self.step))
        };
        varint_bytes(zigzag(self.first)) + step + self.bits.div_ceil(8) as usize
    }

    /// Writes what follows the head, of the same numbers.
    pub(crate) fn write<I>(&self, numbers: I, sink: &mut Sink<'_>) -> Result<(), EncodeError>
    where
        I: Iterator<Item = i64> + Clone,
    {
        sink.varint(zigzag(self.first))?;
        if self.low_bits == CONSTANT {
            return Ok(());
        }
        sink.varint(u64::from(self.step))?;
        let mut bits = BitSink { sink, byte: 0, used: 0 };
        for difference in differences(numbers) {
            let code = code(difference, self.step);
            let high = code >> self.low_bits;
            if high < u64::from(ESCAPE) {
                bits.put(u64::MAX, high as u8)?;
                bits.put(0, 1)?;
                bits.put(code, self.low_bits)?;
            } else {
                bits.put(u64::MAX, ESCAPE)?;
                bits.put(code, ESCAPED_BITS)?;
            }
        }
        bits.finish()
    }
}

/// How far each number is from the one before, and whether it is below it.
fn differences<I: Iterator<Item = i64> + Clone>(numbers: I) -> impl Iterator<Item = (u32, bool)> + Clone {
    let next = numbers.clone().skip(1);
    numbers.zip(next).map(|(one, other)| {
        // Numbers of 32 bits are never farther apart.
        let size = u32::try_from(one.abs_diff(other)).unwrap_or(u32::MAX);
        (size, other < one)
    })
}

/// Greatest common divisor; that of a number and 0 is the number.
fn common_divisor(mut one: u32, mut other: u32) -> u32 {
    while let Some(rest) = one.checked_rem(other) {
        one = other;
        other = rest;
    }
    one
}

/// A difference in steps, zig-zag.
fn code((size, is_below): (u32, bool), step: u32) -> u64 {
    let steps = u64::from(size.checked_div(step).unwrap_or(0));
    (2 * steps).saturating_sub(u64::from(is_below))
}

fn code_bits(code: u64, low_bits: u8) -> u32 {
    let high = code >> low_bits;
    if high < u64::from(ESCAPE) {
        high as u32 + 1 + u32::from(low_bits)
    } else {
        u32::from(ESCAPE + ESCAPED_BITS)
    }
}

/// 0, −1, 1, −2 … as 0, 1, 2, 3 …
fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

fn unzigzag(code: u64) -> i64 {
    (code >> 1) as i64 ^ -((code & 1) as i64)
}

fn varint_bytes(mut number: u64) -> usize {
    let mut bytes = 1;
    while number >= 0x80 {
        number >>= 7;
        bytes += 1;
    }
    bytes
}

/// Bits, the highest of each byte first.
struct BitSink<'a, 's> {
    sink: &'a mut Sink<'s>,
    byte: u8,
    used: u8,
}

impl BitSink<'_, '_> {
    /// The lowest `count` bits, the highest of them first.
    fn put(&mut self, bits: u64, count: u8) -> Result<(), EncodeError> {
        for at in (0..count).rev() {
            self.byte = self.byte << 1 | (bits >> at & 1) as u8;
            self.used += 1;
            if self.used == 8 {
                self.sink.byte(self.byte)?;
                (self.byte, self.used) = (0, 0);
            }
        }
        Ok(())
    }

    /// Fills the last byte with zeros.
    fn finish(mut self) -> Result<(), EncodeError> {
        while self.used != 0 {
            self.put(0, 1)?;
        }
        Ok(())
    }
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
