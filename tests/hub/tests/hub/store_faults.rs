//! What can happen to a hub that has publishers: its database is killed, or cut off in mid-commit, the disk is full, the clock
//! jumps. Nothing acknowledged is lost, nothing is stored twice, health, metrics and doctor tell it, and the hub goes on by
//! itself.

use std::process::Command;
use tests_hub::clock::SetClock;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::given::Given;
use tests_hub::hub::Lab;
use tests_hub::soak::{Fleet, audit, site};
use tests_hub::watch::{TOLD_WITHIN, doctor, figure, get, until_metrics_say, until_ready_is};

const PUBLISHERS: usize = 16;

/// All is well again, and everything says so.
async fn until_all_is_well(lab: &Lab) {
    assert_eq!(until_ready_is(lab, 200, TOLD_WITHIN).await, r#"{"ready":true}"#);
    until_metrics_say(lab, &["database_up 1", "lease_held 1", "ingest_held 0"]).await;
    let said = doctor(lab).await;
    assert!(said.contains("ok    hub: the running hub is ready\n"), "{said}");
    assert!(said.contains("ok    lease: ") && !said.contains("FAIL"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_database_killed_under_load_comes_back() {
    let lab = Lab::new().unwrap();
    lab.apply(&site(PUBLISHERS).toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let mut fleet = Fleet::start(lab.mqtt, PUBLISHERS);
    for round in 1..=3 {
        fleet.more(200, TOLD_WITHIN).await.unwrap();
        let failures = figure(&lab, "mqtt_commit_failures_total").await;
        assert!(lab.kill_database() > 3);
        let (alive, _) = get(&lab, "/healthz").await.unwrap();
        assert_eq!(alive, 200, "the process itself is well");
        // It may be back before anybody asks how the hub is, so what lasts is looked at. What a hub says while its database
        // is away is in the next test.
        eventually("commits that failed are told", TOLD_WITHIN, async || {
            (figure(&lab, "mqtt_commit_failures_total").await > failures).then_some(())
        })
        .await;
        let back = fleet.more(200, TOLD_WITHIN).await.unwrap();
        until_all_is_well(&lab).await;
        println!("round {round}: 200 acknowledged {back:?} after the kill");
    }
    let acknowledged = fleet.finish().await.unwrap();
    hub.stop().await.unwrap();
    let stored = audit(&lab).await.unwrap();
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
}

/// Nobody but the test starts it again, so that what the hub says meanwhile can be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_given_database_killed_under_load_is_told_until_it_is_back() {
    let given = Given::start().await.unwrap();
    let lab = given.lab(None).unwrap();
    lab.apply(&site(PUBLISHERS).toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let mut fleet = Fleet::start(lab.mqtt, PUBLISHERS);
    for round in 1..=2 {
        fleet.more(200, TOLD_WITHIN).await.unwrap();
        assert!(given.kill().unwrap() > 3);
        until_metrics_say(&lab, &["database_up 0", "ingest_held 1"]).await;
        let said = until_ready_is(&lab, 503, TOLD_WITHIN).await;
        assert!(said.contains("\"database\""), "{said}");
        let said = doctor(&lab).await;
        assert!(said.contains("FAIL  hub: the hub says that it is not ready"), "{said}");
        assert!(said.contains("FAIL  database: "), "{said}");
        let before = fleet.acknowledged();
        assert!(given.cluster.revive().await.unwrap());
        let back = fleet.more(200, TOLD_WITHIN).await.unwrap();
        until_all_is_well(&lab).await;
        println!("round {round}: {before} acknowledged before it was back, 200 more {back:?} after");
    }
    let acknowledged = fleet.finish().await.unwrap();
    hub.stop().await.unwrap();
    let stored = given.count().await.unwrap();
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
    given.cluster.stop().await.unwrap();
}

/// The connection ends at a commit: half of them had reached the database, which nobody but it knows.
#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_in_mid_commit_are_told_and_cost_nothing() {
    const CUTS: u32 = 30;
    let given = Given::start().await.unwrap();
    let mut lab = given.lab(None).unwrap();
    let wire = given.wire(&mut lab).await.unwrap();
    lab.apply(&site(PUBLISHERS).toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let mut fleet = Fleet::start(lab.mqtt, PUBLISHERS);
    fleet.more(200, TOLD_WITHIN).await.unwrap();
    until_all_is_well(&lab).await;
    let failures = figure(&lab, "mqtt_commit_failures_total").await;
    wire.cut_commits(CUTS);
    // As long as each one is cut, nothing is stored.
    until_metrics_say(&lab, &["ingest_held 1"]).await;
    eventually("all are cut", TOLD_WITHIN, async || (wire.cut() == CUTS).then_some(())).await;
    fleet.more(200, TOLD_WITHIN).await.unwrap();
    let failed = figure(&lab, "mqtt_commit_failures_total").await - failures;
    assert!(failed > f64::from(CUTS) / 2.0, "{failed} of {CUTS} are told");
    until_all_is_well(&lab).await;
    let acknowledged = fleet.finish().await.unwrap();
    hub.stop().await.unwrap();
    let stored = given.count().await.unwrap();
    println!("{acknowledged} acknowledged, {stored:?}, {failed} commits failed");
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
    given.cluster.stop().await.unwrap();
}

/// A year ahead and back again, then a month back: what devices say then is from a future that the hub does not take.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_is_told_and_costs_nothing() {
    const DAY_S: i64 = 86_400;
    // What is put aside is read again one by one.
    const DEVICES: usize = 4;
    let mut lab = Lab::new().unwrap();
    let clock = SetClock::of(&mut lab).unwrap();
    lab.apply(&site(DEVICES).toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let mut fleet = Fleet::start(lab.mqtt, DEVICES);
    fleet.more(200, TOLD_WITHIN).await.unwrap();
    until_all_is_well(&lab).await;
    for (set_s, way, jumps) in [(365 * DAY_S, "ahead", 1), (-30 * DAY_S, "back", 3)] {
        clock.ahead_of_the_machine_s(set_s).unwrap();
        let jumped = format!("clock_jumps_total {jumps}");
        until_metrics_say(&lab, &[&jumped, "database_up 1", "ingest_held 0"]).await;
        let moved = figure(&lab, "clock_moved_seconds").await;
        assert!((moved - set_s.abs() as f64).abs() < 30.0, "{moved}");
        // It goes on, and a person is told.
        let said = until_ready_is(&lab, 200, TOLD_WITHIN).await;
        assert!(
            said.contains("\"clock\"") && said.contains(&format!("was set {way} by")),
            "{said}"
        );
        let said = doctor(&lab).await;
        assert!(
            said.contains("warn  hub: ") && said.contains(&format!("was set {way} by")),
            "{said}"
        );
        assert!(said.contains("FAIL  database clock: "), "{said}");
        fleet.more(200, TOLD_WITHIN).await.unwrap();
        clock.ahead_of_the_machine_s(0).unwrap();
        let jumped = format!("clock_jumps_total {}", jumps + 1);
        until_metrics_say(&lab, &[&jumped, "clock_moved_seconds 0"]).await;
        until_all_is_well(&lab).await;
        fleet.more(200, TOLD_WITHIN).await.unwrap();
    }
    let acknowledged = fleet.finish().await.unwrap();
    let replayed = replay_quarantine(&lab).await;
    hub.stop().await.unwrap();
    let stored = audit(&lab).await.unwrap();
    println!("{acknowledged} acknowledged, {stored:?}, {replayed} of them by way of quarantine");
    assert!(replayed > 0);
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
}

/// Reads again all that was put aside, now that the clock is right; how much was stored.
async fn replay_quarantine(lab: &Lab) -> u64 {
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    let (mut stored, mut after) = (0, serde_json::Value::Null);
    for page in 0.. {
        let body = serde_json::json!({ "filter": {}, "after": after });
        let (status, told) = console
            .post("/api/v1/quarantine/replay", &format!("page-{page}"), &body)
            .await
            .unwrap();
        assert_eq!((status, &told["refused"]), (200, &serde_json::json!([])), "{told}");
        stored += told["stored"].as_u64().unwrap();
        after = told["next"].clone();
        if after.is_null() {
            break;
        }
    }
    stored
}

/// A file system of its own, unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &std::path::Path, mib: u32) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m,mode=755"), "forecall-test"])
            .arg(at)
            .status();
        match mounted {
            Ok(status) if status.success() => Some(Self(at.to_owned())),
            _ => None,
        }
    }

    fn resize(&self, mib: u32) {
        let mounted = Command::new("mount")
            .args(["-o", &format!("remount,size={mib}m")])
            .arg(&self.0)
            .status();
        assert!(mounted.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// As much as the doctor finds enough.
const LARGE_MIB: u32 = 2_048;
/// So that there is little to fill.
const SMALL_MIB: u32 = 600;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_the_hub_goes_on_when_there_is_room() {
    let lab = Lab::bare().unwrap();
    let Some(disk) = SmallDisk::mount(&lab.state(), LARGE_MIB) else {
        println!("skipped: mounting a tmpfs is not allowed here");
        return;
    };
    lab.apply(&site(PUBLISHERS).toml()).await.unwrap();
    let mut hub = lab.serve().await.unwrap();
    let mut fleet = Fleet::start(lab.mqtt, PUBLISHERS);
    fleet.more(200, TOLD_WITHIN).await.unwrap();
    until_all_is_well(&lab).await;
    hub.expect_errors().unwrap();
    disk.resize(SMALL_MIB);
    // All that is left, as another program would take it.
    let filler = lab.state().join("filler");
    let filled = Command::new("dd")
        .args(["if=/dev/zero", "bs=64k", "status=none"])
        .arg(format!("of={}", filler.display()))
        .output()
        .unwrap();
    assert!(!filled.status.success(), "the disk is not full");
    let said = until_ready_is(&lab, 503, TOLD_WITHIN).await;
    assert!(said.contains("\"store\""), "{said}");
    until_metrics_say(&lab, &["ingest_held 1"]).await;
    let said = doctor(&lab).await;
    assert!(said.contains("FAIL  disk: "), "{said}");
    assert!(said.contains("FAIL  hub: the hub says that it is not ready"), "{said}");
    let errors = hub.errors();
    assert!(errors.len() <= 1, "{errors:?}");
    std::fs::remove_file(&filler).unwrap();
    disk.resize(LARGE_MIB);
    let back = fleet.more(400, TOLD_WITHIN).await.unwrap();
    until_all_is_well(&lab).await;
    println!(
        "400 acknowledged {back:?} after there was room again; {} error lines",
        hub.errors().len()
    );
    let acknowledged = fleet.finish().await.unwrap();
    hub.stop().await.unwrap();
    let stored = audit(&lab).await.unwrap();
    println!("{acknowledged} acknowledged, {stored:?}");
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
}
