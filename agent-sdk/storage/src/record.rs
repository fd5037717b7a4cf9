//! How a record is written so that a cut one is known, and how it is read back. Knows nothing of what records mean.
//!
//! A record is a header of 8 bytes, then its payload. Both begin on a multiple of the write size, and no word is
//! written twice between two erases, as flash with error correction demands. The header is complete before the payload
//! begins, so a cut record shows how far it may reach: as far as its header says, or its header only.
//!
//! | bytes | content |
//! | --- | --- |
//! | 0, 1 | kind in the two upper bits, then the payload's length in 14 bits, high byte first: never 0xFF first |
//! | 2 | the low byte of the record's number |
//! | 3 | the low byte of the CRC-32 of bytes 0 to 2 and 4 to 7 |
//! | 4 to 7 | CRC-32 of the page's sequence number, the record's number, bytes 0 to 2 and the payload |

use crate::Error;
use crate::area::{Area, INFO_BYTES, Outcome};
use crate::crc::Crc;
use embedded_storage::nor_flash::NorFlash;

/// The largest write size of a flash in bytes.
pub const WRITE_SIZE_MAX: usize = 32;
/// The longest record in bytes, in a page that is large enough.
pub const RECORD_BYTES_MAX: usize = 0x3FFF;

/// Payload of a mark in bytes.
pub(crate) const MARK_BYTES: usize = 8;

const ERASED: u8 = 0xFF;
const HEADER_BYTES: u32 = 8;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What the user keeps.
    Data = 0,
    /// How far the outbox is acknowledged.
    Mark = 1,
    /// The first record of a page.
    Page = 2,
}

/// What lies at a place in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Nothing more: the next record may be written here if there is room.
    End,
    /// A cut or damaged record, or a part of one.
    Junk { next: u32 },
    /// A whole record.
    Record {
        kind: Kind,
        number: u32,
        len: u32,
        next: u32,
    },
}

impl Area {
    /// Reads what lies at `at` in the page `seq`. `base` is the lowest number that a record here can have; its payload
    /// goes to `out`, as much as fits, and `out` may be written to although the record turns out to be cut.
    pub(crate) fn read<F: NorFlash>(
        &self,
        flash: &mut F,
        seq: u32,
        at: u32,
        base: u32,
        out: &mut [u8],
    ) -> Outcome<Slot, F> {
        let body = at.saturating_add(header_bytes::<F>());
        if body > self.page_bytes() {
            return Ok(Slot::End);
        }
        let mut raw = [0; WRITE_SIZE_MAX];
        self.fetch(flash, seq, at, header_bytes::<F>(), &mut raw)?;
        let Some(&[first, second, low, check, sum0, sum1, sum2, sum3]) = raw.first_chunk::<8>() else {
            return Ok(Slot::End);
        };
        if raw.iter().take(HEADER_BYTES as usize).all(|byte| *byte == ERASED) {
            return Ok(Slot::End);
        }
        let front = [first, second, low];
        let sum = [sum0, sum1, sum2, sum3];
        let len = (u32::from(first & 0x3F) << 8) | u32::from(second);
        let next = at.saturating_add(footprint::<F>(len));
        let is_whole = check == header_check(front, sum) && next <= self.page_bytes();
        let Some(kind) = Kind::from_bits(first >> 6).filter(|_| is_whole) else {
            return Ok(Slot::Junk { next: body });
        };
        let number = match kind {
            Kind::Data => resync(base, low),
            Kind::Mark | Kind::Page => 0,
        };
        let mut crc = begin_sum(kind, seq, number, front);
        let mut rest = out.iter_mut();
        let mut done = 0;
        while done < len {
            let part = (len - done).min(WRITE_SIZE_MAX as u32);
            self.fetch(flash, seq, body + done, align_up::<F>(part), &mut raw)?;
            let chunk = raw.get(..part as usize).unwrap_or_default();
            crc.update(chunk);
            for (from, to) in chunk.iter().zip(rest.by_ref()) {
                *to = *from;
            }
            done += part;
        }
        if crc.finish() != u32::from_le_bytes(sum) {
            return Ok(Slot::Junk { next });
        }
        Ok(Slot::Record {
            kind,
            number,
            len,
            next,
        })
    }

    /// Writes a record at `at`, where the page is erased, and returns where the next one goes.
    pub(crate) fn write<F: NorFlash>(
        &self,
        flash: &mut F,
        seq: u32,
        at: u32,
        kind: Kind,
        number: u32,
        payload: &[u8],
    ) -> Outcome<u32, F> {
        let place = payload_len(payload).map(|len| (len, at.saturating_add(footprint::<F>(len))));
        let Some((len, next)) = place.filter(|(_, next)| *next <= self.page_bytes()) else {
            return Err(Error::Length);
        };
        let [second, high, ..] = len.to_le_bytes();
        let [low, ..] = number.to_le_bytes();
        let first = ((kind as u8) << 6) | high;
        let front = [first, second, low];
        let mut crc = begin_sum(kind, seq, number, front);
        crc.update(payload);
        let sum = crc.finish().to_le_bytes();
        let [sum0, sum1, sum2, sum3] = sum;
        let header = [first, second, low, header_check(front, sum), sum0, sum1, sum2, sum3];
        let mut raw = [0; WRITE_SIZE_MAX];
        pad(&mut raw, &header);
        let header_end = header_bytes::<F>() as usize;
        self.program(flash, seq, at, raw.get(..header_end).unwrap_or_default())?;

        let body = at + header_bytes::<F>();
        let whole = payload.len() & !F::WRITE_SIZE.wrapping_sub(1);
        self.program(flash, seq, body, payload.get(..whole).unwrap_or_default())?;
        let rest = payload.get(whole..).unwrap_or_default();
        if !rest.is_empty() {
            pad(&mut raw, rest);
            let word = raw.get(..F::WRITE_SIZE).unwrap_or_default();
            self.program(flash, seq, body + whole as u32, word)?;
        }
        Ok(next)
    }

    /// Whether the page is erased from `at` to its end.
    pub(crate) fn is_erased<F: NorFlash>(&self, flash: &mut F, seq: u32, at: u32) -> Outcome<bool, F> {
        let mut raw = [0; WRITE_SIZE_MAX];
        let mut at = at;
        while at < self.page_bytes() {
            let part = (self.page_bytes() - at).min(WRITE_SIZE_MAX as u32);
            self.fetch(flash, seq, at, part, &mut raw)?;
            if raw.iter().take(part as usize).any(|byte| *byte != ERASED) {
                return Ok(false);
            }
            at += part;
        }
        Ok(true)
    }

    fn fetch<F: NorFlash>(
        &self,
        flash: &mut F,
        seq: u32,
        at: u32,
        bytes: u32,
        raw: &mut [u8; WRITE_SIZE_MAX],
    ) -> Outcome<(), F> {
        match raw.get_mut(..bytes as usize) {
            Some(window) => flash.read(self.address(seq, at), window).map_err(Error::Flash),
            None => Err(Error::Geometry),
        }
    }

    fn program<F: NorFlash>(&self, flash: &mut F, seq: u32, at: u32, bytes: &[u8]) -> Outcome<(), F> {
        if bytes.is_empty() {
            return Ok(());
        }
        flash.write(self.address(seq, at), bytes).map_err(Error::Flash)
    }
}

impl Kind {
    fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Data),
            1 => Some(Self::Mark),
            2 => Some(Self::Page),
            _ => None,
        }
    }
}

/// Bytes that a record takes in its page: a multiple of the header, so that what follows a damaged one is found again;
/// never less than a mark, so that a page has room for a mark for each record of another page.
pub(crate) fn footprint<F: NorFlash>(len: u32) -> u32 {
    let mask = header_bytes::<F>().wrapping_sub(1);
    let payload = len.max(MARK_BYTES as u32).saturating_add(mask) & !mask;
    header_bytes::<F>().saturating_add(payload)
}

/// Where the records of a page begin.
pub(crate) fn page_start<F: NorFlash>() -> u32 {
    footprint::<F>(INFO_BYTES as u32)
}

/// The length that a header can hold, `None` beyond.
pub(crate) fn payload_len(payload: &[u8]) -> Option<u32> {
    u32::try_from(payload.len())
        .ok()
        .filter(|_| payload.len() <= RECORD_BYTES_MAX)
}

fn unit<F: NorFlash>() -> u32 {
    F::WRITE_SIZE as u32
}

fn align_up<F: NorFlash>(bytes: u32) -> u32 {
    let mask = unit::<F>().wrapping_sub(1);
    bytes.saturating_add(mask) & !mask
}

pub(crate) fn header_bytes<F: NorFlash>() -> u32 {
    align_up::<F>(HEADER_BYTES)
}

/// The lowest number from `base` on that ends in the byte `low`: a damaged record costs its own number only.
fn resync(base: u32, low: u8) -> u32 {
    let [base_low, ..] = base.to_le_bytes();
    base.wrapping_add(u32::from(low.wrapping_sub(base_low)))
}

/// Begins a record's checksum. A page's first record is read before its sequence number is known; all others count in
/// their own page only.
fn begin_sum(kind: Kind, seq: u32, number: u32, front: [u8; 3]) -> Crc {
    let seq = match kind {
        Kind::Page => 0,
        Kind::Data | Kind::Mark => seq,
    };
    let mut crc = Crc::new();
    crc.update(&seq.to_le_bytes());
    crc.update(&number.to_le_bytes());
    crc.update(&front);
    crc
}

fn header_check(front: [u8; 3], sum: [u8; 4]) -> u8 {
    let mut crc = Crc::new();
    crc.update(&front);
    crc.update(&sum);
    let [low, ..] = crc.finish().to_le_bytes();
    low
}

/// Bytes with what is erased behind them.
fn pad(raw: &mut [u8; WRITE_SIZE_MAX], bytes: &[u8]) {
    for (at, to) in raw.iter_mut().enumerate() {
        *to = bytes.get(at).copied().unwrap_or(ERASED);
    }
}
