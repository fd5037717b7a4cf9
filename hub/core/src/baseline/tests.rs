use super::*;
use serde_json::json;

fn hour(hours: i64) -> Timestamp {
    let begin: Timestamp = "2026-03-02T02:00:00Z".parse().unwrap();
    begin + SignedDuration::from_hours(hours)
}

#[test]
fn the_first_version_and_the_same_again_restart_nothing() {
    let mut firmware = Firmware::first("1.2", hour(0));
    assert_eq!(firmware.change(false, hour(1)), FirmwareChange::Nothing);
    firmware.tell("1.2", hour(2));
    assert_eq!(firmware, Firmware::first("1.2", hour(0)));
}

#[test]
fn another_version_restarts_once_and_what_is_older_changes_nothing() {
    let mut firmware = Firmware::first("1.2", hour(0));
    firmware.tell("1.3", hour(5));
    firmware.tell("1.1", hour(4));
    assert_eq!(firmware.change(false, hour(5)), FirmwareChange::Due);
    firmware.restart(hour(5));
    assert_eq!((firmware.baseline.as_str(), firmware.restarts), ("1.3", 1));
    assert_eq!(firmware.change(false, hour(5)), FirmwareChange::Nothing);
}

#[test]
fn what_was_found_is_closed_first() {
    let mut firmware = Firmware::first("1.2", hour(0));
    firmware.tell("1.3", hour(5));
    assert_eq!(firmware.change(true, hour(900)), FirmwareChange::WaitsForFault);
    // Closed as repaired: the baseline has started over for that.
    let mut repaired = firmware.clone();
    repaired.settle();
    assert_eq!(repaired.change(false, hour(901)), FirmwareChange::Nothing);
    assert_eq!(firmware.change(false, hour(901)), FirmwareChange::Due);
}

#[test]
fn of_versions_that_come_within_a_day_the_newest_counts() {
    let mut firmware = Firmware::first("1.2", hour(0));
    firmware.tell("1.3", hour(1));
    firmware.restart(hour(1));
    for (version, at) in [("1.4", 2), ("1.3", 3), ("1.5", 4)] {
        firmware.tell(version, hour(at));
    }
    assert_eq!(firmware.change(false, hour(4)), FirmwareChange::WaitsUntil(hour(25)));
    assert_eq!(firmware.change(false, hour(25)), FirmwareChange::Due);
    firmware.restart(hour(25));
    assert_eq!((firmware.baseline.as_str(), firmware.restarts), ("1.5", 2));
    // Back at the version of the baseline before its time has come: nothing is left to do.
    firmware.tell("1.6", hour(26));
    firmware.tell("1.5", hour(27));
    assert_eq!(firmware.change(false, hour(900)), FirmwareChange::Nothing);
}

#[test]
fn a_firmware_that_flaps_leaves_stretches_of_sixteen_days() {
    let mut firmware = Firmware::first("a", hour(0));
    let mut restarts = Vec::new();
    for at in 1..24 * 200 {
        firmware.tell(if at % 2 == 0 { "a" } else { "b" }, hour(at));
        if firmware.change(false, hour(at)) == FirmwareChange::Due {
            firmware.restart(hour(at));
            restarts.push(at);
        }
    }
    let stretches: Vec<i64> = restarts.windows(2).map(|pair| (pair[1] - pair[0]) / 24).collect();
    assert_eq!(stretches[..5], [1, 2, 4, 8, 16]);
    assert!(stretches[5..].iter().all(|days| *days == 16), "{stretches:?}");
}

#[test]
fn an_update_each_quarter_restarts_at_once() {
    let mut firmware = Firmware::first("0", hour(0));
    for quarter in 1..9 {
        let at = hour(quarter * 24 * 91);
        firmware.tell(&quarter.to_string(), at);
        assert_eq!(firmware.change(false, at), FirmwareChange::Due);
        firmware.restart(at);
        assert_eq!(firmware.restarts, 1);
    }
}

#[test]
fn a_version_is_a_text_of_some_length() {
    assert_eq!(version(" 1.2 "), Some("1.2"));
    assert_eq!(version(" "), None);
    assert_eq!(
        version(&"1".repeat(FIRMWARE_LEN_MAX)).map(str::len),
        Some(FIRMWARE_LEN_MAX)
    );
    assert_eq!(version(&"1".repeat(FIRMWARE_LEN_MAX + 1)), None);
}

#[test]
fn a_reason_is_stored_by_its_word() {
    let firmware = RestartReason::Firmware {
        from: "1".into(),
        to: "2".into(),
    };
    let stored = [
        (RestartReason::Repaired, json!({ "reason": "repaired" })),
        (RestartReason::NewOwner, json!({ "reason": "new_owner" })),
        (RestartReason::OtherProfile, json!({ "reason": "other_profile" })),
        (firmware, json!({ "reason": "firmware", "from": "1", "to": "2" })),
    ];
    for (reason, words) in stored {
        assert_eq!(serde_json::to_value(&reason).unwrap(), words);
        assert_eq!(serde_json::from_value::<RestartReason>(words).unwrap(), reason);
    }
}
