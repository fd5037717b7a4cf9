//! Finding head, tail and place after a restart.

use super::Outbox;
use crate::area::{Outcome, PageInfo, Region};
use crate::record::{Kind, MARK_BYTES, Slot, page_start};
use embedded_storage::nor_flash::NorFlash;

impl Outbox {
    /// Reads the state from flash. Until it has succeeded, memory does not count.
    pub(super) fn mount<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<(), F> {
        *self = Self::empty(self.area, self.overflow);
        if let Some(info) = self.area.newest(flash, Region::Outbox)? {
            self.seq = info.seq;
            self.first = info.first;
            self.scan_newest(flash, info)?;
            self.find_head(flash)?;
            self.rewind();
        }
        self.is_stale = false;
        Ok(())
    }

    /// The newest page has all that was noted since it was begun: records, marks, and where the next goes.
    fn scan_newest<F: NorFlash>(&mut self, flash: &mut F, info: PageInfo) -> Outcome<(), F> {
        self.tail = info.first;
        self.head = info.head;
        self.dropped = info.dropped;
        self.at = page_start::<F>();
        let mut mark = [0_u8; MARK_BYTES];
        loop {
            self.at = match self.area.read(flash, self.seq, self.at, self.tail, &mut mark)? {
                Slot::End => break,
                Slot::Junk { next } => next,
                Slot::Record {
                    kind: Kind::Data,
                    number,
                    next,
                    ..
                } => {
                    self.tail = number.wrapping_add(1);
                    next
                }
                Slot::Record {
                    kind: Kind::Mark, next, ..
                } => {
                    if let [head, dropped] = mark.as_chunks::<4>().0 {
                        self.head = u32::from_le_bytes(*head);
                        self.dropped = u32::from_le_bytes(*dropped);
                    }
                    next
                }
                Slot::Record {
                    kind: Kind::Page, next, ..
                } => next,
            };
        }
        // Behind a damaged header the end cannot be told from a payload.
        if !self.area.is_erased(flash, self.seq, self.at)? {
            self.at = self.area.page_bytes();
        }
        // Acknowledged records that have been damaged since do not give their numbers to others.
        self.tail = self.tail.max(self.head);
        Ok(())
    }

    /// The page of `head` is the newest that does not begin beyond it. If there is none, an erase for an overflow was
    /// cut, or damage has destroyed it: what is missing was dropped.
    fn find_head<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<(), F> {
        let mut oldest = self.first;
        self.head_seq = self.seq;
        let mut seq = self.seq;
        for _ in 0..self.area.pages() {
            if let Some(first) = self.first_of(flash, seq)? {
                oldest = first;
                self.head_seq = seq;
                if first <= self.head {
                    break;
                }
            }
            seq = seq.wrapping_sub(1);
        }
        if self.head < oldest {
            self.give_up_below(oldest);
        }
        Ok(())
    }
}
