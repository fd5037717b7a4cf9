//! Where pages lie on NOR flash, and what the first record of each says. Knows nothing of what users keep in them.

use crate::Error;
use crate::record::{Kind, RECORD_BYTES_MAX, Slot, WRITE_SIZE_MAX, header_bytes, page_start};
use core::array;
use core::num::NonZeroU32;
use embedded_storage::nor_flash::{ErrorType, NorFlash};

/// The smallest page in bytes.
pub const PAGE_BYTES_MIN: u32 = 256;
/// The largest page in bytes.
pub const PAGE_BYTES_MAX: u32 = 64 * 1024;
/// The version of what is on the flash, in the first record of each page.
pub const FORMAT_VERSION: u8 = 1;

/// Payload of a page's first record in bytes.
pub(crate) const INFO_BYTES: usize = 20;
const MAGIC: [u8; 2] = *b"FL";

pub(crate) type Outcome<T, F> = Result<T, Error<<F as ErrorType>::Error>>;

/// A part of a flash: a ring of pages, each of one or more erase units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    start: u32,
    page_bytes: u32,
    pages: NonZeroU32,
}

/// Whose page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Region {
    Outbox = 1,
    Keys = 2,
}

/// What the first record of a page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageInfo {
    /// Counts pages as they are begun, from 1; it also decides where the page lies.
    pub(crate) seq: u32,
    /// The number of the first record in this page.
    pub(crate) first: u32,
    /// All records below were acknowledged or dropped when the page was begun.
    pub(crate) head: u32,
    /// Records dropped until then.
    pub(crate) dropped: u32,
}

impl Area {
    /// `pages` pages of `page_bytes` bytes each from offset `start` of this flash.
    ///
    /// # Errors
    /// [`Error::Geometry`] unless the write size is a power of two up to [`WRITE_SIZE_MAX`] and a multiple of the read
    /// size, start and page size are multiples of the erase size, the page size lies between [`PAGE_BYTES_MIN`] and
    /// [`PAGE_BYTES_MAX`], there are two pages or more, and all lie within the flash.
    pub fn new<F: NorFlash>(flash: &F, start: u32, page_bytes: u32, pages: u32) -> Result<Self, Error<F::Error>> {
        let erase_aligned =
            |bytes: u32| u32::try_from(F::ERASE_SIZE).is_ok_and(|size| size > 0 && bytes.is_multiple_of(size));
        let end = u64::from(start) + u64::from(page_bytes) * u64::from(pages);
        let fits = F::WRITE_SIZE.is_power_of_two()
            && F::WRITE_SIZE <= WRITE_SIZE_MAX
            && F::READ_SIZE > 0
            && F::WRITE_SIZE.is_multiple_of(F::READ_SIZE)
            && F::ERASE_SIZE.is_multiple_of(F::WRITE_SIZE)
            && erase_aligned(start)
            && erase_aligned(page_bytes)
            && (PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&page_bytes)
            && end <= u64::from(u32::MAX)
            && end <= flash.capacity() as u64;
        let pages = NonZeroU32::new(pages).filter(|pages| fits && pages.get() >= 2);
        pages
            .map(|pages| Self {
                start,
                page_bytes,
                pages,
            })
            .ok_or(Error::Geometry)
    }

    /// Erases all pages: for a reset to factory state, or to give up what another version wrote. Whatever was opened on
    /// this area must be opened again.
    ///
    /// # Errors
    /// The driver failed; some pages may be erased.
    pub fn wipe<F: NorFlash>(&self, flash: &mut F) -> Result<(), Error<F::Error>> {
        (0..self.pages.get()).try_for_each(|index| self.erase_page(flash, index))
    }

    /// The longest record that a page of this area holds, in bytes.
    #[must_use]
    pub fn record_bytes_max<F: NorFlash>(&self) -> usize {
        let room = self.page_bytes.saturating_sub(page_start::<F>());
        let payload = room.saturating_sub(header_bytes::<F>()) & !header_bytes::<F>().wrapping_sub(1);
        (payload as usize).min(RECORD_BYTES_MAX)
    }

    pub(crate) fn page_bytes(&self) -> u32 {
        self.page_bytes
    }

    pub(crate) fn pages(&self) -> u32 {
        self.pages.get()
    }

    /// Erases the page that `seq` has its place in.
    pub(crate) fn erase_page<F: NorFlash>(&self, flash: &mut F, seq: u32) -> Outcome<(), F> {
        let from = self.address(seq, 0);
        flash
            .erase(from, from.wrapping_add(self.page_bytes))
            .map_err(Error::Flash)
    }

    /// The page that was begun last.
    pub(crate) fn newest<F: NorFlash>(&self, flash: &mut F, region: Region) -> Outcome<Option<PageInfo>, F> {
        let mut newest: Option<PageInfo> = None;
        for index in 0..self.pages.get() {
            let info = self.page(flash, index, region)?;
            let is_newer = |info: &PageInfo| newest.is_none_or(|newest| info.seq >= newest.seq);
            if info.as_ref().is_some_and(is_newer) {
                newest = info;
            }
        }
        Ok(newest)
    }

    /// What the page at the place of `seq` says of itself, whatever its own sequence number is; `None` if it was not
    /// begun, or its erase was cut.
    pub(crate) fn page<F: NorFlash>(&self, flash: &mut F, seq: u32, region: Region) -> Outcome<Option<PageInfo>, F> {
        let mut raw = [0; INFO_BYTES];
        let Slot::Record {
            kind: Kind::Page, len, ..
        } = self.read(flash, seq, 0, 0, &mut raw)?
        else {
            return Ok(None);
        };
        let [magic0, magic1, version, purpose, numbers @ ..] = raw;
        if [magic0, magic1] != MAGIC {
            return Ok(None);
        }
        if version != FORMAT_VERSION || purpose != region as u8 || len as usize != INFO_BYTES {
            return Err(Error::Format);
        }
        let [own_seq, first, head, dropped] = numbers.as_chunks::<4>().0 else {
            return Ok(None);
        };
        let info = PageInfo {
            seq: u32::from_le_bytes(*own_seq),
            first: u32::from_le_bytes(*first),
            head: u32::from_le_bytes(*head),
            dropped: u32::from_le_bytes(*dropped),
        };
        let in_its_place = info.seq % self.pages == seq % self.pages;
        Ok(Some(info).filter(|_| in_its_place))
    }

    /// Writes the first record of an erased page, which makes it count.
    pub(crate) fn write_page<F: NorFlash>(&self, flash: &mut F, region: Region, info: PageInfo) -> Outcome<(), F> {
        let [magic0, magic1] = MAGIC;
        let front = [magic0, magic1, FORMAT_VERSION, region as u8];
        let numbers = [info.seq, info.first, info.head, info.dropped];
        let mut bytes = front.into_iter().chain(numbers.into_iter().flat_map(u32::to_le_bytes));
        let raw: [u8; INFO_BYTES] = array::from_fn(|_| bytes.next().unwrap_or_default());
        self.write(flash, info.seq, 0, Kind::Page, 0, &raw).map(|_| ())
    }

    pub(crate) fn address(&self, seq: u32, at: u32) -> u32 {
        let page = (seq % self.pages).wrapping_mul(self.page_bytes);
        self.start.wrapping_add(page).wrapping_add(at)
    }
}

#[cfg(test)]
mod tests {
    use super::{Area, FORMAT_VERSION, INFO_BYTES, Region};
    use crate::record::Kind;
    use crate::sim::{SimError, SimFlash};
    use crate::{Error, KeyValue, Outbox, Overflow};

    type Flash = SimFlash<4, 256>;

    fn outbox(flash: &mut Flash, area: Area) -> Result<Outbox, Error<SimError>> {
        Outbox::open(flash, area, Overflow::Refuse)
    }

    #[test]
    fn a_page_of_another_version_is_refused_and_left_alone() {
        let mut flash = Flash::new(2);
        let area = Area::new(&flash, 0, 256, 2).unwrap();
        let mut info = [0_u8; INFO_BYTES];
        info[..4].copy_from_slice(&[b'F', b'L', FORMAT_VERSION + 1, Region::Outbox as u8]);
        info[4] = 2;
        area.write(&mut flash, 2, 0, Kind::Page, 0, &info).unwrap();
        let before = flash.cells().to_vec();
        assert_eq!(outbox(&mut flash, area).unwrap_err(), Error::Format);
        assert_eq!(flash.cells(), before);

        area.wipe(&mut flash).unwrap();
        let mut empty = outbox(&mut flash, area).unwrap();
        assert_eq!(empty.append(&mut flash, b"one"), Ok(0));
        assert_eq!(flash.faults(), 0);
    }

    #[test]
    fn an_outbox_is_no_key_value_store() {
        let mut flash = Flash::new(2);
        let area = Area::new(&flash, 0, 256, 2).unwrap();
        outbox(&mut flash, area).unwrap().append(&mut flash, b"one").unwrap();
        assert_eq!(KeyValue::open(&mut flash, area).unwrap_err(), Error::Format);
    }
}
