//! Whatever is on the flash when it is opened, by age or by another program: it is read to an end, and works from then on.

use crate::fuzz::fuzz;
use agent_sdk_storage::sim::{SimError, SimFlash};
use agent_sdk_storage::{Area, Error, KEYS, KeyValue, Outbox, Overflow};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

type Flash = SimFlash<4, 256>;

const PAGE_BYTES: u32 = 256;
const OUTBOX_PAGES: u32 = 4;
const KEYS_PAGES: u32 = 2;
const FLASH_BYTES: usize = 256 * 6;
/// More than there can be on such a flash.
const RECORDS_MAX: usize = 200;
const RECORD: &[u8] = b"the record after all that";
const VALUE: &[u8] = b"the value after all that";

fn outbox_area(flash: &Flash) -> Area {
    Area::new(flash, 0, PAGE_BYTES, OUTBOX_PAGES).unwrap()
}

fn keys_area(flash: &Flash) -> Area {
    Area::new(flash, PAGE_BYTES * OUTBOX_PAGES, PAGE_BYTES, KEYS_PAGES).unwrap()
}

fn open(flash: &mut Flash) -> Result<Outbox, Error<SimError>> {
    let area = outbox_area(flash);
    Outbox::open(flash, area, Overflow::DropOldest)
}

fn open_keys(flash: &mut Flash) -> Result<KeyValue, Error<SimError>> {
    let area = keys_area(flash);
    KeyValue::open(flash, area)
}

fn sure<T>(done: Result<T, Error<SimError>>) -> Result<T, TestCaseError> {
    done.map_err(|error| TestCaseError::fail(format!("{error:?}")))
}

/// Reads and acknowledges all there is.
fn drain(flash: &mut Flash, outbox: &mut Outbox) -> Result<Vec<Vec<u8>>, TestCaseError> {
    let mut buffer = [0; 256];
    let mut records = Vec::new();
    // A gap costs a round of its own.
    for _ in 0..2 * RECORDS_MAX {
        match sure(outbox.read_next(flash, &mut buffer))? {
            Some(record) => {
                records.push(buffer[..record.len].to_vec());
                sure(outbox.acknowledge(flash, record.number))?;
            }
            None if outbox.pending() == 0 => return Ok(records),
            None => {}
        }
    }
    Err(TestCaseError::fail("it never ends"))
}

/// Opens outbox and keys, and uses them; what another version wrote is given up first.
fn is_of_use(flash: &mut Flash) -> Result<(), TestCaseError> {
    let mut outbox = match open(flash) {
        Err(Error::Format) => {
            let area = outbox_area(flash);
            sure(area.wipe(flash))?;
            sure(open(flash))?
        }
        opened => sure(opened)?,
    };
    drain(flash, &mut outbox)?;
    sure(outbox.append(flash, RECORD))?;
    let mut again = sure(open(flash))?;
    let records = drain(flash, &mut again)?;
    prop_assert_eq!(records.last().map(Vec::as_slice), Some(RECORD));

    let mut keys = match open_keys(flash) {
        Err(Error::Format) => {
            let area = keys_area(flash);
            sure(area.wipe(flash))?;
            sure(open_keys(flash))?
        }
        opened => sure(opened)?,
    };
    let mut buffer = [0; 256];
    for key in 0..KEYS {
        sure(keys.get(flash, key as u8, &mut buffer))?;
    }
    match keys.put(flash, 31, VALUE, &mut [0; 256]) {
        // What was there has filled the page, and stays.
        Err(Error::Full) => {}
        done => {
            sure(done)?;
            let mut again = sure(open_keys(flash))?;
            let len = sure(again.get(flash, 31, &mut buffer))?;
            prop_assert_eq!(len.map(|len| &buffer[..len]), Some(VALUE));
        }
    }
    prop_assert_eq!(flash.faults(), 0, "a real flash would have refused");
    Ok(())
}

/// A flash that was used: each step is a choice, and how long a record or a value is. None of these bytes looks erased.
fn used(steps: &[(u8, usize)]) -> Flash {
    let mut flash = Flash::new(FLASH_BYTES / 256);
    let mut outbox = open(&mut flash).unwrap();
    let mut keys = open_keys(&mut flash).unwrap();
    let mut buffer = [0; 256];
    for (choice, len) in steps {
        let bytes = vec![choice & 0x7F; *len];
        match choice % 4 {
            0 | 1 => {
                outbox.append(&mut flash, &bytes).unwrap();
            }
            2 => {
                if let Some(record) = outbox.read_next(&mut flash, &mut buffer).unwrap() {
                    outbox.acknowledge(&mut flash, record.number).unwrap();
                }
            }
            _ => match keys.put(&mut flash, choice % 8, &bytes, &mut [0; 256]) {
                Ok(()) | Err(Error::Full) => {}
                Err(other) => panic!("{other:?}"),
            },
        }
    }
    flash
}

#[test]
fn fuzz_any_bytes_on_the_flash() {
    let byte = prop_oneof![Just(0xFF_u8), any::<u8>()];
    fuzz(200, &vec(byte, FLASH_BYTES), |bytes| {
        let mut flash = Flash::new(FLASH_BYTES / 256);
        for (offset, byte) in bytes.into_iter().enumerate() {
            // All bytes of a new flash are 0xFF.
            flash.damage(offset, byte ^ 0xFF);
        }
        is_of_use(&mut flash)
    });
}

#[test]
fn fuzz_a_damaged_flash() {
    let steps = vec((any::<u8>(), 1..100_usize), 0..60);
    let damage = vec((any::<Index>(), any::<u8>()), 0..12);
    fuzz(500, &(steps, damage), |(steps, damage)| {
        let mut flash = used(&steps);
        for (at, mask) in damage {
            flash.damage(at.index(FLASH_BYTES), mask);
        }
        is_of_use(&mut flash)
    });
}
