//! Numbers that are drawn and not computed with, in few bytes: times as differences, columns of values as whole decimal
//! steps. A column keeps at least [`STEPS_MIN`] steps between its smallest and its largest value, and so is at most as many
//! bits wide as ten times that many steps need, whatever the values are.

/// Steps between the smallest and the largest value of a column, at least: no chart is taller than so many lines.
const STEPS_MIN: f64 = 300.0;
/// A column of one value only.
const CONSTANT: u8 = 0;

/// Appends a number, seven bits a byte, the lowest first; the sign goes into the lowest bit.
pub(crate) fn put_number(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends times in milliseconds, as how much each step differs from the one before.
pub(crate) fn put_times(out: &mut Vec<u8>, times: &[i64]) {
    let (mut before, mut step) = (0_i64, 0_i64);
    for time in times {
        let next = time.wrapping_sub(before);
        put_number(out, next.wrapping_sub(step));
        (before, step) = (*time, next);
    }
}

/// Appends a column. Values are finite.
pub(crate) fn put_column(out: &mut Vec<u8>, values: &[f32]) {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = f64::from(high) - f64::from(low);
    if range <= 0.0 {
        out.push(CONSTANT);
        out.extend(low.to_le_bytes());
        return;
    }
    // Between -36 and 48 for singles.
    let decimals = (STEPS_MIN / range).log10().ceil() as i8;
    let whole = |value: f32| (f64::from(value) * 10f64.powi(i32::from(decimals))).round() as i64;
    let base = whole(low);
    let width = (64 - (whole(high) - base).leading_zeros()) as u8;
    out.push(width);
    out.push(decimals.cast_unsigned());
    put_number(out, base);
    let (mut bits, mut filled) = (0_u64, 0);
    for value in values {
        bits |= (whole(*value) - base).cast_unsigned() << filled;
        filled += width;
        while filled >= 8 {
            out.push((bits & 0xff) as u8);
            bits >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        out.push(bits as u8);
    }
}

/// Reads what was put, in the same order. `None` where the bytes are not what was put.
pub(crate) struct Unpack<'a>(pub(crate) &'a [u8]);

impl Unpack<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn number(&mut self) -> Option<i64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()));
            }
        }
        None
    }

    pub(crate) fn times(&mut self, count: usize) -> Option<Vec<i64>> {
        let (mut before, mut step) = (0_i64, 0_i64);
        let mut next = || {
            step = step.wrapping_add(self.number()?);
            before = before.wrapping_add(step);
            Some(before)
        };
        (0..count).map(|_| next()).collect()
    }

    pub(crate) fn column(&mut self, count: usize) -> Option<Vec<f64>> {
        let width = self.byte()?;
        if width == CONSTANT {
            let bytes = [self.byte()?, self.byte()?, self.byte()?, self.byte()?];
            return Some(vec![shortest(f32::from_le_bytes(bytes)); count]);
        }
        if width > 32 {
            return None;
        }
        let decimals = i32::from(self.byte()?.cast_signed());
        let base = self.number()?;
        let (mut bits, mut filled) = (0_u64, 0);
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            while filled < width {
                bits |= u64::from(self.byte()?) << filled;
                filled += 8;
            }
            let code = bits & ((1_u64 << width) - 1);
            bits >>= width;
            filled -= width;
            values.push(decimal(base.wrapping_add(code.cast_signed()), decimals));
        }
        Some(values)
    }
}

/// So many steps of 10^-decimals: the double nearest to that decimal number.
fn decimal(steps: i64, decimals: i32) -> f64 {
    match decimals {
        0.. => steps as f64 / 10f64.powi(decimals),
        _ => steps as f64 * 10f64.powi(-decimals),
    }
}

/// The double with the fewest digits that still is this single: 1.23 instead of 1.2300000190734863.
pub(crate) fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(values: &[f32]) -> (Vec<f64>, usize) {
        let mut bytes = Vec::new();
        put_column(&mut bytes, values);
        let mut unpack = Unpack(&bytes);
        let read = unpack.column(values.len()).unwrap();
        assert!(unpack.0.is_empty(), "{values:?} leaves bytes");
        (read, bytes.len())
    }

    #[test]
    fn a_column_keeps_what_a_chart_shows_in_at_most_twelve_bits_a_value() {
        let far_apart = [
            vec![90.12, 90.17, 90.15, 90.16],
            vec![0.0, -1.0, 1.0, 0.5],
            vec![f32::MIN, f32::MAX, 0.0],
            vec![f32::MIN_POSITIVE, 0.0, 1e-45],
            vec![1e30, 1.000_000_1e30],
            vec![16_777_215.0, 16_777_216.0],
        ];
        for values in far_apart {
            let (read, bytes) = back(&values);
            let range = values.iter().fold(0.0, |most: f64, v| {
                values
                    .iter()
                    .fold(most, |most, w| most.max(f64::from(*v) - f64::from(*w)))
            });
            for (value, read) in values.iter().zip(&read) {
                let off = (f64::from(*value) - read).abs();
                assert!(off <= range / (2.0 * STEPS_MIN) * 1.000_001, "{value} became {read}");
            }
            assert!(
                bytes <= 12 + (values.len() * 12).div_ceil(8),
                "{bytes} bytes of {values:?}"
            );
        }
        // What a sensor tells in few digits comes back as it was.
        assert_eq!(back(&[90.12, 90.17, 90.15]).0, [90.12, 90.17, 90.15]);
        assert_eq!(back(&[1.23; 5]).0, [1.23; 5]);
        assert_eq!(back(&[]).0, [0.0; 0]);
    }

    #[test]
    fn numbers_and_times_come_back_whatever_they_are() {
        let mut bytes = Vec::new();
        let numbers = [0, 1, -1, 63, 64, -65, i64::MAX, i64::MIN];
        for number in numbers {
            put_number(&mut bytes, number);
        }
        let mut unpack = Unpack(&bytes);
        assert!(numbers.iter().all(|number| unpack.number() == Some(*number)));
        assert_eq!(unpack.number(), None);
        let times = [
            1_700_000_000_000,
            1_700_000_001_000,
            1_700_000_002_000,
            -5,
            i64::MAX,
            i64::MIN,
        ];
        let mut bytes = Vec::new();
        put_times(&mut bytes, &times);
        assert_eq!(Unpack(&bytes).times(times.len()).unwrap(), times);
        let mut even = Vec::new();
        put_times(&mut even, &times[..3]);
        assert_eq!(even.len(), 6 + 6 + 1);
    }

    #[test]
    fn what_was_cut_off_is_nothing() {
        let mut bytes = Vec::new();
        put_column(&mut bytes, &[1.0, 2.0, 3.0, 2.5]);
        for cut in 0..bytes.len() {
            assert_eq!(Unpack(&bytes[..cut]).column(4), None, "{cut} bytes");
        }
    }
}
