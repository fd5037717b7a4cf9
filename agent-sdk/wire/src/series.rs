//! Runs of whole numbers in few bits: how the columns and the times of a batch are coded, both ways. Knows nothing of
//! messages; `telemetry.cddl` describes it for other languages.
//!
//! `head first [step bits]`: the first number, then the difference to the one before, divided by what divides all of them,
//! zig-zag, and Rice-coded with as many low bits as suit this run.

use crate::DecodeProblem;
use crate::encode::Sink;

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

/// Numbers that all are 32 bits long, with or without a sign. They are gone through several times, from their beginning
/// each time: as a function behind a pointer, so that one copy of the code serves every run.
pub(crate) type Run<'r> = &'r dyn Fn(&mut dyn FnMut(i64));

/// How a run will be written; known before its first byte, so that its length can stand in front of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    first: i64,
    step: u32,
    low_bits: u8,
    bits: u32,
}

impl Plan {
    /// `None` of no numbers.
    pub(crate) fn of(numbers: Run<'_>) -> Option<Self> {
        let (mut first, mut step) = (None, 0);
        numbers(&mut |number| {
            first.get_or_insert(number);
        });
        differences(numbers, &mut |size, _| step = common_divisor(step, size));
        let mut plan = Self {
            first: first?,
            step,
            low_bits: CONSTANT,
            bits: 0,
        };
        if step == 0 {
            return Some(plan);
        }
        // The mean's own length keeps every number within 34 bits in the mean; its neighbours are often shorter.
        let length = mean_length(numbers, step);
        (plan.low_bits, plan.bits) = (length, run_bits(numbers, step, length));
        for other in length.saturating_sub(2)..length {
            let bits = run_bits(numbers, step, other);
            if bits < plan.bits {
                (plan.low_bits, plan.bits) = (other, bits);
            }
        }
        Some(plan)
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
    pub(crate) fn write(&self, numbers: Run<'_>, sink: &mut Sink<'_>) {
        write_varint(zigzag(self.first), sink);
        if self.low_bits == CONSTANT {
            return;
        }
        write_varint(u64::from(self.step), sink);
        let mut bits = BitSink { sink, byte: 0, used: 0 };
        codes(numbers, self.step, &mut |code| {
            let high = code >> self.low_bits;
            if high < u64::from(ESCAPE) {
                bits.put(u64::MAX, high as u8);
                bits.put(0, 1);
                bits.put(code, self.low_bits);
            } else {
                bits.put(u64::MAX, ESCAPE);
                bits.put(code, ESCAPED_BITS);
            }
        });
        bits.finish();
    }
}

/// How far each number is from the one before, and whether it is below it.
fn differences(numbers: Run<'_>, see: &mut dyn FnMut(u32, bool)) {
    let mut last: Option<i64> = None;
    numbers(&mut |number| {
        if let Some(one) = last.replace(number) {
            // Numbers of 32 bits are never farther apart.
            let size = one.wrapping_sub(number).unsigned_abs() as u32;
            see(size, number < one);
        }
    });
}

/// The differences in steps, zig-zag.
fn codes(numbers: Run<'_>, step: u32, see: &mut dyn FnMut(u64)) {
    differences(numbers, &mut |size, is_below| {
        let steps = u64::from(size.checked_div(step).unwrap_or(0));
        see((2 * steps).saturating_sub(u64::from(is_below)));
    });
}

/// Bits of the mean of the codes, at most [`LOW_BITS_MAX`].
fn mean_length(numbers: Run<'_>, step: u32) -> u8 {
    let (mut sum, mut count) = (0_u64, 0_u64);
    codes(numbers, step, &mut |code| {
        sum += code;
        count += 1;
    });
    // The mean has more bits than these while the sum has room for this many numbers above them. Without a division, which
    // would cost firmware 900 bytes.
    let mut length = 0;
    while length < LOW_BITS_MAX && sum >> length >= count {
        length += 1;
    }
    length
}

/// Bits of all codes with so many low bits.
fn run_bits(numbers: Run<'_>, step: u32, low_bits: u8) -> u32 {
    let mut bits = 0;
    codes(numbers, step, &mut |code| bits += code_bits(code, low_bits));
    bits
}

/// Greatest common divisor; that of a number and 0 is the number.
fn common_divisor(mut one: u32, mut other: u32) -> u32 {
    while let Some(rest) = one.checked_rem(other) {
        one = other;
        other = rest;
    }
    one
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

fn write_varint(mut number: u64, sink: &mut Sink<'_>) {
    while number >= 0x80 {
        sink.byte((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    sink.byte(number as u8);
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
    fn put(&mut self, bits: u64, count: u8) {
        for at in (0..count).rev() {
            self.byte = self.byte << 1 | (bits >> at & 1) as u8;
            self.used += 1;
            if self.used == 8 {
                self.sink.byte(self.byte);
                (self.byte, self.used) = (0, 0);
            }
        }
    }

    /// Fills the last byte with zeros.
    fn finish(mut self) {
        while self.used != 0 {
            self.put(0, 1);
        }
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
