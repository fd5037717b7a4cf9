//! Reading records in their order.

use super::{Cursor, Outbox, Record};
use crate::area::Outcome;
use crate::error::Error;
use crate::record::{Kind, Slot, page_start};
use embedded_storage::nor_flash::NorFlash;

impl Outbox {
    pub(super) fn read_now<F: NorFlash>(&mut self, flash: &mut F, out: &mut [u8]) -> Outcome<Option<Record>, F> {
        // Ends: each turn moves the cursor on, at most to the end of the newest page.
        while self.unread != self.tail {
            let cursor = self.cursor(flash)?;
            let slot = self.area.read(flash, cursor.seq, cursor.at, cursor.base, out)?;
            match slot {
                Slot::End if cursor.seq == self.seq => {
                    self.pass_gap(flash, self.tail)?;
                    return Ok(None);
                }
                Slot::End => self.cursor = Some(self.next_page(flash, cursor)?),
                Slot::Junk { next }
                | Slot::Record {
                    kind: Kind::Mark | Kind::Page,
                    next,
                    ..
                } => self.cursor = Some(Cursor { at: next, ..cursor }),
                Slot::Record {
                    kind: Kind::Data,
                    number,
                    len,
                    next,
                } => {
                    if number > self.unread && !self.pass_gap(flash, number)? {
                        return Ok(None);
                    }
                    let len = len as usize;
                    let is_wanted = number == self.unread;
                    if is_wanted && len > out.len() {
                        return Err(Error::Buffer(len));
                    }
                    let base = number.wrapping_add(1);
                    self.cursor = Some(Cursor {
                        at: next,
                        base,
                        ..cursor
                    });
                    if is_wanted {
                        self.unread = base;
                        return Ok(Some(Record { number, len }));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Where to read on: never in a page that was given up.
    fn cursor<F: NorFlash>(&mut self, flash: &mut F) -> Outcome<Cursor, F> {
        if let Some(cursor) = self.cursor.filter(|cursor| cursor.seq >= self.head_seq) {
            return Ok(cursor);
        }
        let first = self.first_of(flash, self.head_seq)?;
        let cursor = Cursor {
            seq: self.head_seq,
            at: page_start::<F>(),
            base: first.unwrap_or(self.head),
        };
        self.cursor = Some(cursor);
        Ok(cursor)
    }

    fn next_page<F: NorFlash>(&self, flash: &mut F, cursor: Cursor) -> Outcome<Cursor, F> {
        let seq = cursor.seq.wrapping_add(1);
        Ok(match self.first_of(flash, seq)? {
            Some(base) => Cursor {
                seq,
                at: page_start::<F>(),
                base,
            },
            // A page that cannot be read ends at once.
            None => Cursor {
                seq,
                at: self.area.page_bytes(),
                ..cursor
            },
        })
    }

    /// Gives up the damaged records below `number` if all before them are acknowledged, and says whether that is so:
    /// acknowledging a later record must not acknowledge them.
    fn pass_gap<F: NorFlash>(&mut self, flash: &mut F, number: u32) -> Outcome<bool, F> {
        if self.unread != self.head {
            return Ok(false);
        }
        self.give_up_below(number);
        self.advance_head(flash)?;
        Ok(true)
    }
}
