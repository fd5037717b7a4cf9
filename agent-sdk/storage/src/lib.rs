//! The device agent's flash: records that wait for the hub ([`Outbox`], and [`Spill`] behind a session's own), secrets and
//! settings ([`KeyValue`]), all so written that the power may fail at any byte.
//!
//! `no_std`, without allocation, and without a panic: slices are reached with `get`, and sums are bounded by the page,
//! wrap, or saturate. Flash is reached by the blocking traits of `embedded-storage`, and is an argument of each operation, so that
//! several areas share one driver. No word is written twice between two erases, hence flash with error correction will
//! do; write sizes are 1 to [`WRITE_SIZE_MAX`] bytes, and a page is one or more erase units.
//!
//! ```
//! use agent_sdk_storage::{Area, Error, Outbox, Overflow, nor_flash::NorFlash};
//!
//! fn send<F: NorFlash>(flash: &mut F, reading: &[u8]) -> Result<(), Error<F::Error>> {
//!     let area = Area::new(flash, 0x6_0000, 4096, 16)?;
//!     let mut outbox = Outbox::open(flash, area, Overflow::DropOldest)?;
//!     outbox.append(flash, reading)?;
//!     let mut buffer = [0; 256];
//!     while let Some(record) = outbox.read_next(flash, &mut buffer)? {
//!         // Publish `buffer[..record.len]`, and once the hub has it:
//!         outbox.acknowledge(flash, record.number)?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! **Why not `sequential-storage`.** Its queue alone was measured at 7.1 KB of the 8 KB that this crate may take, keeps
//! panic paths, and leaves no room for its map, the format version and counted drops. Its `pop` also needs flash whose
//! words may be written twice, and its format changes with its major versions.
//!
//! **What is promised.**
//! * A record whose [`Outbox::append`] returned `Ok` is read again after every restart until it is acknowledged, or, if
//!   the outbox may do so, dropped and counted. A cut record is never read.
//! * A record whose [`Outbox::acknowledge`] was cut is read once more at most.
//! * A key has the value whose [`KeyValue::put`] returned `Ok`, or, after a cut, this one or the one of the cut `put`:
//!   never none.
//!
//! **What is assumed.** Words of one write call may be programmed in any order, but one call follows the other; what a
//! cut word holds is undefined, yet reads the same each time, and if it reads as erased it may be written. A cut erase
//! may leave anything in its page.
//!
//! **Wear.** Pages are used in a ring, so all are erased equally often. 1,000 records of 64 bytes, each acknowledged by
//! itself, cost 22 erases of pages of 4,096 bytes, 91 of 1,024, 500 of 256; acknowledged eight at a time 19 of 4,096.
//!
//! **Secrets** that were replaced stay readable in flash until their page comes round again.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "sim"))]
extern crate alloc;

mod area;
mod crc;
mod error;
mod keys;
mod outbox;
mod record;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod spill;

pub use area::{Area, FORMAT_VERSION, PAGE_BYTES_MAX, PAGE_BYTES_MIN};
pub use embedded_storage::nor_flash;
pub use error::Error;
pub use keys::{KEYS, KeyValue};
pub use outbox::{Outbox, Overflow, Record};
pub use record::{RECORD_BYTES_MAX, WRITE_SIZE_MAX};
pub use spill::Spill;
