//! What an outbox does while the power stays.

use agent_sdk_storage::sim::{Cut, SimError, SimFlash};
use agent_sdk_storage::{Area, Error, Outbox, Overflow, Record};

type Flash = SimFlash<4, 256>;

fn open(flash: &mut Flash, pages: u32, overflow: Overflow) -> Outbox {
    let area = Area::new(flash, 0, 256, pages).unwrap();
    Outbox::open(flash, area, overflow).unwrap()
}

fn read(flash: &mut Flash, outbox: &mut Outbox) -> Option<(u32, Vec<u8>)> {
    let mut buffer = [0; 256];
    let record = outbox.read_next(flash, &mut buffer).unwrap();
    record.map(|Record { number, len }| (number, buffer[..len].to_vec()))
}

/// Appends records of 40 bytes, each filled with its number, until one is refused.
fn fill(flash: &mut Flash, outbox: &mut Outbox) -> u8 {
    for number in 0..=u8::MAX {
        match outbox.append(flash, &[number; 40]) {
            Ok(_) => {}
            Err(Error::Full) => return number,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("never full");
}

#[test]
fn an_area_must_fit_the_flash() {
    let flash = Flash::new(4);
    let tries = [(0, 256, 4), (256, 256, 3), (0, 512, 2)];
    for (start, page_bytes, pages) in tries {
        assert!(
            Area::new(&flash, start, page_bytes, pages).is_ok(),
            "{start} {page_bytes} {pages}"
        );
    }
    let tries = [
        (0, 256, 5),
        (256, 256, 4),
        (0, 256, 1),
        (0, 256, 0),
        (4, 256, 2),
        (0, 128, 2),
        (0, 384, 2),
        (0, 0, 2),
        (0, 256, u32::MAX),
        (u32::MAX - 255, 256, 2),
    ];
    for (start, page_bytes, pages) in tries {
        let area = Area::new(&flash, start, page_bytes, pages);
        assert_eq!(area, Err(Error::Geometry), "{start} {page_bytes} {pages}");
    }
    let wide = SimFlash::<64, 256>::new(4);
    assert_eq!(Area::new(&wide, 0, 256, 4), Err(Error::Geometry));
}

#[test]
fn words_of_32_bytes_will_do() {
    let mut flash = SimFlash::<32, 512>::new(3);
    let area = Area::new(&flash, 0, 512, 3).unwrap();
    let mut outbox = Outbox::open(&mut flash, area, Overflow::DropOldest).unwrap();
    let mut buffer = [0; 64];
    for number in 0..100 {
        outbox.append(&mut flash, &[number as u8; 33]).unwrap();
        let record = outbox.read_next(&mut flash, &mut buffer).unwrap();
        assert_eq!(record, Some(Record { number, len: 33 }));
        assert_eq!(buffer[..33], [number as u8; 33]);
        outbox.acknowledge(&mut flash, number).unwrap();
    }
    assert_eq!((outbox.pending(), outbox.dropped(), flash.faults()), (0, 0, 0));
}

#[test]
fn a_record_is_not_empty_and_fits_a_page() {
    let mut flash = Flash::new(2);
    let area = Area::new(&flash, 0, 256, 2).unwrap();
    let mut outbox = open(&mut flash, 2, Overflow::Refuse);
    assert_eq!(area.record_bytes_max::<Flash>(), 216);
    assert_eq!(outbox.append(&mut flash, &[]), Err(Error::Length));
    assert_eq!(outbox.append(&mut flash, &[1; 217]), Err(Error::Length));
    assert_eq!(flash.steps(), 0, "nothing was written");
    assert_eq!(outbox.append(&mut flash, &[1; 216]), Ok(0));
    assert_eq!(read(&mut flash, &mut outbox), Some((0, vec![1; 216])));
}

#[test]
fn several_may_be_in_flight_and_are_read_again_after_a_rewind() {
    let mut flash = Flash::new(3);
    let mut outbox = open(&mut flash, 3, Overflow::Refuse);
    for number in 0..6 {
        outbox.append(&mut flash, &[number; 40]).unwrap();
    }
    for number in 0..3 {
        assert_eq!(
            read(&mut flash, &mut outbox),
            Some((u32::from(number), vec![number; 40]))
        );
    }
    assert_eq!(outbox.acknowledge(&mut flash, 3), Err(Error::Unread));
    outbox.acknowledge(&mut flash, 1).unwrap();
    outbox.acknowledge(&mut flash, 0).unwrap();
    assert_eq!(outbox.pending(), 4);
    outbox.rewind();
    for number in 2..6 {
        assert_eq!(
            read(&mut flash, &mut outbox),
            Some((u32::from(number), vec![number; 40]))
        );
    }
    assert_eq!(read(&mut flash, &mut outbox), None);
    outbox.acknowledge(&mut flash, 5).unwrap();
    assert_eq!(outbox.pending(), 0);
}

#[test]
fn a_short_buffer_consumes_nothing() {
    let mut flash = Flash::new(2);
    let mut outbox = open(&mut flash, 2, Overflow::Refuse);
    outbox.append(&mut flash, b"twelve bytes").unwrap();
    assert_eq!(outbox.read_next(&mut flash, &mut [0; 11]), Err(Error::Buffer(12)));
    assert_eq!(read(&mut flash, &mut outbox), Some((0, b"twelve bytes".to_vec())));
}

#[test]
fn a_full_outbox_refuses_and_goes_on_when_a_page_is_acknowledged() {
    let mut flash = Flash::new(4);
    let mut outbox = open(&mut flash, 4, Overflow::Refuse);
    let kept = fill(&mut flash, &mut outbox);
    // Four records of 48 bytes in each page, and one page free.
    assert_eq!(kept, 3 * 4);
    for number in 0..kept {
        assert_eq!(
            read(&mut flash, &mut outbox),
            Some((u32::from(number), vec![number; 40]))
        );
        outbox.acknowledge(&mut flash, u32::from(number)).unwrap();
        let is_page_free = number >= 3;
        let new = outbox.clone().append(&mut flash.clone(), &[number; 40]);
        assert_eq!(new.is_ok(), is_page_free, "{number}");
    }
    assert_eq!((outbox.pending(), outbox.dropped(), flash.faults()), (0, 0, 0));
}

#[test]
fn the_oldest_page_is_dropped_and_counted() {
    let mut flash = Flash::new(4);
    let mut outbox = open(&mut flash, 4, Overflow::DropOldest);
    for number in 0..100 {
        assert_eq!(outbox.append(&mut flash, &[number; 40]), Ok(u32::from(number)));
    }
    let dropped = outbox.dropped();
    assert_eq!(outbox.pending() + dropped, 100);
    assert!((9..=12).contains(&outbox.pending()), "{}", outbox.pending());

    let mut again = open(&mut flash, 4, Overflow::DropOldest);
    assert_eq!((again.pending(), again.dropped()), (outbox.pending(), dropped));
    let oldest = dropped as u8;
    for number in oldest..100 {
        assert_eq!(
            read(&mut flash, &mut again),
            Some((u32::from(number), vec![number; 40]))
        );
    }
    assert_eq!(read(&mut flash, &mut again), None);
    assert_eq!(flash.faults(), 0);
}

#[test]
fn an_acknowledgement_of_what_was_dropped_meanwhile_does_nothing() {
    let mut flash = Flash::new(2);
    let mut outbox = open(&mut flash, 2, Overflow::DropOldest);
    outbox.append(&mut flash, &[0; 40]).unwrap();
    assert_eq!(read(&mut flash, &mut outbox), Some((0, vec![0; 40])));
    for _ in 0..4 {
        outbox.append(&mut flash, &[1; 40]).unwrap();
    }
    assert_eq!((outbox.pending(), outbox.dropped()), (1, 4));
    outbox.acknowledge(&mut flash, 0).unwrap();
    assert_eq!((outbox.pending(), outbox.dropped()), (1, 4));
    assert_eq!(read(&mut flash, &mut outbox), Some((4, vec![1; 40])));
}

#[test]
fn a_damaged_record_costs_itself_only() {
    // In its payload, and in its header.
    for offset in [32 + 48 + 20, 32 + 48 + 1] {
        let mut flash = Flash::new(3);
        let mut outbox = open(&mut flash, 3, Overflow::Refuse);
        for number in 0..6 {
            outbox.append(&mut flash, &[number; 40]).unwrap();
        }
        // The first page lies at the second place.
        flash.damage(256 + offset, 0x10);
        let mut outbox = open(&mut flash, 3, Overflow::Refuse);
        assert_eq!(read(&mut flash, &mut outbox), Some((0, vec![0; 40])));
        assert_eq!(
            read(&mut flash, &mut outbox),
            None,
            "acknowledging 2 must not acknowledge 1"
        );
        outbox.acknowledge(&mut flash, 0).unwrap();
        for number in 2..6 {
            assert_eq!(
                read(&mut flash, &mut outbox),
                Some((u32::from(number), vec![number; 40]))
            );
        }
        assert_eq!((outbox.pending(), outbox.dropped()), (4, 1));
        outbox.acknowledge(&mut flash, 5).unwrap();
        let again = open(&mut flash, 3, Overflow::Refuse);
        assert_eq!((again.pending(), again.dropped()), (0, 1));
    }
}

#[test]
fn the_driver_s_error_is_handed_on() {
    let mut flash = Flash::new(2);
    let mut outbox = open(&mut flash, 2, Overflow::Refuse);
    flash.cut_after(0, Cut::Clean);
    assert_eq!(outbox.append(&mut flash, b"one"), Err(Error::Flash(SimError::PowerCut)));
    assert_eq!(outbox.append(&mut flash, b"one"), Err(Error::Flash(SimError::PowerCut)));
}

/// Bytes that an independent program has worked out: a change here is a new format version.
#[test]
fn what_is_on_the_flash_is_the_format() {
    let mut flash = Flash::new(2);
    let mut outbox = open(&mut flash, 2, Overflow::Refuse);
    outbox.append(&mut flash, b"abc").unwrap();
    assert!(read(&mut flash, &mut outbox).is_some());
    outbox.acknowledge(&mut flash, 0).unwrap();
    let page = [
        [0x80, 0x14, 0x00, 0x9F, 0x2E, 0x6A, 0x4D, 0x4D],
        [b'F', b'L', 1, 1, 1, 0, 0, 0],
        [0; 8],
        [0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
        [0x00, 0x03, 0x00, 0x38, 0xB1, 0x7A, 0x71, 0xC1],
        [b'a', b'b', b'c', 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        [0x40, 0x08, 0x00, 0xC2, 0xB2, 0x10, 0xDF, 0x04],
        [1, 0, 0, 0, 0, 0, 0, 0],
    ];
    assert_eq!(flash.cells()[256..256 + 64], page.concat());
    assert!(flash.cells()[256 + 64..].iter().all(|byte| *byte == 0xFF));
}
