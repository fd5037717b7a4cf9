//! The two places for a device's secrets, as they are kept: what lets it in now, and what will. Written as on the wire, so
//! that a password is lent from here.

use super::SECRET_RANDOM_BYTES;

/// The longest record that is to be kept: in bytes.
pub const KEPT_BYTES_MAX: usize = HEAD_BYTES + 2 * SECRET_BYTES;

/// Two digits for each random byte.
pub(super) const SECRET_BYTES: usize = 2 * SECRET_RANDOM_BYTES;
/// Format and flags.
const HEAD_BYTES: usize = 2;
const FORMAT: u8 = 1;

/// There is a secret that lets the device in.
const CURRENT: u8 = 1;
/// There is a next one, behind it.
const NEXT: u8 = 2;
/// The hub may still let the device in by what it had before.
const OLD: u8 = 4;
/// They may stand alone, or so.
const BOTH: u8 = CURRENT | NEXT;
const REPLACED: u8 = CURRENT | OLD;

/// Different values among random bytes at least, as the hub wants it too.
const VALUES_MIN: usize = 8;

/// A record: format, flags, then the present secret and the next one, as far as there are any.
pub(super) struct Kept<'m> {
    bytes: &'m mut [u8; KEPT_BYTES_MAX],
}

impl<'m> Kept<'m> {
    /// Nothing, in memory whose content does not matter.
    pub(super) fn nothing(bytes: &'m mut [u8; KEPT_BYTES_MAX]) -> Self {
        let mut kept = Self { bytes };
        kept.set_flags(0);
        kept
    }

    /// Takes a record in where nothing is; false if it is none, and then this is of no use.
    pub(super) fn take_in(&mut self, record: &[u8]) -> bool {
        for (to, from) in self.bytes.iter_mut().zip(record) {
            *to = *from;
        }
        let [format, flags, secrets @ ..] = &*self.bytes;
        let is_secret = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let secret_bytes = record.len().checked_sub(HEAD_BYTES);
        let Some(secrets) = secret_bytes.and_then(|len| secrets.get(..len)) else {
            return false;
        };
        let known = matches!(*flags, CURRENT | NEXT | BOTH | REPLACED);
        let is_whole = record.len() == self.len() && secrets.iter().all(is_secret);
        *format == FORMAT && known && is_whole
    }

    /// The record.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// What lets the device in.
    pub(super) fn current(&self) -> Option<&[u8]> {
        self.has(CURRENT).then(|| self.place(0))
    }

    /// What will let it in.
    pub(super) fn next(&self) -> Option<&[u8]> {
        self.has(NEXT).then(|| self.place(usize::from(self.has(CURRENT))))
    }

    /// Whether the hub may still let the device in by what it had before.
    pub(super) fn has_old(&self) -> bool {
        self.has(OLD)
    }

    /// Makes the next secret, in place of one that there is.
    pub(super) fn draw(&mut self, random: &[u8; SECRET_RANDOM_BYTES]) {
        let at = HEAD_BYTES + usize::from(self.has(CURRENT)) * SECRET_BYTES;
        let room = self.bytes.get_mut(at..).unwrap_or_default();
        for (pair, byte) in room.chunks_exact_mut(2).zip(random) {
            if let [high, low] = pair {
                (*high, *low) = (digit(byte >> 4), digit(byte & 0xF));
            }
        }
        self.set_flags(self.flags() | NEXT);
    }

    /// The next secret lets the device in, and `has_old` says whether what was before it may still do so.
    pub(super) fn take_over(&mut self, has_old: bool) {
        let is_second = self.has(CURRENT);
        let [_, _, secrets @ ..] = &mut *self.bytes;
        let (first, second) = secrets.split_at_mut_checked(SECRET_BYTES).unwrap_or_default();
        for (to, from) in first.iter_mut().zip(second) {
            let moved = core::mem::take(from);
            if is_second {
                *to = moved;
            }
        }
        self.set_flags(CURRENT | if has_old { OLD } else { 0 });
    }

    /// Nothing else lets the device in any more.
    pub(super) fn ended(&mut self) {
        self.set_flags(self.flags() & !OLD);
    }

    fn len(&self) -> usize {
        let secrets = usize::from(self.has(CURRENT)) + usize::from(self.has(NEXT));
        HEAD_BYTES + secrets * SECRET_BYTES
    }

    fn place(&self, number: usize) -> &[u8] {
        let at = HEAD_BYTES + number * SECRET_BYTES;
        self.bytes.get(at..at + SECRET_BYTES).unwrap_or_default()
    }

    fn flags(&self) -> u8 {
        let [_, flags, ..] = &*self.bytes;
        *flags
    }

    fn set_flags(&mut self, to: u8) {
        let [format, flags, ..] = &mut *self.bytes;
        (*format, *flags) = (FORMAT, to);
    }

    fn has(&self, flag: u8) -> bool {
        self.flags() & flag != 0
    }
}

/// Whether these may be what a generator gave that works: one that stands still repeats few values.
pub(super) fn may_be_random(random: &[u8; SECRET_RANDOM_BYTES]) -> bool {
    let is_new = |(at, byte): &(usize, &u8)| !random.iter().take(*at).any(|earlier| earlier == *byte);
    random.iter().enumerate().filter(is_new).count() >= VALUES_MIN
}

fn digit(half: u8) -> u8 {
    match half {
        0..=9 => b'0'.wrapping_add(half),
        _ => (b'a' - 10).wrapping_add(half),
    }
}

#[cfg(test)]
mod tests {
    use super::{CURRENT, FORMAT, KEPT_BYTES_MAX, Kept, NEXT, OLD, may_be_random};

    fn read<'m>(record: &[u8], memory: &'m mut [u8; KEPT_BYTES_MAX]) -> Option<Kept<'m>> {
        let mut kept = Kept::nothing(memory);
        kept.take_in(record).then_some(kept)
    }

    fn random(from: u8) -> [u8; 32] {
        std::array::from_fn(|at| from.wrapping_add((at as u8).wrapping_mul(9)))
    }

    fn hex(random: [u8; 32]) -> Vec<u8> {
        let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.into_bytes()
    }

    #[test]
    fn a_secret_goes_from_the_next_place_to_the_first_and_each_record_reads_back() {
        let (first, second) = (hex(random(0xF0)), hex(random(3)));
        let mut memory = [0xEE; KEPT_BYTES_MAX];
        let mut kept = Kept::nothing(&mut memory);
        assert_eq!((kept.current(), kept.next()), (None, None));
        let check = |kept: &Kept<'_>, flags: u8, current: Option<&Vec<u8>>, next: Option<&Vec<u8>>| {
            let mut wanted = vec![FORMAT, flags];
            wanted.extend(current.into_iter().chain(next).flatten());
            assert_eq!(kept.bytes(), wanted);
            let mut memory = [0; KEPT_BYTES_MAX];
            let again = read(kept.bytes(), &mut memory).expect("a record");
            for one in [kept, &again] {
                assert_eq!(one.current(), current.map(Vec::as_slice));
                assert_eq!(one.next(), next.map(Vec::as_slice));
                assert_eq!(one.has_old(), flags & OLD != 0);
            }
        };
        kept.draw(&random(0xF0));
        check(&kept, NEXT, None, Some(&first));
        kept.take_over(true);
        check(&kept, CURRENT | OLD, Some(&first), None);
        kept.ended();
        check(&kept, CURRENT, Some(&first), None);
        kept.draw(&random(3));
        check(&kept, CURRENT | NEXT, Some(&first), Some(&second));
        assert_eq!(kept.bytes().len(), KEPT_BYTES_MAX);
        kept.take_over(true);
        check(&kept, CURRENT | OLD, Some(&second), None);
        let first = first.as_slice();
        assert!(
            !kept.bytes.windows(first.len()).any(|window| window == first),
            "the old one is gone"
        );
        kept.ended();
        check(&kept, CURRENT, Some(&second), None);
    }

    #[test]
    fn what_is_no_record_is_not_taken() {
        let mut memory = [0xEE; KEPT_BYTES_MAX];
        let mut kept = Kept::nothing(&mut memory);
        let mut other = [0; KEPT_BYTES_MAX];
        assert!(read(kept.bytes(), &mut other).is_none(), "nothing to go on with");
        kept.draw(&random(1));
        let right = kept.bytes().to_vec();
        assert!(read(&right, &mut other).is_some());
        let changed = |at: usize, to: u8| {
            let mut wrong = right.clone();
            wrong[at] = to;
            wrong
        };
        let flags = [0, CURRENT | NEXT, NEXT | OLD, OLD, CURRENT | NEXT | OLD, 8 | NEXT];
        let wrong_flags = flags.map(|flags| changed(1, flags));
        let others = [
            Vec::new(),
            right[..1].to_vec(),
            right[..65].to_vec(),
            [&right[..], b"0"].concat(),
            changed(0, 2),
            changed(2, b'A'),
            changed(65, b'"'),
            vec![b'0'; KEPT_BYTES_MAX + 1],
        ];
        for wrong in wrong_flags.iter().chain(&others) {
            assert!(read(wrong, &mut other).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn bytes_of_a_generator_that_stands_still_are_found_out() {
        assert!(may_be_random(&random(0)));
        assert!(may_be_random(&std::array::from_fn(|at| at as u8 % 8)));
        assert!(!may_be_random(&std::array::from_fn(|at| at as u8 % 7)));
        assert!(!may_be_random(&[0; 32]));
        assert!(!may_be_random(&[0xFF; 32]));
    }
}
