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
    /// Why deletion waits, since the last look.
    waits: Mutex<Option<Reason>>,
}

impl Witnesses {
    /// Those of a hub that has just taken its lease.
    pub fn new(lease: Lease, watch: Option<Arc<ClockWatch>>, devices: Arc<DeviceTimes>, is_given: bool) -> Self {
        Self {
            watch,
            devices,
            is_given,
            before: Mutex::new(lease.vouched_at.map(|at| (at, Instant::now()))),
            waits: Mutex::default(),
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
        let clocks = Clocks {
            now,
            is_moved: self.watch.as_ref().is_some_and(|watch| watch.notice().is_some()),
            database,
            devices: agreed(self.devices.show()),
            before: self.before(confirmed),
        };
        let (until, waits) = match clocks.verdict() {
            Verdict::May { until, .. } => (Some(until), None),
            Verdict::Wait(reason) => (None, Some(reason)),
        };
        let vouched = clocks.vouched();
        in_time(store.vouch(vouched, until)).await?;
        // As long as a person's word counts, it is not taken back.
        if !is_said {
            self.lower(clocks.before, vouched);
        }
        self.tell(waits);
        Ok(until)
    }

    /// What is known to have passed: a person's word says more where it is later.
    fn before(&self, confirmed: Option<Confirmation>) -> Option<Timestamp> {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let known = before.and_then(passed_since);
        let Some(said) = confirmed.filter(|said| known.is_none_or(|known| known < said.at)) else {
            return known;
        };
        tracing::info!(by = said.by, at = %said.at, "a person vouches for the machine's clock");
        *before = Some((said.at, Instant::now()));
        Some(said.at)
    }

    /// What was known may have been too late: then it does not count again in this run either, when those have gone that said so.
    fn lower(&self, known: Option<Timestamp>, vouched: Option<Timestamp>) {
        if let Some((known, vouched)) = known.zip(vouched)
            && known.duration_since(vouched) > LEAD_MAX
        {
            tracing::warn!(%known, %vouched, "what was known of the time is later than what witnesses say now");
            *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Some((vouched, Instant::now()));
        }
    }

    /// Says what has changed since the last look.
    fn tell(&self, waits: Option<Reason>) {
        let before = std::mem::replace(&mut *self.waits.lock().unwrap_or_else(PoisonError::into_inner), waits);
        if kind(before) == kind(waits) {
            return;
        }
        match waits {
            Some(Reason::NoWitness) => {
                tracing::info!(why = in_words(Reason::NoWitness), "nothing is deleted for its age")
            }
            Some(reason) => tracing::warn!(why = in_words(reason), "nothing is deleted for its age"),
            None => tracing::info!("what is too old is deleted again"),
        }
    }

    /// For a person: a clock that was set, and that deletion waits.
    pub fn notices(&self) -> Vec<(&'static str, String)> {
        let set = self.watch.as_ref().and_then(|watch| watch.notice());
        set.into_iter().chain(self.notice()).collect()
    }

    /// As long as deletion waits for something that a person can see to.
    fn notice(&self) -> Option<(&'static str, String)> {
        match *self.waits.lock().unwrap_or_else(PoisonError::into_inner) {
            // No fault: nothing was there before the start.
            None | Some(Reason::NoWitness) => None,
            Some(reason) => Some((
                "retention",
                format!("nothing is deleted for its age: {}", in_words(reason)),
            )),
        }
    }

    /// For monitoring.
    pub fn metrics(&self) -> Vec<Metric> {
        let mut all = self.watch.as_ref().map(|watch| watch.metrics()).unwrap_or_default();
        all.push(self.metric());
        all
    }

    fn metric(&self) -> Metric {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let help = "1 while nothing is deleted for its age, since no second clock vouches for the machine's.";
        Metric::new("deletion_waits", MetricKind::Gauge, help).with(&[], u64::from(waits))
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

fn in_words(reason: Reason) -> String {
    let (whom, by, known) = match reason {
        Reason::Moved => return "the machine's clock was set since the hub started".to_owned(),
        Reason::NoWitness => {
            return "this database is new, so no clock but the machine's vouches for the time; from the next start on, or with \
                    three devices that tell the time, one does"
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
    use hub_store::conformance::scene::{morning, profiles, take_lease};
    use hub_store::lease::LeaseStore;
    use hub_store::memory::MemoryStore;
    use std::time::Duration;

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

    /// A wrong clock vouched once, devices said less, and have gone.
    #[tokio::test]
    async fn what_was_known_too_late_does_not_count_again() {
        let wrong = morning() + DAY * 3_652;
        let store = second(Some(wrong)).await;
        let witnesses = started(&store).await;
        assert_eq!(witnesses.look(&store, wrong).await.unwrap(), Some(wrong));
        witnesses.lower(Some(wrong), Some(wrong - DAY));
        assert!(witnesses.look(&store, wrong).await.unwrap().is_some(), "a day is none");
        witnesses.lower(Some(wrong), Some(morning()));
        assert_eq!(witnesses.look(&store, wrong).await.unwrap(), None);
    }

    #[tokio::test]
    async fn one_that_lost_the_lease_vouches_for_nothing() {
        let store = second(Some(morning())).await;
        let witnesses = started(&store).await;
        let beside = store.beside();
        assert!(witnesses.look(&beside, morning()).await.is_err());
    }
}
