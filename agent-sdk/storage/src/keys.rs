//! Secrets and settings on flash: the last value of each key, whatever moment the power fails at. Knows nothing of what
//! values mean.
//!
//! Values are appended to the newest page. When it is full, the next page is erased, all last values are copied there
//! with the new one, and its first record, written last, makes it the newest: until then the old page counts. So all
//! last values always lie in one page, and the page before is not needed.

use crate::area::{Area, Outcome, PageInfo, Region};
use crate::error::Error;
use crate::record::{Kind, Slot, footprint, page_start, payload_len};
use embedded_storage::nor_flash::NorFlash;

/// Keys are 0 to one less than this.
pub const KEYS: usize = 32;

/// Values by key on flash. Takes about 90 bytes of RAM.
///
/// Every operation must be given the flash that it was opened on.
#[derive(Debug, Clone)]
pub struct KeyValue {
    area: Area,
    /// The driver failed: read the flash again before anything else.
    is_stale: bool,
    /// The page that counts; 0 before there is one.
    seq: u32,
    /// Where its next record goes.
    at: u32,
    places: Places,
}

/// Where in the page each key's last value lies; 0, where no value can lie, for none.
#[derive(Debug, Clone, Copy)]
struct Places([u16; KEYS]);

impl Places {
    fn get(&self, key: u8) -> Option<u32> {
        let place = self.0.get(usize::from(key)).copied();
        place.filter(|at| *at > 0).map(u32::from)
    }

    fn set(&mut self, key: u8, at: u32) {
        if let (Some(place), Ok(at)) = (self.0.get_mut(usize::from(key)), u16::try_from(at)) {
            *place = at;
        }
    }
}

impl KeyValue {
    /// Reads what the area holds. An erased area has no values; nothing is written before the first `put`.
    ///
    /// # Errors
    /// The driver failed, or a page has another format ([`Error::Format`]).
    pub fn open<F: NorFlash>(flash: &mut F, area: Area) -> Result<Self, Error<F::Error>> {
        let mut keys = Self::unread(area);
        keys.read(flash)?;
        Ok(keys)
    }

    /// As [`Self::open`], where [`Self::read`] is called next: for a caller in whose memory it is placed.
    #[must_use]
    pub fn unread(area: Area) -> Self {
        Self::empty(area)
    }

    /// Reads what the area holds.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Error<F::Error>> {
        self.mount(flash)
    }

    /// Reads the value of `key` into `out` and returns its length in bytes; `None` if it was never put.
    ///
    /// # Errors
    /// [`Error::Buffer`] if `out` is too short, [`Error::Key`] from [`KEYS`] on, or [`Error::Flash`].
    pub fn get<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
        out: &mut [u8],
    ) -> Result<Option<usize>, Error<F::Error>> {
        check_key::<F::Error>(key)?;
        self.refresh(flash)?;
        match self.find(flash, key, out)? {
            Some(len) if len > out.len() => Err(Error::Buffer(len)),
            found => Ok(found),
        }
    }

    /// Keeps `value`, which may be empty, as the value of `key`. `scratch` is as long as the longest value of another
    /// key, in bytes: values pass through it when they move to the next page.
    ///
    /// # Errors
    /// [`Error::Full`] if the last values of all keys do not fit one page together, [`Error::Buffer`] if `scratch` is
    /// too short, [`Error::Length`], [`Error::Key`]: the old value stays. [`Error::Flash`]: the old or the new one is
    /// there.
    pub fn put<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
        value: &[u8],
        scratch: &mut [u8],
    ) -> Result<(), Error<F::Error>> {
        check_key::<F::Error>(key)?;
        self.refresh(flash)?;
        let done = self.put_now(flash, key, value, scratch);
        // After a failed write nobody knows what is on the flash, so memory does not count either.
        self.is_stale = matches!(done, Err(Error::Flash(_)));
        done
    }

    fn empty(area: Area) -> Self {
        Self {
            area,
            is_stale: true,
            seq: 0,
            at: area.page_bytes(),
            places: Places([0; KEYS]),
        }
    }

    fn refresh<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<(), F> {
        if self.is_stale { self.mount(flash) } else { Ok(()) }
    }

    fn mount<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<(), F> {
        *self = Self::empty(self.area);
        if let Some(info) = self.area.newest(flash, Region::Keys)? {
            self.seq = info.seq;
            self.at = page_start::<F>();
            self.scan(flash)?;
        }
        self.is_stale = false;
        Ok(())
    }

    fn scan<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<(), F> {
        loop {
            self.at = match self.area.read(flash, self.seq, self.at, 0, &mut [])? {
                Slot::End => break,
                Slot::Junk { next } => next,
                Slot::Record { kind, number, next, .. } => {
                    if let (Kind::Data, Ok(key)) = (kind, u8::try_from(number)) {
                        self.places.set(key, self.at);
                    }
                    next
                }
            };
        }
        // Behind a damaged header the end cannot be told from a value.
        if !self.area.is_erased(flash, self.seq, self.at)? {
            self.at = self.area.page_bytes();
        }
        Ok(())
    }

    /// Reads the last value of `key`, as much of it as fits, and returns its whole length.
    fn find<F: NorFlash>(&self, flash: &mut F, key: u8, out: &mut [u8]) -> Outcome<Option<usize>, F> {
        let Some(at) = self.places.get(key) else {
            return Ok(None);
        };
        // A key is its record's number, so that its low byte and the checksum hold it.
        Ok(match self.area.read(flash, self.seq, at, 0, out)? {
            Slot::Record {
                kind: Kind::Data,
                number,
                len,
                ..
            } if number == u32::from(key) => Some(len as usize),
            Slot::End | Slot::Junk { .. } | Slot::Record { .. } => None,
        })
    }

    fn put_now<F: NorFlash>(&mut self, flash: &mut F, key: u8, value: &[u8], scratch: &mut [u8]) -> Outcome<(), F> {
        let need = payload_len(value).map(footprint::<F>);
        let room = self.area.page_bytes().saturating_sub(page_start::<F>());
        let Some(need) = need.filter(|need| *need <= room) else {
            return Err(Error::Length);
        };
        if self.at.saturating_add(need) > self.area.page_bytes() {
            return self.move_on(flash, key, value, scratch);
        }
        let at = self.at;
        self.at = self.write(flash, self.seq, at, key, value)?;
        self.places.set(key, at);
        Ok(())
    }

    /// Puts `value` and all last values of other keys into the next page, and makes it count.
    fn move_on<F: NorFlash>(&mut self, flash: &mut F, key: u8, value: &[u8], scratch: &mut [u8]) -> Outcome<(), F> {
        self.check_room(flash, key, value, scratch.len())?;
        let seq = self.seq.wrapping_add(1);
        self.area.erase_page(flash, seq)?;
        let mut at = self.write(flash, seq, page_start::<F>(), key, value)?;
        for other in others(key) {
            // Its old place is not asked for any more.
            let mut place = 0;
            if let Some(len) = self.find(flash, other, scratch)? {
                place = at;
                at = self.write(flash, seq, at, other, scratch.get(..len).unwrap_or_default())?;
            }
            self.places.set(other, place);
        }
        self.places.set(key, page_start::<F>());
        let info = PageInfo {
            seq,
            first: 0,
            head: 0,
            dropped: 0,
        };
        self.area.write_page(flash, Region::Keys, info)?;
        self.seq = seq;
        self.at = at;
        Ok(())
    }

    /// Before anything is erased: whether all values fit the next page, and each the scratch buffer.
    fn check_room<F: NorFlash>(&self, flash: &mut F, key: u8, value: &[u8], scratch_bytes: usize) -> Outcome<(), F> {
        let mut end = page_start::<F>().saturating_add(footprint::<F>(value.len() as u32));
        for other in others(key) {
            if let Some(len) = self.find(flash, other, &mut [])? {
                if len > scratch_bytes {
                    return Err(Error::Buffer(len));
                }
                end = end.saturating_add(footprint::<F>(len as u32));
            }
        }
        if end > self.area.page_bytes() {
            Err(Error::Full)
        } else {
            Ok(())
        }
    }

    fn write<F: NorFlash>(&self, flash: &mut F, seq: u32, at: u32, key: u8, value: &[u8]) -> Outcome<u32, F> {
        self.area.write(flash, seq, at, Kind::Data, u32::from(key), value)
    }
}

fn check_key<E>(key: u8) -> Result<(), Error<E>> {
    if usize::from(key) < KEYS {
        Ok(())
    } else {
        Err(Error::Key)
    }
}

fn others(key: u8) -> impl Iterator<Item = u8> {
    (0..KEYS as u8).filter(move |other| *other != key)
}
