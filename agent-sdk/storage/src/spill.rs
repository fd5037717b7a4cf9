//! The agent's outbox reaches into flash: telemetry that waits for the hub survives the power, and what memory has no room
//! for is not lost. Which messages those are is decided in `agent-sdk-core`.

use crate::area::Area;
use crate::error::Error;
use crate::outbox::{Outbox, Overflow};
use agent_sdk_core::{RECORD_HEAD_BYTES, Spillable, Token};
use embedded_storage::nor_flash::NorFlash;

/// Messages from flash that may be on their way at one time.
const ON_THEIR_WAY_MAX: usize = 4;

/// A message that was put back, until the hub has it.
#[derive(Debug, Clone, Copy)]
struct OnItsWay {
    token: Token,
    number: u32,
    is_delivered: bool,
}

/// The flash behind the outbox of a session or an agent. Takes about 150 bytes of RAM.
///
/// Without a connection waiting telemetry goes to flash at the next [`Self::turn`]; with one it goes through flash only while
/// older messages are there, so that the order is kept, or while memory is full. Where flash is full and may not drop, the
/// newest wait in memory and may go first. A message is forgotten in flash once the hub has it: after a power cut the last
/// ones are sent once more, and the hub knows them by their numbers.
///
/// ```
/// use agent_sdk_core::{Agent, AgentEvent, Lane};
/// use agent_sdk_storage::{Error, Spill, nor_flash::NorFlash};
///
/// /// In the main loop, after each `poll_event` and before `poll_transmit`.
/// fn keep<F: NorFlash>(
///     spill: &mut Spill,
///     flash: &mut F,
///     agent: &mut Agent<'_>,
///     now: u64,
/// ) -> Result<(), Error<F::Error>> {
///     while let Some(event) = agent.poll_event(now) {
///         if let AgentEvent::Delivered(token) = event {
///             spill.handle_delivered(flash, token)?;
///         }
///     }
///     let mut scratch = [0; 514]; // The longest message, and two bytes.
///     spill.turn(flash, agent, &mut scratch)?;
///     match spill.take_dropped() {
///         0 => {}
///         count => agent.count_dropped(Lane::Telemetry, count),
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Spill {
    outbox: Outbox,
    /// Oldest first.
    on_their_way: [Option<OnItsWay>; ON_THEIR_WAY_MAX],
    /// Of the drops of this area, how many were there before or were taken.
    told: u32,
    /// What was in flash and could not be sent.
    given_up: u32,
}

impl Spill {
    /// Reads what the area holds; see [`Outbox::open`]. An area is for one purpose: not that of secrets.
    ///
    /// # Errors
    /// The driver failed, or a page has another format ([`Error::Format`]).
    pub fn open<F: NorFlash>(flash: &mut F, area: Area, overflow: Overflow) -> Result<Self, Error<F::Error>> {
        let mut spill = Self::unread(area, overflow);
        spill.read(flash)?;
        Ok(spill)
    }

    /// As [`Self::open`], where [`Self::read`] is called next: for a caller in whose memory it is placed.
    #[must_use]
    pub fn unread(area: Area, overflow: Overflow) -> Self {
        Self {
            outbox: Outbox::empty(area, overflow),
            on_their_way: [None, None, None, None],
            told: 0,
            given_up: 0,
        }
    }

    /// Reads what the area holds.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Error<F::Error>> {
        self.outbox.refresh(flash)?;
        self.told = self.outbox.dropped();
        Ok(())
    }

    /// Moves messages to flash and back, as the connection is. `scratch` is as long as the longest message with its topic,
    /// and [`agent_sdk_core::WAITING_HEAD_BYTES`]; a longer one stays in memory.
    ///
    /// # Errors
    /// [`Error::Flash`]; [`Error::Buffer`] if a message in flash is longer than `scratch`. No message is lost: what was not
    /// moved is where it was.
    pub fn turn<F: NorFlash>(
        &mut self,
        flash: &mut F,
        from: &mut impl Spillable,
        scratch: &mut [u8],
    ) -> Result<(), Error<F::Error>> {
        let longest = scratch.len().saturating_add(RECORD_HEAD_BYTES);
        let is_full = from.outbox_free_bytes() < longest;
        if !from.is_online() || self.pending() > 0 || is_full {
            self.move_out(flash, from, scratch)?;
        }
        while from.is_online() && self.has_place() && from.outbox_free_bytes() >= longest {
            let Some(record) = self.outbox.read_next(flash, scratch)? else {
                break;
            };
            let kept = scratch.get(..record.len).unwrap_or_default();
            let token = from.put_back(kept).ok();
            if token.is_none() {
                self.given_up = self.given_up.saturating_add(1);
            }
            self.note(OnItsWay {
                token: token.unwrap_or(Token(0)),
                number: record.number,
                is_delivered: token.is_none(),
            });
        }
        self.forget_delivered(flash)
    }

    /// The hub has a message, of this [`Spill`] or not.
    ///
    /// # Errors
    /// [`Error::Flash`]: the message may be sent once more.
    pub fn handle_delivered<F: NorFlash>(&mut self, flash: &mut F, token: Token) -> Result<(), Error<F::Error>> {
        for one in self.on_their_way.iter_mut().flatten() {
            one.is_delivered |= one.token == token;
        }
        self.forget_delivered(flash)
    }

    /// Messages in flash that the hub does not have yet, as far as is known.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.outbox.pending()
    }

    /// Messages that were dropped for want of room since the last call, or found damaged: the hub is to be told.
    #[must_use]
    pub fn take_dropped(&mut self) -> u32 {
        let all = self.outbox.dropped();
        let new = all.saturating_sub(self.told);
        self.told = all;
        new.saturating_add(core::mem::take(&mut self.given_up))
    }

    fn move_out<F: NorFlash>(
        &mut self,
        flash: &mut F,
        from: &mut impl Spillable,
        scratch: &mut [u8],
    ) -> Result<(), Error<F::Error>> {
        while let Some(len) = from.copy_waiting(scratch) {
            match self.outbox.append(flash, scratch.get(..len).unwrap_or_default()) {
                Ok(_) => from.discard_waiting(),
                // It waits in memory, whose policy decides what gives way.
                Err(Error::Full | Error::Length) => return Ok(()),
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    fn has_place(&self) -> bool {
        self.on_their_way.iter().any(Option::is_none)
    }

    fn note(&mut self, one: OnItsWay) {
        if let Some(place) = self.on_their_way.iter_mut().find(|place| place.is_none()) {
            *place = Some(one);
        }
    }

    /// Acknowledges the oldest ones that the hub has: flash forgets all records up to a number.
    fn forget_delivered<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Error<F::Error>> {
        let mut last = None;
        while let [Some(first), second, third, fourth] = self.on_their_way {
            if !first.is_delivered {
                break;
            }
            last = Some(first.number);
            self.on_their_way = [second, third, fourth, None];
        }
        let Some(number) = last else {
            return Ok(());
        };
        match self.outbox.acknowledge(flash, number) {
            // The driver failed meanwhile, and reading began again: it will be read, sent and acknowledged again.
            Err(Error::Unread) => Ok(()),
            done => done,
        }
    }
}
