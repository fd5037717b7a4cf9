//! Writing a run: how it is best coded, and the code. Firmware does this; what it needs of flash is counted.

use super::{CONSTANT, ESCAPE, ESCAPED_BITS, LOW_BITS_MAX};
use crate::encode::Sink;

/// Values that are gone through several times, each time from their beginning. Behind a pointer, so that one copy of the code
/// serves every iterator: firmware pays for each.
pub(crate) trait Source {
    fn restart(&mut self);
    /// The next value, which may be none; `None` at the end.
    fn next(&mut self) -> Option<Option<i64>>;
}

/// What of a source is coded.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Its values, where there are any.
    Values,
    /// The gaps between them.
    Gaps,
}

/// Numbers that all are 32 bits long, with or without a sign.
pub(crate) struct Run<'r> {
    source: &'r mut dyn Source,
    part: Part,
    last: Option<i64>,
}

impl<'r> Run<'r> {
    pub(crate) fn new(source: &'r mut dyn Source, part: Part) -> Self {
        source.restart();
        Self {
            source,
            part,
            last: None,
        }
    }

    fn next(&mut self) -> Option<i64> {
        loop {
            let Some(value) = self.source.next()? else {
                continue;
            };
            match self.part {
                Part::Values => return Some(value),
                Part::Gaps => {
                    if let Some(last) = self.last.replace(value) {
                        return Some(value.wrapping_sub(last));
                    }
                }
            }
        }
    }
}

/// The differences between the numbers of a run, in steps and zig-zag.
struct Codes<'r> {
    run: Run<'r>,
    last: Option<i64>,
    step: u32,
}

impl<'r> Codes<'r> {
    fn new(source: &'r mut dyn Source, part: Part, step: u32) -> Self {
        Self {
            run: Run::new(source, part),
            last: None,
            step,
        }
    }

    #[inline(never)]
    fn next(&mut self) -> Option<u64> {
        let (last, number) = loop {
            let number = self.run.next()?;
            if let Some(last) = self.last.replace(number) {
                break (last, number);
            }
        };
        // Numbers of 32 bits are never farther apart.
        let size = last.wrapping_sub(number).unsigned_abs() as u32;
        let steps = u64::from(size.checked_div(self.step).unwrap_or(0));
        Some((2 * steps).saturating_sub(u64::from(number < last)))
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
    /// `None` of no numbers.
    pub(crate) fn of(source: &mut dyn Source, part: Part) -> Option<Self> {
        let mut plan = Self {
            first: Run::new(source, part).next()?,
            step: step_of(source, part),
            low_bits: CONSTANT,
            bits: 0,
        };
        if plan.step == 0 {
            return Some(plan);
        }
        // The mean's own length keeps every number within 34 bits in the mean; its neighbours are often shorter.
        let length = mean_length(source, part, plan.step);
        (plan.low_bits, plan.bits) = (length, run_bits(source, part, plan.step, length));
        for other in length.saturating_sub(2)..length {
            let bits = run_bits(source, part, plan.step, other);
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
    pub(crate) fn write(&self, source: &mut dyn Source, part: Part, sink: &mut Sink<'_>) {
        write_varint(zigzag(self.first), sink);
        if self.low_bits == CONSTANT {
            return;
        }
        write_varint(u64::from(self.step), sink);
        let mut bits = BitSink { sink, byte: 0, used: 0 };
        let mut codes = Codes::new(source, part, self.step);
        while let Some(code) = codes.next() {
            let high = code >> self.low_bits;
            if high < u64::from(ESCAPE) {
                bits.put(u64::MAX, high as u8);
                bits.put(0, 1);
                bits.put(code, self.low_bits);
            } else {
                bits.put(u64::MAX, ESCAPE);
                bits.put(code, ESCAPED_BITS);
            }
        }
        bits.finish();
    }
}

/// What divides all differences; 0 if all numbers are the same.
fn step_of(source: &mut dyn Source, part: Part) -> u32 {
    let mut step = 0;
    let mut codes = Codes::new(source, part, 1);
    while let Some(code) = codes.next() {
        step = common_divisor(step, code.div_ceil(2) as u32);
    }
    step
}

/// Bits of the mean of the codes, at most [`LOW_BITS_MAX`].
fn mean_length(source: &mut dyn Source, part: Part, step: u32) -> u8 {
    let (mut sum, mut count) = (0_u64, 0_u64);
    let mut codes = Codes::new(source, part, step);
    while let Some(code) = codes.next() {
        sum += code;
        count += 1;
    }
    // The mean has more bits than these while the sum has room for this many numbers above them. Without a division, which
    // would cost firmware 900 bytes.
    let mut length = 0;
    while length < LOW_BITS_MAX && sum >> length >= count {
        length += 1;
    }
    length
}

/// Bits of all codes with so many low bits.
fn run_bits(source: &mut dyn Source, part: Part, step: u32, low_bits: u8) -> u32 {
    let mut bits = 0;
    let mut codes = Codes::new(source, part, step);
    while let Some(code) = codes.next() {
        bits += code_bits(code, low_bits);
    }
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
