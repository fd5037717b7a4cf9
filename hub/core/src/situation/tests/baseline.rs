//! Firmware that changes, on each situation that it may meet.

use super::*;
use crate::baseline::{Firmware, Restart, RestartReason};

fn changed() -> Firmware {
    let mut firmware = Firmware::first("1.2", morning());
    firmware.tell("1.3", morning());
    firmware
}

fn follow(unit: &mut Unit) -> Changes {
    let mut changes = Changes::default();
    let restarts = unit
        .situation
        .follow_firmware(changed(), unit.now, &mut changes)
        .unwrap();
    assert_eq!(restarts, !changes.is_empty());
    changes
}

#[test]
fn another_firmware_restarts_the_baseline_and_says_so() {
    let mut unit = Unit::new();
    let changes = follow(&mut unit);
    let reason = RestartReason::Firmware {
        from: "1.2".into(),
        to: "1.3".into(),
    };
    let restart = Restart { at: morning(), reason };
    assert_eq!(changes.restarted, BTreeMap::from([(ApplianceId(1), restart)]));
    assert_eq!(changes.firmware[&ApplianceId(1)].baseline, "1.3");
    assert_eq!(told(&changes), ["firmware.changed"]);
    // What the detector before says does not count.
    assert!(unit.sees(alarm("pump", 0.95, Severity::Major)).is_empty());
}

#[test]
fn the_same_firmware_restarts_nothing() {
    let mut unit = Unit::new();
    let mut changes = Changes::default();
    let same = Firmware::first("1.2", morning());
    assert!(!unit.situation.follow_firmware(same, morning(), &mut changes).unwrap());
    assert!(changes.is_empty());
}

/// Neither is what was found forgotten, nor a fault that lasts taken for normal.
#[test]
fn it_waits_until_what_was_found_is_closed() {
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let before = stands(&unit.situation);
    assert!(follow(&mut unit).is_empty());
    assert_eq!(stands(&unit.situation), before);
    // The readings are back at normal, and the ticket is not closed.
    unit.sees(CLEAR);
    assert!(follow(&mut unit).is_empty());
    // Closed and left as it is: the fault is known to be there.
    let mut left = Unit::new();
    left.sees(alarm("pump", 0.95, Severity::Major));
    left.close(0, Resolution::ConfirmedDeferred, Verdict::Right);
    assert!(follow(&mut left).is_empty());

    unit.close(0, Resolution::FalseAlarm, Verdict::Wrong);
    assert_eq!(told(&follow(&mut unit)), ["firmware.changed"]);
}
