//! The outbox's overflow on flash: a ring of pages of numbered records. Knows nothing of MQTT or of what records mean.
//!
//! Records are numbered from 0 without gaps. All below `head` are done with: acknowledged, which a mark in the newest
//! page says, or dropped. A page is erased only when it is needed again, and only when `head` has passed all its
//! records; its first record then says `head` once more, so that marks in erased pages are not missed. One page is kept
//! free of appended records, so that acknowledging always has a place to write.

mod mount;
mod read;

use crate::area::{Area, Outcome, PageInfo, Region};
use crate::error::Error;
use crate::record::{Kind, MARK_BYTES, footprint, page_start, payload_len};
use embedded_storage::nor_flash::NorFlash;

/// What happens when no page is left for a new record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The page with the oldest records is given up; what was not acknowledged in it is counted as dropped.
    DropOldest,
    /// The new record is refused with [`Error::Full`].
    Refuse,
}

/// A record that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its number: 0 for the first record ever in this area, then counting up. 32 bits outlive the flash.
    pub number: u32,
    /// Its length in bytes.
    pub len: usize,
}

/// Records on flash that wait to be acknowledged, oldest first. Takes about 70 bytes of RAM.
///
/// Every operation must be given the flash that the outbox was opened on.
#[derive(Debug, Clone)]
pub struct Outbox {
    area: Area,
    overflow: Overflow,
    /// The driver failed: read the flash again before anything else.
    is_stale: bool,
    /// The page that is written to; 0 before there is one.
    seq: u32,
    /// The number of its first record.
    first: u32,
    /// Where its next record goes.
    at: u32,
    /// The number of the next record that is appended.
    tail: u32,
    /// The oldest record that is not done with.
    head: u32,
    /// The page that `head` lies in, or will.
    head_seq: u32,
    dropped: u32,
    /// The next record that is read.
    unread: u32,
    /// Where it is looked for; `None` from the start of the head's page.
    cursor: Option<Cursor>,
}

#[derive(Debug, Clone, Copy)]
struct Cursor {
    seq: u32,
    at: u32,
    /// The lowest number that a record there can have.
    base: u32,
}

impl Outbox {
    /// Reads what the area holds. An erased area is an empty outbox; nothing is written before the first append.
    ///
    /// # Errors
    /// The driver failed, or a page has another format ([`Error::Format`]).
    pub fn open<F: NorFlash>(flash: &mut F, area: Area, overflow: Overflow) -> Result<Self, Error<F::Error>> {
        let mut outbox = Self::empty(area, overflow);
        outbox.mount(flash)?;
        Ok(outbox)
    }

    /// Keeps a record and returns its number.
    ///
    /// # Errors
    /// [`Error::Length`] for an empty record or one longer than [`Area::record_bytes_max`]; [`Error::Full`] where
    /// overflow is refused; [`Error::Flash`], after which the record may be kept or not.
    pub fn append<F: NorFlash>(&mut self, flash: &mut F, record: &[u8]) -> Result<u32, Error<F::Error>> {
        self.refresh(flash)?;
        let done = self.append_now(flash, record);
        self.settle(done)
    }

    /// Reads the next record that was not read since the start or the last [`Outbox::rewind`] into `out`; `None` if
    /// there is none. Several may be read before the first is acknowledged.
    ///
    /// Where damage has destroyed records, `None` comes until all before them are acknowledged; then they are counted
    /// as dropped and passed.
    ///
    /// # Errors
    /// [`Error::Buffer`] if `out` is too short; or [`Error::Flash`], after which reading begins at the oldest record.
    pub fn read_next<F: NorFlash>(&mut self, flash: &mut F, out: &mut [u8]) -> Result<Option<Record>, Error<F::Error>> {
        self.refresh(flash)?;
        let done = self.read_now(flash, out);
        self.settle(done)
    }

    /// Begins reading at the oldest record again, as after a lost connection.
    pub fn rewind(&mut self) {
        self.unread = self.head;
        self.cursor = None;
    }

    /// Notes that the hub has all records up to `number` and this one. For a number that is done with already this does
    /// nothing.
    ///
    /// Where power cuts have used up the last page's room for marks, this is noted in memory only until a page is free:
    /// after a further cut such records are read once more.
    ///
    /// # Errors
    /// [`Error::Unread`] for a record that was not read since the start or a rewind; [`Error::Flash`].
    pub fn acknowledge<F: NorFlash>(&mut self, flash: &mut F, number: u32) -> Result<(), Error<F::Error>> {
        self.refresh(flash)?;
        let done = self.acknowledge_now(flash, number);
        self.settle(done)
    }

    /// Records that wait to be acknowledged, read or not.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.tail.saturating_sub(self.head)
    }

    /// Records dropped since the area was first used: by overflow, or found damaged.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    pub(crate) fn empty(area: Area, overflow: Overflow) -> Self {
        Self {
            area,
            overflow,
            is_stale: true,
            seq: 0,
            first: 0,
            at: area.page_bytes(),
            tail: 0,
            head: 0,
            head_seq: 0,
            dropped: 0,
            unread: 0,
            cursor: None,
        }
    }

    pub(crate) fn refresh<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<(), F> {
        if self.is_stale { self.mount(flash) } else { Ok(()) }
    }

    /// After a failed write nobody knows what is on the flash, so memory does not count either.
    fn settle<T, E>(&mut self, done: Result<T, Error<E>>) -> Result<T, Error<E>> {
        self.is_stale = matches!(done, Err(Error::Flash(_)));
        done
    }

    fn append_now<F: NorFlash>(&mut self, flash: &mut F, record: &[u8]) -> Outcome<u32, F> {
        let need = payload_len(record).filter(|len| *len > 0).map(footprint::<F>);
        let need = need.filter(|need| page_start::<F>().saturating_add(*need) <= self.area.page_bytes());
        let Some(need) = need else {
            return Err(Error::Length);
        };
        self.make_room(flash, need)?;
        let number = self.tail;
        self.at = self.area.write(flash, self.seq, self.at, Kind::Data, number, record)?;
        self.tail = number.wrapping_add(1);
        Ok(number)
    }

    /// Makes room for `need` bytes in the newest page and leaves one page free. Ends: each turn frees a page, or begins
    /// one in which there is room.
    fn make_room<F: NorFlash>(&mut self, flash: &mut F, need: u32) -> Outcome<(), F> {
        loop {
            let fits = self.fits(need);
            if fits && self.free_pages() >= 1 {
                return Ok(());
            }
            if !fits && (self.free_pages() >= 2 || self.head == self.tail) {
                self.turn_page(flash)?;
                continue;
            }
            match self.overflow {
                Overflow::Refuse => return Err(Error::Full),
                Overflow::DropOldest => self.drop_page(flash)?,
            }
        }
    }

    fn fits(&self, need: u32) -> bool {
        self.at.saturating_add(need) <= self.area.page_bytes()
    }

    /// Pages from the newest on, around the ring, that hold nothing that is still needed.
    fn free_pages(&self) -> u32 {
        let used = self.seq.wrapping_sub(self.head_seq).wrapping_add(1);
        self.area.pages().saturating_sub(used)
    }

    /// Begins the next page, which must be free.
    fn turn_page<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<(), F> {
        let info = PageInfo {
            seq: self.seq.wrapping_add(1),
            first: self.tail,
            head: self.head,
            dropped: self.dropped,
        };
        self.area.erase_page(flash, info.seq)?;
        self.area.write_page(flash, Region::Outbox, info)?;
        self.seq = info.seq;
        self.first = info.first;
        self.at = page_start::<F>();
        if self.head == self.tail {
            self.head_seq = self.seq;
        }
        Ok(())
    }

    /// Gives up the oldest page. A mark says so, or, where none fits, the next page that is begun: before a page is
    /// erased that flash still holds to be needed, if there is any room.
    fn drop_page<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<(), F> {
        let mut head = self.tail;
        while self.head_seq != self.seq {
            self.head_seq = self.head_seq.wrapping_add(1);
            if let Some(first) = self.first_of(flash, self.head_seq)? {
                head = first;
                break;
            }
        }
        self.give_up_below(head);
        if self.fits(mark_bytes::<F>()) {
            self.write_mark(flash)
        } else {
            Ok(())
        }
    }

    /// Counts what is left below `head` as dropped.
    fn give_up_below(&mut self, head: u32) {
        let lost = head.saturating_sub(self.head);
        self.dropped = self.dropped.saturating_add(lost);
        self.head = self.head.max(head);
        self.unread = self.unread.max(head);
    }

    fn acknowledge_now<F: NorFlash>(&mut self, flash: &mut F, number: u32) -> Outcome<(), F> {
        if number < self.head {
            return Ok(());
        }
        if number >= self.unread {
            return Err(Error::Unread);
        }
        self.head = number.wrapping_add(1);
        if self.fits(mark_bytes::<F>()) {
            self.write_mark(flash)?;
            return self.advance_head(flash);
        }
        // A page that only this acknowledgement frees is not erased before the acknowledgement is on flash, unless
        // there is no other.
        if self.free_pages() >= 1 {
            self.turn_page(flash)?;
            return self.advance_head(flash);
        }
        self.advance_head(flash)?;
        if self.free_pages() >= 1 {
            self.turn_page(flash)
        } else {
            Ok(())
        }
    }

    fn write_mark<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<(), F> {
        let mut mark = [0_u8; MARK_BYTES];
        let bytes = [self.head, self.dropped].into_iter().flat_map(u32::to_le_bytes);
        for (to, from) in mark.iter_mut().zip(bytes) {
            *to = from;
        }
        self.at = self.area.write(flash, self.seq, self.at, Kind::Mark, 0, &mark)?;
        Ok(())
    }

    /// Finds the page of `head` after `head` has moved on.
    fn advance_head<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<(), F> {
        let mut seq = self.head_seq;
        while seq != self.seq {
            seq = seq.wrapping_add(1);
            match self.first_of(flash, seq)? {
                Some(first) if first <= self.head => self.head_seq = seq,
                Some(_) => break,
                None => {}
            }
        }
        Ok(())
    }

    /// The number of the first record of a page; `None` if the page cannot be read.
    fn first_of<F: NorFlash>(&self, flash: &mut F, seq: u32) -> Outcome<Option<u32>, F> {
        if seq == self.seq {
            return Ok(Some(self.first));
        }
        let info = self.area.page(flash, seq, Region::Outbox)?;
        Ok(info.filter(|info| info.seq == seq).map(|info| info.first))
    }
}

/// Bytes that a mark takes in its page.
fn mark_bytes<F: NorFlash>() -> u32 {
    footprint::<F>(MARK_BYTES as u32)
}
