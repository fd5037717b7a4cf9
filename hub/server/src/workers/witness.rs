//! Who vouches for the time before anything is deleted for its age: asks the clocks that there are, and tells what comes of it.
//! The rule is [`hub_core::witness`].

use super::in_time;
use crate::clock_watch::ClockWatch;
use hub_broker::DeviceTimes;
use hub_core::metric::{Metric, MetricKind};
use hub_core::witness::{Clocks, LEAD_MAX, Reason, Verdict, Witness, agreed};
use hub_store::error::Result;
use hub_store::lease::Lease;
use hub_store::retention::{Confirmation, UpkeepStore};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The clocks of one run of the hub.
#[derive(Default)]
pub struct Witnesses {
    /// Whether the machine's clock was set; not where that clock is a demo's.
    watch: Option<Arc<ClockWatch>>,
    devices: Arc<DeviceTimes>,
    /// The database is a given one, and so has a clock of its own.
    is_given: bool,
    /// What was vouched for before the start, or by a person since, and the moment from which time has passed since.
    before: Mutex<Option<(Timestamp, Instant)>>,
    /// What devices agreed on that is earlier than what was known, and when. It stands when they are silent, or a wrong clock
    /// that once became known would count again.
    doubt: Mutex<Option<(Timestamp, Instant)>>,
    started: Option<Instant>,
    looked: Mutex<Looked>,
}

/// What came of the last look.
#[derive(Debug, Clone, Copy, Default)]
struct Looked {
    /// Why deletion waits.
    waits: Option<Reason>,
    /// Days of the shortest rule, where it waits since the database is new.
    shortest_days: Option<u32>,
    /// By how much what devices say holds deletion back, where that is more than [`LEAD_MAX`].
    behind: Option<SignedDuration>,
}

/// A new database is no fault. But where a run goes on for longer than this, or than the shortest rule, there is something to
/// delete and nobody who vouches.
const NEW_DAYS: u32 = 30;
const DAY_S: u64 = 24 * 3_600;

impl Witnesses {
    /// Those of a hub that has just taken its lease.
    pub fn new(lease: Lease, watch: Option<Arc<ClockWatch>>, devices: Arc<DeviceTimes>, is_given: bool) -> Self {
        Self {
            watch,
            devices,
            is_given,
            before: Mutex::new(lease.vouched_at.map(|at| (at, Instant::now()))),
            doubt: Mutex::default(),
            started: Some(Instant::now()),
            looked: Mutex::default(),
        }
    }

    /// Looks at all clocks, and tells the store how far deletion may go: up to what is answered, `None` for nothing.
    ///
    /// # Errors
    /// Where the store does not answer, or the lease is lost. Then nothing changes.
    pub async fn look<S: UpkeepStore>(&self, store: &S, now: Timestamp) -> Result<Option<Timestamp>> {
        let database = match self.is_given {
            true => in_time(store.database_clock()).await?,
            false => None,
        };
        let confirmed = in_time(store.sweep_confirmed(now)).await?;
        let is_said = confirmed.is_some();
        let before = self.before(confirmed);
        let clocks = Clocks {
            now,
            is_moved: self.watch.as_ref().is_some_and(|watch| watch.notice().is_some()),
            database,
            devices: self.heard(agreed(self.devices.show()), before, is_said),
            before,
        };
        let (until, waits) = match clocks.verdict() {
            Verdict::May { until, .. } => (Some(until), None),
            Verdict::Wait(reason) => (None, Some(reason)),
        };
        let shortest_days = match waits {
            Some(Reason::NoWitness) => in_time(store.shortest_rule()).await?,
            _ => None,
        };
        in_time(store.vouch(clocks.vouched(), until)).await?;
        let lag = until
            .zip(before)
            .map(|(until, before)| now.min(before).duration_since(until));
        self.tell(Looked {
            waits,
            shortest_days,
            behind: lag.filter(|lag| *lag > LEAD_MAX),
        });
        Ok(until)
    }

    /// What is known to have passed: a person's word says more where it is later.
    fn before(&self, confirmed: Option<Confirmation>) -> Option<Timestamp> {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let known = before.and_then(passed_since);
        let Some(said) = confirmed.filter(|said| known.is_none_or(|known| known < said.at)) else {
            return known;
        };
        tracing::info!(by = said.by, at = %said.at, "machine's clock confirmed by a person");
        *before = Some((said.at, Instant::now()));
        Some(said.at)
    }

    /// What devices say, or have said against what was known, unless a person's word counts. `agreed` is what they agree on now.
    fn heard(&self, agreed: Option<Timestamp>, before: Option<Timestamp>, is_said: bool) -> Option<Timestamp> {
        let mut doubt = self.doubt.lock().unwrap_or_else(PoisonError::into_inner);
        if is_said {
            *doubt = None;
        }
        let Some(devices) = agreed else {
            return doubt.and_then(passed_since);
        };
        let is_behind = before.is_some_and(|before| before.duration_since(devices) > LEAD_MAX);
        *doubt = is_behind.then(|| (devices, Instant::now()));
        Some(devices)
    }

    /// Says what has changed since the last look.
    fn tell(&self, looked: Looked) {
        let before = std::mem::replace(&mut *self.looked.lock().unwrap_or_else(PoisonError::into_inner), looked);
        if let (Some(behind), None) = (looked.behind, before.behind) {
            tracing::warn!(why = behind_in_words(behind), "deletion by age held back");
        }
        if kind(before.waits) == kind(looked.waits) {
            return;
        }
        match looked.waits {
            Some(Reason::NoWitness) => {
                tracing::info!(why = in_words(Reason::NoWitness), "deletion by age stopped")
            }
            Some(reason) => tracing::warn!(why = in_words(reason), "deletion by age stopped"),
            None => tracing::info!("deletion by age resumed"),
        }
    }

    /// For a person: a clock that was set, and that deletion waits.
    pub fn notices(&self) -> Vec<(&'static str, String)> {
        let set = self.watch.as_ref().and_then(|watch| watch.notice());
        set.into_iter().chain(self.notice()).collect()
    }

    /// As long as deletion waits for something that a person can see to, or is held back.
    fn notice(&self) -> Option<(&'static str, String)> {
        self.notice_at(self.started.map(|at| at.elapsed()).unwrap_or_default())
    }

    /// The same in a run that has gone on for so long.
    fn notice_at(&self, age: Duration) -> Option<(&'static str, String)> {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let why = match (looked.waits, looked.behind) {
            (None, None) => return None,
            (None, Some(behind)) => behind_in_words(behind),
            (Some(reason), _) => {
                // No fault at first: nothing was there before the start.
                if reason == Reason::NoWitness {
                    let days = looked.shortest_days?.min(NEW_DAYS);
                    if age < Duration::from_secs(u64::from(days) * DAY_S) {
                        return None;
                    }
                }
                format!("deletion by age stopped: {}", in_words(reason))
            }
        };
        Some(("retention", why))
    }

    /// For monitoring.
    pub fn metrics(&self) -> Vec<Metric> {
        let mut all = self.watch.as_ref().map(|watch| watch.metrics()).unwrap_or_default();
        all.push(self.metric());
        all.push(self.behind_metric());
        all
    }

    fn behind_metric(&self) -> Metric {
        let behind = self.looked.lock().unwrap_or_else(PoisonError::into_inner).behind;
        let seconds = behind
            .and_then(|behind| u64::try_from(behind.as_secs()).ok())
            .unwrap_or(0);
        let help =
            "How far devices' clocks hold deletion back behind the machine's clock and what was known; 0 up to a day.";
        Metric::new("deletion_behind_seconds", MetricKind::Gauge, help).with(&[], seconds)
    }

    fn metric(&self) -> Metric {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let help = "1 while nothing is deleted for its age, since no second clock vouches for the machine's.";
        Metric::new("deletion_waits", MetricKind::Gauge, help).with(&[], u64::from(looked.waits.is_some()))
    }
}

/// The time that has been vouched for, and what has passed since by a clock that nobody sets.
fn passed_since((at, since): (Timestamp, Instant)) -> Option<Timestamp> {
    let passed = SignedDuration::try_from(since.elapsed()).ok()?;
    at.checked_add(passed).ok()
}

/// The same for reasons that differ in figures only, which change with every look.
fn kind(waits: Option<Reason>) -> Option<Reason> {
    waits.map(|reason| match reason {
        Reason::Ahead { of, .. } => Reason::Ahead {
            of,
            by: SignedDuration::ZERO,
        },
        Reason::Moved | Reason::NoWitness => reason,
    })
}

fn behind_in_words(behind: SignedDuration) -> String {
    format!(
        "what goes for its age goes {} day(s) late: devices agree on a time that is so far behind the machine's clock and what \
         was known; they send what they kept, or their clocks are wrong; where they have gone, and the machine's clock is right, \
         say so with `forecall retention confirm`",
        behind.as_hours() / 24
    )
}

fn in_words(reason: Reason) -> String {
    let (whom, by, known) = match reason {
        Reason::Moved => return "the machine's clock was set since the hub started".to_owned(),
        Reason::NoWitness => {
            return "this database is new, so no clock but the machine's vouches for the time; from the next start on, or with \
                    three devices that tell the time, one does; if the machine's is right, say so with \
                    `forecall retention confirm`"
                .to_owned();
        }
        Reason::Ahead { of, by } => {
            let whom = match of {
                Witness::Database => "the database's clock",
                Witness::Devices => "the clocks of the devices",
                Witness::Before => "what was known before the start, and beyond 120 days only a person's word counts",
            };
            (whom, by, of == Witness::Before)
        }
    };
    format!(
        "the machine's clock is {} day(s) ahead of {whom}; if it is wrong, set it right and restart the hub{}",
        by.as_hours() / 24,
        // Who tells the time now is not overruled.
        if known {
            ", if it is right, say so with `forecall retention confirm`"
        } else {
            ""
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::clock::ManualClock;
    use hub_core::metric::MetricValue;
    use hub_core::retention::Retention;
    use hub_store::conformance::scene::{morning, profiles, site, take_lease};
    use hub_store::lease::LeaseStore;
    use hub_store::memory::MemoryStore;
    use hub_store::site::SiteStore;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    /// A new store whose lease is held, and the next hub on it after the first has gone.
    async fn second(vouched: Option<Timestamp>) -> MemoryStore {
        let first = MemoryStore::new(profiles(), 1);
        take_lease(&first).await;
        if vouched.is_some() {
            first.vouch(vouched, None).await.unwrap();
        }
        let second = first.beside();
        drop(first);
        take_lease(&second).await;
        second
    }

    async fn started(store: &MemoryStore) -> Witnesses {
        let lease = store.take_lease(morning()).await.unwrap().unwrap();
        Witnesses::new(lease, None, Arc::default(), false)
    }

    #[tokio::test]
    async fn a_new_database_waits_without_a_word_and_the_next_start_has_a_witness() {
        let new = MemoryStore::new(profiles(), 1);
        take_lease(&new).await;
        let witnesses = started(&new).await;
        assert_eq!(witnesses.look(&new, morning()).await.unwrap(), None);
        assert!(witnesses.notice().is_none());
        assert_eq!(witnesses.metric().samples[0].value, MetricValue::Number(1.0));
        let store = second(None).await;
        let witnesses = started(&store).await;
        assert_eq!(witnesses.look(&store, morning()).await.unwrap(), Some(morning()));
        assert_eq!(witnesses.metric().samples[0].value, MetricValue::Number(0.0));
    }

    /// A supervisor starts a hub again and again while the clock is wrong: no run is the witness of the next.
    #[tokio::test]
    async fn a_wrong_clock_is_told_and_vouches_for_nothing_however_often_the_hub_starts() {
        let mut store = second(Some(morning())).await;
        let wrong = morning() + DAY * 3_652;
        for _ in 0..3 {
            let witnesses = started(&store).await;
            assert_eq!(witnesses.look(&store, wrong).await.unwrap(), None);
            let (part, why) = witnesses.notice().unwrap();
            assert!(part == "retention" && why.contains("day(s) ahead"), "{why}");
            let next = store.beside();
            drop(store);
            assert!(next.take_lease(wrong).await.unwrap().is_some());
            store = next;
        }
        // Set right, it goes on where it was.
        let witnesses = started(&store).await;
        let until = witnesses.look(&store, morning() + DAY).await.unwrap().unwrap();
        assert!(
            (morning()..morning() + SignedDuration::from_mins(5)).contains(&until),
            "{until}"
        );
        assert!(witnesses.notice().is_none());
    }

    #[tokio::test]
    async fn a_clock_that_was_set_makes_deletion_wait_until_it_is_back() {
        let store = second(Some(morning())).await;
        let clock = Arc::new(ManualClock::new(morning()));
        let witnesses = Witnesses {
            watch: Some(Arc::new(ClockWatch::new(clock.clone()))),
            ..started(&store).await
        };
        assert!(witnesses.look(&store, morning()).await.unwrap().is_some());
        clock.advance(Duration::from_secs(3_600));
        let now = morning() + SignedDuration::from_hours(1);
        assert_eq!(witnesses.look(&store, now).await.unwrap(), None);
        let (_, why) = witnesses.notice().unwrap();
        assert!(why.contains("was set"), "{why}");
    }

    /// A site that was off for years, or a backup as old.
    #[tokio::test]
    async fn a_person_vouches_where_nobody_else_does() {
        let store = second(Some(morning())).await;
        let witnesses = started(&store).await;
        let now = morning() + DAY * 500;
        assert_eq!(witnesses.look(&store, now).await.unwrap(), None);
        let (_, why) = witnesses.notice().unwrap();
        assert!(why.contains("forecall retention confirm"), "{why}");
        store.confirm_sweep("A. Person", now).await.unwrap();
        let hour = SignedDuration::from_hours(1);
        assert_eq!(
            witnesses.look(&store, now - hour).await.unwrap(),
            None,
            "not before it was said"
        );
        let until = witnesses.look(&store, now + hour).await.unwrap();
        assert_eq!(until, Some(now), "up to when it was said, and what has passed since");
        // It stands when the word does not count any more, and for the next start.
        let until = witnesses.look(&store, now + DAY * 3).await.unwrap().unwrap();
        assert!((now..now + SignedDuration::from_mins(5)).contains(&until), "{until}");
        let next = store.beside();
        drop(store);
        let lease = next.take_lease(morning()).await.unwrap().unwrap();
        assert!(lease.vouched_at.unwrap() >= now);
    }

    /// A hub that is never started again would never delete, and say nothing.
    #[tokio::test]
    async fn a_new_database_with_a_rule_is_told_once_there_is_something_to_delete() {
        let store = MemoryStore::new(profiles(), 1);
        take_lease(&store).await;
        let witnesses = started(&store).await;
        let days = |days: u64| Duration::from_secs(days * DAY_S);
        for (rule, told_after) in [(None, None), (Some(400), Some(30)), (Some(10), Some(10))] {
            let mut site = site();
            site.tenants[0].retentions = vec![Retention {
                profile: None,
                days: rule,
            }];
            store.apply_site(&site, morning(), false).await.unwrap();
            assert_eq!(witnesses.look(&store, morning()).await.unwrap(), None);
            assert!(witnesses.notice().is_none(), "{rule:?}");
            let Some(after) = told_after else {
                assert!(witnesses.notice_at(days(1_000)).is_none(), "without a rule");
                continue;
            };
            assert!(witnesses.notice_at(days(after - 1)).is_none(), "{rule:?}");
            let (part, why) = witnesses.notice_at(days(after)).unwrap();
            assert!(
                part == "retention" && why.contains("forecall retention confirm"),
                "{why}"
            );
        }
    }

    /// A wrong clock vouched once, and devices say less: it goes by them, also when they are silent, and that is told.
    #[tokio::test]
    async fn devices_that_say_less_than_was_known_hold_deletion_back_and_that_is_told() {
        let wrong = morning() + DAY * 3_652;
        let near = morning()..morning() + SignedDuration::from_mins(5);
        let store = second(Some(wrong)).await;
        let witnesses = started(&store).await;
        assert_eq!(witnesses.look(&store, wrong).await.unwrap(), Some(wrong));
        assert!(witnesses.notice().is_none());
        // Less than a day is none.
        let day = wrong - DAY;
        assert_eq!(witnesses.heard(Some(day), Some(wrong), false), Some(day));
        assert_eq!(witnesses.heard(None, Some(wrong), false), None);
        assert_eq!(witnesses.heard(Some(morning()), Some(wrong), false), Some(morning()));
        let until = witnesses.look(&store, wrong).await.unwrap().unwrap();
        assert!(near.contains(&until), "{until}");
        let (part, why) = witnesses.notice().unwrap();
        assert!(part == "retention" && why.contains("3651 day(s) late"), "{why}");
        let MetricValue::Number(seconds) = witnesses.behind_metric().samples[0].value else {
            panic!("a gauge is a number");
        };
        assert!(seconds > 3_650.0 * 86_400.0, "{seconds}");
        // What was known is less from now on.
        let next = store.beside();
        drop(store);
        let lease = next.take_lease(morning()).await.unwrap().unwrap();
        assert!(near.contains(&lease.vouched_at.unwrap()), "{lease:?}");
        // A person's word takes the doubt away.
        assert_eq!(witnesses.heard(None, Some(wrong), true), None);
        assert_eq!(witnesses.heard(None, Some(wrong), false), None);
    }

    #[tokio::test]
    async fn one_that_lost_the_lease_vouches_for_nothing() {
        let store = second(Some(morning())).await;
        let witnesses = started(&store).await;
        let beside = store.beside();
        assert!(witnesses.look(&beside, morning()).await.is_err());
    }
}
