//! The power fails after each byte and each erase of a scenario in turn, and once more on the way back.
//!
//! After each restart [`World::restart_and_check`] holds: nothing that was kept is lost, no torn record is delivered,
//! order is kept, what was acknowledged does not come again, and secret and settings are there.

use crate::world::{SECRET, Shape, Step, World, cut, script};
use agent_sdk_storage::sim::{Cut, SimError, SimFlash};
use agent_sdk_storage::{Area, Outbox, Overflow};

const SMALL: Shape = Shape {
    page_bytes: 256,
    outbox_pages: 4,
    keys_pages: 2,
    overflow: Overflow::Refuse,
};

/// Cuts the power at every step of the script, and returns how often each erase unit was erased without cuts.
///
/// Every `thorough`-th time the way back is cut, too.
fn cut_everywhere<const WRITE: usize, const ERASE: usize>(
    shape: Shape,
    script: &[Step],
    how: Cut,
    thorough: u64,
) -> Vec<u32> {
    let mut world = World::<WRITE, ERASE>::new(shape);
    let mut cuts = 0_u64;
    for step in script {
        let before = world.clone();
        world.run(step).unwrap();
        for k in 0..world.flash.steps() - before.flash.steps() {
            let mut world = before.clone();
            world.flash.cut_after(k, how);
            assert_eq!(world.run(step), Err(SimError::PowerCut), "{step:?} at {k}");
            world.restart_and_check();
            cuts += 1;
            if cuts.is_multiple_of(thorough) {
                world.flash.cut_after(cuts / thorough % 131, how);
                // Ends before the cut comes, or by it.
                let _ = world.carry_on(1);
                world.restart_and_check();
                world.carry_on(2).unwrap();
                world.restart_and_check();
            }
        }
    }
    assert_eq!(world.flash.faults(), 0);
    assert_eq!(cuts, world.flash.steps());
    world.flash.erases().to_vec()
}

/// The same for a script that goes round both rings twice at least.
fn cut_everywhere_and_around<const WRITE: usize, const ERASE: usize>(
    shape: Shape,
    script: &[Step],
    how: Cut,
    thorough: u64,
) {
    let erases = cut_everywhere::<WRITE, ERASE>(shape, script, how, thorough);
    assert!(erases.iter().all(|count| *count >= 2), "too short a script: {erases:?}");
}

#[test]
fn words_of_one_byte() {
    cut_everywhere_and_around::<1, 256>(SMALL, &script(1, 170, 5..60), Cut::Clean, 3);
}

#[test]
fn words_of_one_byte_that_hold_garbage_when_cut() {
    let shape = Shape {
        overflow: Overflow::DropOldest,
        ..SMALL
    };
    cut_everywhere_and_around::<1, 256>(shape, &script(2, 170, 5..60), cut(2), 3);
}

#[test]
fn words_of_four_bytes() {
    cut_everywhere_and_around::<4, 256>(SMALL, &script(3, 170, 5..60), cut(3), 3);
}

#[test]
fn words_of_four_bytes_where_the_oldest_is_dropped() {
    let shape = Shape {
        overflow: Overflow::DropOldest,
        ..SMALL
    };
    cut_everywhere_and_around::<4, 256>(shape, &script(4, 170, 5..60), Cut::Clean, 3);
}

#[test]
fn words_of_eight_bytes_with_error_correction() {
    let shape = Shape {
        overflow: Overflow::DropOldest,
        ..SMALL
    };
    cut_everywhere_and_around::<8, 256>(shape, &script(5, 170, 5..60), cut(5), 3);
}

#[test]
fn the_least_number_of_pages() {
    for overflow in [Overflow::Refuse, Overflow::DropOldest] {
        let shape = Shape {
            outbox_pages: 2,
            overflow,
            ..SMALL
        };
        cut_everywhere_and_around::<8, 256>(shape, &script(6, 120, 5..60), cut(6), 3);
    }
}

#[test]
fn pages_of_two_erase_units() {
    let shape = Shape {
        page_bytes: 512,
        outbox_pages: 3,
        ..SMALL
    };
    cut_everywhere_and_around::<4, 256>(shape, &script(7, 300, 5..60), cut(7), 5);
}

#[test]
fn pages_of_four_kilobytes() {
    let shape = Shape {
        page_bytes: 4096,
        outbox_pages: 2,
        overflow: Overflow::DropOldest,
        ..SMALL
    };
    let mut script = script(8, 40, 300..900);
    // Large values, so that the key-value store moves on, too.
    script.extend((0..6).map(|step| Step::Put(SECRET, vec![step; 900])));
    let erases = cut_everywhere::<8, 4096>(shape, &script, cut(8), 64);
    assert!(erases.iter().all(|count| *count >= 1), "too short a script: {erases:?}");
}

#[test]
fn an_interrupted_acknowledgement_delivers_once_more_at_most() {
    let mut flash = SimFlash::<4, 256>::new(3);
    let area = Area::new(&flash, 0, 256, 3).unwrap();
    let mut outbox = Outbox::open(&mut flash, area, Overflow::Refuse).unwrap();
    outbox.append(&mut flash, b"reading").unwrap();
    let mut buffer = [0; 16];
    let record = outbox.read_next(&mut flash, &mut buffer).unwrap().unwrap();
    let steps = flash.steps();
    let mut whole = (flash.clone(), outbox.clone());
    whole.1.acknowledge(&mut whole.0, record.number).unwrap();
    let mark_steps = whole.0.steps() - steps;

    for k in 0..mark_steps {
        let (mut flash, mut outbox) = (flash.clone(), outbox.clone());
        flash.cut_after(k, Cut::Clean);
        outbox.acknowledge(&mut flash, record.number).unwrap_err();
        flash.restart();
        let mut outbox = Outbox::open(&mut flash, area, Overflow::Refuse).unwrap();
        let again = outbox.read_next(&mut flash, &mut buffer).unwrap();
        if let Some(again) = again {
            assert_eq!(again, record);
            outbox.acknowledge(&mut flash, again.number).unwrap();
        }
        let mut outbox = Outbox::open(&mut flash, area, Overflow::Refuse).unwrap();
        assert_eq!(outbox.read_next(&mut flash, &mut buffer), Ok(None), "cut at {k}");
        assert_eq!(outbox.append(&mut flash, b"next"), Ok(1));
    }
}

#[test]
fn a_failed_operation_may_be_tried_again_without_opening() {
    let mut flash = SimFlash::<4, 256>::new(3);
    let area = Area::new(&flash, 0, 256, 3).unwrap();
    let mut outbox = Outbox::open(&mut flash, area, Overflow::Refuse).unwrap();
    outbox.append(&mut flash, b"one").unwrap();
    flash.cut_after(9, Cut::Clean);
    outbox.append(&mut flash, b"two").unwrap_err();
    flash.restart();
    assert_eq!(outbox.append(&mut flash, b"two"), Ok(1));
    let mut buffer = [0; 16];
    for text in [b"one", b"two"] {
        let record = outbox.read_next(&mut flash, &mut buffer).unwrap().unwrap();
        assert_eq!(&buffer[..record.len], text);
    }
    assert_eq!(outbox.read_next(&mut flash, &mut buffer), Ok(None));
    assert_eq!(flash.faults(), 0);
}
