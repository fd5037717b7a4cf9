//! Settings that the hub pushes: applied, acknowledged, handed over, and there again after a restart.

use crate::rig::{CONFIG, PLENTY, Rig, Told, births};
use agent_sdk_core::{Metric, MetricId, Overflow};

const VALUE: &str = r#"{"version":7,"batch_age_s":2,"metrics":{"3":{"deadband":5,"interval_s":60}}}"#;

const METRIC: Metric = Metric {
    channel: 3,
    deadband: 100,
    interval_ms: 1_000_000,
    overflow: Overflow::DropOldest,
};

fn with_metric(mut rig: Rig) -> (Rig, MetricId) {
    let metric = rig.agent.metric(METRIC).expect("there is memory");
    (rig, metric)
}

/// Whether the settings above are in force.
fn is_in_force(rig: &mut Rig, metric: MetricId) -> bool {
    rig.agent.report(metric, 0, rig.now);
    let is_near_left_out = !rig.agent.report(metric, 5, rig.now);
    is_near_left_out && rig.agent.report(metric, 6, rig.now)
}

#[test]
fn settings_are_asked_for_on_each_connection_and_acknowledged() {
    let (mut rig, metric) = with_metric(Rig::new(&CONFIG, PLENTY, 512));
    rig.hub.shared = Some(format!(r#"{{"reporting":{VALUE}}}"#));
    rig.connect();
    let expected = Told::Settings(7, VALUE.to_owned());
    assert_eq!(rig.told().last(), Some(&expected));
    let arrivals = rig.arrivals();
    let versions: Vec<u64> = births(&arrivals).iter().map(|birth| birth.settings).collect();
    assert_eq!(versions, [0, 7], "once when it came, once when they did");
    assert_eq!(rig.agent.settings_version(), 7);
    let start = rig.now;
    assert!(is_in_force(&mut rig, metric));
    assert_eq!(rig.agent.next_deadline(), Some(start + 2_000), "the age of a batch");
    rig.now += 60_000;
    assert!(rig.agent.report(metric, 6, rig.now), "the interval");

    rig.cut();
    rig.connect();
    assert!(!rig.told().contains(&expected), "they are in force already");
    assert_eq!(births(&rig.arrivals())[0].settings, 7);
}

#[test]
fn settings_that_change_are_applied_at_once() {
    let (mut rig, metric) = with_metric(Rig::online());
    let changed = format!(r#"{{"other":1,"reporting":{VALUE}}}"#);
    rig.say("v1/devices/me/attributes", changed.as_bytes());
    assert_eq!(rig.told(), [Told::Settings(7, VALUE.to_owned())]);
    assert_eq!(births(&rig.arrivals())[0].settings, 7);
    assert!(is_in_force(&mut rig, metric));
    rig.say("v1/devices/me/attributes", changed.as_bytes());
    assert!(rig.told().is_empty(), "the same version");
    rig.say("v1/devices/me/attributes", br#"{"reporting":{"version":8}}"#);
    assert_eq!(rig.agent.settings_version(), 8);
}

#[test]
fn what_is_no_settings_changes_nothing() {
    let (mut rig, metric) = with_metric(Rig::online());
    for payload in [
        "",
        "{}",
        "[]",
        r#"{"reporting":7}"#,
        r#"{"reporting":{"metrics":{"3":{"deadband":5}}}}"#,
        r#"{"reporting":{"version":0,"metrics":{"3":{"deadband":5}}}}"#,
    ] {
        rig.say("v1/devices/me/attributes", payload.as_bytes());
        assert!(rig.told().is_empty(), "{payload}");
    }
    assert!(!is_in_force(&mut rig, metric));
    assert!(births(&rig.arrivals()).is_empty());
}

#[test]
fn what_was_kept_is_in_force_from_the_start() {
    let (mut rig, metric) = with_metric(Rig::new(&CONFIG, PLENTY, 512));
    assert!(!rig.agent.restore_settings(b"\xFF\xFF"), "flash that was never written");
    assert!(rig.agent.restore_settings(VALUE.as_bytes()));
    assert!(is_in_force(&mut rig, metric));
    rig.hub.shared = Some(format!(r#"{{"reporting":{VALUE}}}"#));
    rig.connect();
    let arrivals = rig.arrivals();
    let versions: Vec<u64> = births(&arrivals).iter().map(|birth| birth.settings).collect();
    assert_eq!(versions, [7]);
    assert!(!rig.told().iter().any(|told| matches!(told, Told::Settings(..))));
}
