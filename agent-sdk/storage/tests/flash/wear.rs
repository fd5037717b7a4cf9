//! What a record costs in erases, stated and bounded.

use agent_sdk_storage::sim::SimFlash;
use agent_sdk_storage::{Area, KeyValue, Outbox, Overflow};

const RECORDS: u32 = 1_000;
const RECORD: [u8; 64] = [0x5A; 64];
/// Header and payload of a record; header and payload of a mark; the first record of a page.
const RECORD_FOOTPRINT: u32 = 8 + 64;
const MARK_FOOTPRINT: u32 = 8 + 8;
const PAGE_FOOTPRINT: u32 = 8 + 24;

/// Appends records and acknowledges them `batch` at a time; returns how often each erase unit was erased.
fn erases<const ERASE: usize>(pages: u32, batch: u32) -> Vec<u32> {
    let mut flash = SimFlash::<4, ERASE>::new(pages as usize);
    let area = Area::new(&flash, 0, ERASE as u32, pages).unwrap();
    let mut outbox = Outbox::open(&mut flash, area, Overflow::Refuse).unwrap();
    let mut buffer = [0; 64];
    for number in 0..RECORDS {
        outbox.append(&mut flash, &RECORD).unwrap();
        assert!(outbox.read_next(&mut flash, &mut buffer).unwrap().is_some());
        if (number + 1).is_multiple_of(batch) {
            outbox.acknowledge(&mut flash, number).unwrap();
        }
    }
    assert_eq!(outbox.pending(), RECORDS % batch);
    assert_eq!(flash.faults(), 0);
    flash.erases().to_vec()
}

/// Pages that so many bytes fill, each losing at most the room of a record at its end.
fn pages_filled(bytes: u32, page_bytes: u32) -> u32 {
    bytes.div_ceil(page_bytes - PAGE_FOOTPRINT - (RECORD_FOOTPRINT - 8))
}

fn total(erases: &[u32]) -> u32 {
    let most = erases.iter().max().copied().unwrap_or(0);
    let least = erases.iter().min().copied().unwrap_or(0);
    assert!(most - least <= 1, "uneven wear: {erases:?}");
    erases.iter().sum()
}

#[test]
fn erases_of_a_thousand_records_are_bounded() {
    let one_by_one = RECORDS * (RECORD_FOOTPRINT + MARK_FOOTPRINT);
    let by_eight = RECORDS * RECORD_FOOTPRINT + RECORDS / 8 * MARK_FOOTPRINT;
    let cases = [
        (
            "4096",
            "one by one",
            total(&erases::<4096>(8, 1)),
            pages_filled(one_by_one, 4096),
        ),
        (
            "4096",
            "by eight",
            total(&erases::<4096>(8, 8)),
            pages_filled(by_eight, 4096),
        ),
        (
            "1024",
            "one by one",
            total(&erases::<1024>(16, 1)),
            pages_filled(one_by_one, 1024),
        ),
        (
            "256",
            "one by one",
            total(&erases::<256>(16, 1)),
            pages_filled(one_by_one, 256),
        ),
    ];
    for (page, acknowledged, count, bound) in cases {
        println!("pages of {page} bytes, 64-byte records, acknowledged {acknowledged}: {count} erases per 1,000");
        assert!(
            count <= bound,
            "{count} erases of pages of {page} bytes, at most {bound} are allowed"
        );
    }
}

#[test]
fn a_thousand_settings_wear_their_pages_evenly() {
    let mut flash = SimFlash::<4, 1024>::new(2);
    let area = Area::new(&flash, 0, 1024, 2).unwrap();
    let mut keys = KeyValue::open(&mut flash, area).unwrap();
    for count in 0..1_000_u32 {
        keys.put(&mut flash, 1, &count.to_le_bytes(), &mut [0; 32]).unwrap();
        if count == 0 {
            keys.put(&mut flash, 0, &[7; 32], &mut [0; 32]).unwrap();
        }
    }
    let count = total(flash.erases());
    // A page holds the secret and 59 values of 16 bytes.
    println!("two pages of 1024 bytes: {count} erases per 1,000 values of 4 bytes");
    assert!(count <= 1_000_u32.div_ceil(59) + 1, "{count}");
    assert_eq!(flash.faults(), 0);
}
