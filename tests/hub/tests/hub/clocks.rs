//! Real starts and jumps of the machine's clock, on the own cluster and on a given database: no acknowledged reading is deleted
//! for its age before a second clock or a person vouches, everything says why, and then the rule is followed. The table of all
//! clocks is a test of `hub_core::witness`.

use std::time::Duration;
use tests_hub::clock::SetClock;
use tests_hub::eventually;
use tests_hub::fleet::{log_in, recent};
use tests_hub::given::Given;
use tests_hub::hub::{Lab, RunningHub};
use tests_hub::payloads::message;
use tests_hub::soak::{audit, site};
use tests_hub::watch::{TOLD_WITHIN, all_is_scored, figure, until_ready_is};

const DAY_S: i64 = 86_400;
const TEN_YEARS_S: i64 = 3_652 * DAY_S;
/// As few as may vouch for the time.
const DEVICES: usize = 3;
/// Of each device, in one message.
const READINGS: u32 = 5;
/// All of them, once.
const OF_ALL: u64 = DEVICES as u64 * READINGS as u64;
/// The hub asks who vouches a pause of the aggregates after its start, and then once a minute: a look that came too early for a
/// jump, or for what devices say, is followed by the right one within this.
const LOOKED_WITHIN: Duration = Duration::from_secs(150);
/// Before the first look of a run.
const PAUSE_S: u32 = 2;
/// The same where devices are to be heard before it.
const LONG_PAUSE_S: u32 = 10;
const WAITS: &str = "deletion by age stopped";
const WAS_SET: &str = "the machine's clock was set since the hub started";

/// A hub that is started again and again by other clocks, and what was sent to it.
struct Story {
    given: Option<Given>,
    lab: Lab,
    clock: SetClock,
    /// Readings that were acknowledged and have to be there.
    kept: u64,
    /// Boots of devices.
    boots: u64,
    /// Bytes of the log before the last start.
    log_before: usize,
}

impl Story {
    /// Readings are kept for ten days. `then_s` from now is when its first hub runs.
    async fn begin(given: Option<Given>, then_s: i64) -> Self {
        let mut lab = match &given {
            Some(given) => given.lab(None).unwrap(),
            None => Lab::new().unwrap(),
        };
        let clock = SetClock::of(&mut lab).unwrap();
        clock.ahead_of_the_machine_s(then_s).unwrap();
        let rule = "[[tenant.retention]]\ndays = 10\n";
        lab.apply(&format!("{}{rule}", site(DEVICES).toml())).await.unwrap();
        Self {
            given,
            lab,
            clock,
            kept: 0,
            boots: 0,
            log_before: 0,
        }
    }

    fn log(&self) -> Vec<u8> {
        std::fs::read(self.lab.path().join("hub.log")).unwrap_or_default()
    }

    /// A line may come a moment after the figure that tells the same.
    async fn logged(&self, line: &str) {
        eventually(&format!("the log says: {line}"), TOLD_WITHIN, async || {
            let log = self.log();
            let of_this_run = String::from_utf8_lossy(&log[self.log_before..]);
            of_this_run.contains(line).then_some(())
        })
        .await;
    }

    async fn start(&mut self, clock_s: i64, pause_s: u32) -> RunningHub {
        self.clock.ahead_of_the_machine_s(clock_s).unwrap();
        self.lab.set("FORECALL_AGGREGATE_PAUSE_S", pause_s);
        self.log_before = self.log().len();
        self.lab.serve().await.unwrap()
    }

    /// Sends readings as devices whose clocks are so far from now; returns when they are acknowledged.
    async fn send(&mut self, clocks_s: &[i64]) {
        self.boots += 1;
        for (device, clock_s) in clocks_s.iter().enumerate() {
            let name = format!("soak-{device:03}");
            let mut client = log_in(self.lab.mqtt, &name).await.unwrap();
            let t0_ms = recent().as_millisecond() + (clock_s - 60) * 1_000;
            let (topic, payload) = (format!("d/{name}/t"), message(self.boots, 0, t0_ms, READINGS));
            let messages: [(&str, &[u8]); 1] = [(&topic, &payload)];
            client.publish_all(&messages, 1).await.unwrap();
            self.kept += u64::from(READINGS);
        }
    }

    async fn until(&self, name: &str, wanted: u64) {
        eventually(&format!("{name} is {wanted}"), LOOKED_WITHIN, async || {
            (figure(&self.lab, name).await == wanted as f64).then_some(())
        })
        .await;
    }

    async fn nothing_went(&self) {
        for name in ["rows_deleted_total", "weeks_dropped_total"] {
            assert_eq!(figure(&self.lab, name).await, 0.0, "{name}");
        }
    }

    /// Deletion waits, and notice, figure and log say why.
    async fn waits(&self, why: &str) {
        self.until("deletion_waits", 1).await;
        let said = until_ready_is(&self.lab, 200, TOLD_WITHIN).await;
        assert!(
            said.contains("\"retention\"") && said.contains(WAITS) && said.contains(why),
            "{said}"
        );
        self.logged(WAITS).await;
        self.logged(why).await;
        self.nothing_went().await;
    }

    /// A sweep was made, and there was nothing for it.
    async fn sweeps_and_takes_nothing(&self) {
        self.until("sweeps_total", 1).await;
        assert_eq!(figure(&self.lab, "first_sweep_rows").await, 0.0);
        assert_eq!(figure(&self.lab, "deletion_waits").await, 0.0);
        self.nothing_went().await;
    }

    /// Ends the run, and looks at the rows themselves.
    async fn stop(&self, hub: RunningHub, when: &str) {
        hub.stop().await.unwrap();
        let stored = match &self.given {
            Some(given) => given.count().await.unwrap(),
            None => audit(&self.lab).await.unwrap(),
        };
        assert_eq!((stored.rows, stored.distinct), (self.kept, self.kept), "{when}");
    }

    /// What a hub does at `then_s` by clocks that are wrong, or of which nobody knows whether they are right. `witness` is who
    /// knows better than a clock that is ten years ahead.
    async fn wrong_clocks_delete_nothing(&mut self, then_s: i64, witness: &str) {
        let wrong_s = then_s + TEN_YEARS_S;
        let hub = self.start(then_s, PAUSE_S).await;
        let five_days_s = then_s - 5 * DAY_S;
        self.send(&[five_days_s, five_days_s - 3_600, five_days_s - 7_200])
            .await;
        self.until("deletion_waits", 1).await;
        self.logged(WAITS).await;
        self.nothing_went().await;
        let said = until_ready_is(&self.lab, 200, TOLD_WITHIN).await;
        assert_eq!(said, r#"{"ready":true}"#, "a new database is no fault");
        self.stop(hub, "new, and devices disagree").await;

        let hub = self.start(then_s, LONG_PAUSE_S).await;
        self.send(&[then_s; DEVICES]).await;
        self.sweeps_and_takes_nothing().await;
        all_is_scored(&self.lab).await;
        self.stop(hub, "a right clock, and devices agree").await;

        // As a supervisor starts it again.
        for start in 1..=2 {
            let hub = self.start(wrong_s, PAUSE_S).await;
            self.waits(&format!("day(s) ahead of {witness}")).await;
            self.stop(hub, &format!("started ten years ahead, {start}")).await;
        }

        let hub = self.start(then_s, PAUSE_S).await;
        self.clock.ahead_of_the_machine_s(wrong_s).unwrap();
        self.waits(WAS_SET).await;
        let said = until_ready_is(&self.lab, 200, TOLD_WITHIN).await;
        assert!(
            said.contains("\"clock\"") && said.contains("was set ahead by"),
            "{said}"
        );
        self.stop(hub, "ten years ahead while it runs").await;

        let behind_s = then_s - 30 * DAY_S;
        let hub = self.start(behind_s, PAUSE_S).await;
        self.sweeps_and_takes_nothing().await;
        self.stop(hub, "started behind").await;
        let hub = self.start(behind_s, PAUSE_S).await;
        self.clock.ahead_of_the_machine_s(then_s).unwrap();
        self.waits(WAS_SET).await;
        self.stop(hub, "started behind, and set right").await;
    }

    /// All that was sent so far is told and then goes, and what is sent last stays: the rule by a right clock. `hub` has made
    /// no sweep yet.
    async fn what_is_too_old_goes(&mut self, hub: RunningHub, fresh: &[i64]) {
        let old = self.kept;
        self.send(fresh).await;
        self.until("first_sweep_rows", old).await;
        let said = until_ready_is(&self.lab, 200, TOLD_WITHIN).await;
        let told = format!("the first sweep since the start takes {old} reading(s) for their age");
        assert!(said.contains("\"retention\"") && said.contains(&told), "{said}");
        self.logged("first deletion by retention since the start").await;
        self.nothing_went().await;
        assert_eq!(figure(&self.lab, "deletion_waits").await, 0.0);
        // What is not scored yet would wait for the next hour.
        all_is_scored(&self.lab).await;
        self.until("sweeps_total", 1).await;
        self.logged("readings deleted by retention").await;
        eventually("no notice is left", TOLD_WITHIN, async || {
            let said = until_ready_is(&self.lab, 200, TOLD_WITHIN).await;
            (said == r#"{"ready":true}"#).then_some(())
        })
        .await;
        self.kept -= old;
        self.stop(hub, "what the rule keeps").await;
    }
}

/// Off for longer than anybody believes: a person's word.
#[tokio::test(flavor = "multi_thread")]
async fn an_own_database_deletes_nothing_by_a_wrong_clock_until_a_person_confirms() {
    const THEN_S: i64 = -300 * DAY_S;
    let known = "what was known before the start";
    let mut story = Story::begin(None, THEN_S).await;
    story.wrong_clocks_delete_nothing(THEN_S, known).await;
    assert_eq!(story.kept, 2 * OF_ALL);

    let hub = story.start(0, PAUSE_S).await;
    story.waits(&format!("ahead of {known}")).await;
    let said = until_ready_is(&story.lab, 200, TOLD_WITHIN).await;
    assert!(said.contains("forecall retention confirm"), "{said}");
    let confirm = ["retention", "confirm", "--by", "A. Person"];
    let said = story.lab.run(&confirm).await.unwrap();
    assert!(said.contains("A. Person"), "{said}");
    story.stop(hub, "off for 300 days").await;

    let hub = story.start(0, PAUSE_S).await;
    // One device vouches for nothing.
    story.what_is_too_old_goes(hub, &[0]).await;
    story.logged("machine's clock confirmed by a person").await;
}

/// Off for a season, which is no fault: devices tell the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_given_database_deletes_nothing_by_a_wrong_clock_until_devices_tell_the_time() {
    const THEN_S: i64 = -90 * DAY_S;
    let given = Given::start().await.unwrap();
    let mut story = Story::begin(Some(given), THEN_S).await;
    story.wrong_clocks_delete_nothing(THEN_S, "the database's clock").await;
    assert_eq!(story.kept, 2 * OF_ALL);

    // Nobody is there yet: it goes by what has passed for certain.
    let hub = story.start(0, PAUSE_S).await;
    story.sweeps_and_takes_nothing().await;
    let said = until_ready_is(&story.lab, 200, TOLD_WITHIN).await;
    assert_eq!(said, r#"{"ready":true}"#);
    story.stop(hub, "off for a season").await;

    let hub = story.start(0, LONG_PAUSE_S).await;
    story.what_is_too_old_goes(hub, &[0; DEVICES]).await;
    let given = story.given.take().unwrap();
    given.cluster.stop().await.unwrap();
}
