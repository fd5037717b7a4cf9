//! Writing a run: how it is best coded, and the code. Firmware does this; what it needs of flash is counted, and so numbers
//! are 32 bits long wherever they can be.

use super::{CONSTANT, ESCAPE, ESCAPED_BITS, LOW_BITS_MAX};
use crate::encode::Sink;

/// Times or values of a batch, which are gone through several times. Firmware gives both by one type: the code is there once
/// for each.
pub trait Source {
    /// Back to the beginning, where it is at first.
    fn restart(&mut self);
    /// The next number, which may be none; `None` at the end. A value is given by [`ordered`].
    fn next(&mut self) -> Option<Option<u32>>;
}

/// The highest bit, which tells the sign of a stored integer.
const SIGN: u32 = 1 << 31;

/// A value, as [`Source`] gives it: a number without a sign. Of two the same one is the larger, and they are as far apart.
pub fn ordered(number: i32) -> u32 {
    number as u32 ^ SIGN
}

/// What of a source is coded.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Its numbers, where there are any; they are [`ordered`].
    Values,
    /// The gaps between its numbers, which do not fall.
    Gaps,
}

/// A zig-zag number of 33 bits: 0, −1, 1, −2 … are 0, 1, 2, 3 …
#[derive(Debug, Clone, Copy)]
struct Code {
    /// All bits but the lowest.
    high: u32,
    /// The lowest bit: the number is negative.
    is_negative: bool,
}

impl Code {
    /// Without its `low_bits` lowest bits. At least [`ESCAPE`] where that has more than 32 bits.
    fn above(self, low_bits: u8) -> u32 {
        match low_bits.checked_sub(1) {
            Some(more) => self.high >> more,
            None => self.high.min(u32::from(ESCAPE)) << 1 | u32::from(self.is_negative),
        }
    }
}

/// The numbers of a part of a source, and the codes of their differences.
pub(crate) struct Run<'r, S> {
    source: &'r mut S,
    part: Part,
    /// The last number of the source.
    last: Option<u32>,
    /// The last number of the run.
    before: Option<u32>,
    step: u32,
}

impl<'r, S: Source> Run<'r, S> {
    pub(crate) fn new(source: &'r mut S, part: Part) -> Self {
        Self {
            source,
            part,
            last: None,
            before: None,
            step: 1,
        }
    }

    /// To its beginning. Differences are counted in steps from now on.
    #[inline(never)]
    fn restart(&mut self, step: u32) {
        self.source.restart();
        self.step = step;
        (self.last, self.before) = (None, None);
    }

    fn next_number(&mut self) -> Option<u32> {
        loop {
            let Some(number) = self.source.next()? else {
                continue;
            };
            match self.part {
                Part::Values => return Some(number),
                Part::Gaps => {
                    if let Some(last) = self.last.replace(number) {
                        return Some(number.wrapping_sub(last));
                    }
                }
            }
        }
    }

    /// The difference between the next number and the one before it.
    fn next_code(&mut self) -> Option<Code> {
        let (before, number) = loop {
            let number = self.next_number()?;
            if let Some(before) = self.before.replace(number) {
                break (before, number);
            }
        };
        let is_negative = number < before;
        let steps = before.abs_diff(number).checked_div(self.step).unwrap_or(0);
        Some(Code {
            // A difference that is negative is not 0.
            high: steps.saturating_sub(u32::from(is_negative)),
            is_negative,
        })
    }

    fn first(&self, number: u32) -> Code {
        let (high, is_negative) = match self.part {
            Part::Values if number < SIGN => (!SIGN ^ number, true),
            Part::Values => (SIGN ^ number, false),
            Part::Gaps => (number, false),
        };
        Code { high, is_negative }
    }

    /// What divides all differences; 0 if all numbers are the same.
    fn common_step(&mut self) -> u32 {
        let mut step = 0;
        self.restart(1);
        while let Some(code) = self.next_code() {
            step = common_divisor(step, code.high.wrapping_add(u32::from(code.is_negative)));
        }
        step
    }

    /// Bits of the mean of the codes, at most [`LOW_BITS_MAX`].
    fn mean_length(&mut self, step: u32) -> u8 {
        let (mut sum, mut count) = (0_u64, 0_u64);
        self.restart(step);
        while let Some(code) = self.next_code() {
            sum += u64::from(code.high) << 1 | u64::from(code.is_negative);
            count += 1;
        }
        // The mean has more bits than these while the sum has room for this many numbers above them. Without a division, which
        // would cost firmware 900 bytes.
        let mut length = 0;
        while length < LOW_BITS_MAX && sum >= count {
            sum >>= 1;
            length += 1;
        }
        length
    }

    /// Bits of all codes with so many low bits.
    fn bits(&mut self, step: u32, low_bits: u8) -> u32 {
        let mut bits = 0;
        self.restart(step);
        while let Some(code) = self.next_code() {
            let high = code.above(low_bits);
            bits += if high < u32::from(ESCAPE) {
                high + 1 + u32::from(low_bits)
            } else {
                u32::from(ESCAPE + ESCAPED_BITS)
            };
        }
        bits
    }
}

/// How a run will be written; known before its first byte, so that its length can stand in front of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    first: Code,
    step: u32,
    low_bits: u8,
    bits: u32,
}

impl Plan {
    /// `None` of no numbers.
    pub(crate) fn of<S: Source>(run: &mut Run<'_, S>) -> Option<Self> {
        run.restart(1);
        let first = run.next_number()?;
        let step = run.common_step();
        let mut plan = Self {
            first: run.first(first),
            step,
            low_bits: CONSTANT,
            bits: 0,
        };
        if step == 0 {
            return Some(plan);
        }
        // The mean's own length keeps every number within 34 bits in the mean; its neighbours are often shorter.
        let length = run.mean_length(step);
        for low_bits in length.saturating_sub(2)..=length {
            let bits = run.bits(step, low_bits);
            // Of two that are as short the mean's, or else the lower one.
            if plan.low_bits == CONSTANT || bits < plan.bits || bits == plan.bits && low_bits == length {
                (plan.low_bits, plan.bits) = (low_bits, bits);
            }
        }
        Some(plan)
    }

    /// The first byte, without [`SPARSE`](super::SPARSE).
    pub(crate) fn head(&self) -> u8 {
        self.low_bits
    }

    /// Bytes that [`Plan::write`] takes.
    pub(crate) fn body_bytes(&self) -> usize {
        // Counted by writing where there is no room.
        let mut counted = Sink::new(&mut []);
        self.write_start(&mut counted);
        counted.count() + self.bits.div_ceil(8) as usize
    }

    /// Writes what follows the head, of the same numbers.
    pub(crate) fn write<S: Source>(&self, run: &mut Run<'_, S>, sink: &mut Sink<'_>) {
        self.write_start(sink);
        if self.low_bits == CONSTANT {
            return;
        }
        let mut bits = BitSink { sink, byte: 0, used: 0 };
        run.restart(self.step);
        while let Some(code) = run.next_code() {
            let high = code.above(self.low_bits);
            let low_bits = if high < u32::from(ESCAPE) {
                bits.put(u32::MAX, high as u8);
                bits.put(0, 1);
                self.low_bits
            } else {
                bits.put(u32::MAX, ESCAPE);
                ESCAPED_BITS
            };
            if let Some(more) = low_bits.checked_sub(1) {
                bits.put(code.high, more);
                bits.put(code.is_negative.into(), 1);
            }
        }
        bits.finish();
    }

    /// The first number, and the step if there is one.
    fn write_start(&self, sink: &mut Sink<'_>) {
        // The lowest seven bits of 33, and then the rest.
        let low = (self.first.high << 1) as u8 & 0x7F | u8::from(self.first.is_negative);
        let rest = self.first.high >> 6;
        if rest == 0 {
            sink.byte(low);
        } else {
            sink.byte(low | 0x80);
            write_varint(rest, sink);
        }
        if self.low_bits != CONSTANT {
            write_varint(self.step, sink);
        }
    }
}

/// Greatest common divisor; that of a number and 0 is the number.
fn common_divisor(mut one: u32, mut other: u32) -> u32 {
    while let Some(rest) = one.checked_rem(other) {
        one = other;
        other = rest;
    }
    one
}

fn write_varint(mut number: u32, sink: &mut Sink<'_>) {
    while number >= 0x80 {
        sink.byte((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    sink.byte(number as u8);
}

/// Bits, the highest of each byte first.
struct BitSink<'a, 's> {
    sink: &'a mut Sink<'s>,
    byte: u8,
    used: u8,
}

impl BitSink<'_, '_> {
    /// The lowest `count` bits, at most 32, the highest of them first.
    fn put(&mut self, bits: u32, count: u8) {
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
