//! What `/metrics` and `/readyz` are given: figures, problems and notices of all parts of the hub, or of one that stands by.

use crate::process;
use crate::telephone::Telephone;
use crate::workers::Figures;
use crate::workers::contact::Ways;
use crate::workers::maintain::Upkeep;
use crate::workers::models_dir::Told;
use crate::workers::witness::Witnesses;
use hub_api::Monitor;
use hub_broker::{Broker, Health};
use hub_core::metric::{Metric, MetricKind};
use hub_store::lease::LeaseStore;
use hub_store_postgres::PostgresStore;
use std::sync::Arc;

/// The parts of a hub that are asked how they are; the front door is asked beside them.
pub struct Parts {
    /// The store.
    pub store: Arc<PostgresStore>,
    /// What workers count.
    pub figures: Arc<Figures>,
    /// How deletion of what is too old fares.
    pub upkeep: Arc<Upkeep>,
    /// Who vouches for the time.
    pub witnesses: Arc<Witnesses>,
    /// Appliance profiles and models that cannot be used.
    pub models_dir: Arc<Told>,
    /// The ways by which calls go out.
    pub ways: Arc<Ways>,
    /// The telephone side.
    pub telephone: Arc<Telephone>,
}

/// How a hub that works is asked how it is.
pub fn working(broker: &Broker, parts: Parts) -> Monitor {
    let (counted, health) = (broker.metrics(), broker.health());
    let parts = Arc::new(parts);
    let [of_metrics, of_problems, of_notices] = [&parts, &parts, &parts].map(Arc::clone);
    let ways = parts.ways.clone();
    Monitor {
        metrics: Arc::new(move || {
            let mut all = counted();
            all.extend(of_metrics.metrics());
            all
        }),
        problems: Arc::new(move || of_problems.problems(*health.borrow())),
        notices: Arc::new(move || of_notices.notices()),
        paused: Arc::new(move || ways.paused()),
        accepting: broker.accepting(),
    }
}

/// How a hub is asked that waits for another one's end.
pub fn standing_by() -> Monitor {
    Monitor {
        metrics: Arc::new(|| {
            let mut all = process::metrics();
            all.push(lease_held(false));
            all
        }),
        problems: Arc::new(|| {
            let why = "another hub works on this database; this one takes over when it ends";
            vec![("standby", why.to_owned())]
        }),
        ..Monitor::default()
    }
}

impl Parts {
    fn metrics(&self) -> Vec<Metric> {
        let mut all = process::metrics();
        all.extend(self.upkeep.metrics());
        all.extend(self.figures.metrics());
        all.extend(self.witnesses.metrics());
        all.extend(self.ways.metrics());
        all.extend(self.telephone.voice().iter().flat_map(|voice| voice.metrics()));
        all.push(lease_held(self.store.has_lease()));
        let help = "1 while the database takes no readings, although devices send them.";
        let held = u64::from(self.store.ingest_fails());
        all.push(Metric::new("ingest_held", MetricKind::Gauge, help).with(&[], held));
        all
    }

    fn problems(&self, front_door: Health) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !front_door.store_answers {
            problems.push(("store", "the store does not answer; nothing is acknowledged".to_owned()));
        }
        if front_door.store_answers && self.store.ingest_fails() {
            let why = "the database answers but takes no readings (is its disk full?); nothing is acknowledged";
            problems.push(("store", why.to_owned()));
        }
        if front_door.stopping {
            problems.push(("mqtt", "the hub is stopping".to_owned()));
        }
        problems.extend(self.telephone.problem());
        problems
    }

    fn notices(&self) -> Vec<(&'static str, String)> {
        let mut notices = self.witnesses.notices();
        notices.extend(self.upkeep.notices());
        notices.extend(self.models_dir.notices());
        notices.extend(self.ways.notices());
        notices.extend(self.telephone.voice().iter().flat_map(|voice| voice.notices()));
        notices
    }
}

/// The gauge by which monitoring sees which hub works.
fn lease_held(held: bool) -> Metric {
    let help = "Whether this hub holds the database's lease; 0 where it stands by.";
    Metric::new("lease_held", MetricKind::Gauge, help).with(&[], u64::from(held))
}
