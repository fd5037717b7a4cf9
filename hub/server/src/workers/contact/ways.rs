//! The ways out while the hub runs: every call tells them what became of it, and they are told to monitoring and on pages.

use super::call::Calls;
use crate::random;
use async_trait::async_trait;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::clock::CivilClock;
use hub_core::contact::breaker::Failure;
use hub_core::contact::ways_out::{Closed, PausedWay, WaysOut};
use hub_core::id::{AttemptId, TenantId};
use hub_core::metric::{Metric, MetricKind};
use hub_voice::{CallDetail, CallHost, CallProgress, CommitRefused, EndedBy};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Longest words of a failure that are told, in characters.
const WHY_MAX: usize = 200;

/// The ways out, on the hub's clock.
pub struct Ways {
    clock: Arc<dyn CivilClock>,
    out: Mutex<WaysOut>,
}

impl Ways {
    pub(super) fn new(clock: Arc<dyn CivilClock>) -> Self {
        let out = Mutex::default();
        Self { clock, out }
    }

    /// Ways that are paused, the house first.
    pub fn paused(&self) -> Vec<PausedWay> {
        self.out().paused()
    }

    /// For an administrator: why owners are not rung though the hub takes work.
    pub fn notices(&self) -> Vec<(&'static str, String)> {
        let told = |way: PausedWay| {
            let pause = way.pause;
            let whom = way.trunk_of.map_or_else(
                || "no owner is rung".to_owned(),
                |tenant| format!("no owner is rung over the trunk of {tenant}"),
            );
            let (since, until) = (pause.since, pause.until);
            (
                "calls",
                format!("{whom} since {since}: {}; tried again from {until}", pause.why),
            )
        };
        self.paused().into_iter().map(told).collect()
    }

    /// For monitoring.
    pub fn metrics(&self) -> [Metric; 2] {
        let (paused, known) = {
            let out = self.out();
            (out.paused(), out.tenants().cloned().collect::<Vec<_>>())
        };
        let is_paused = |of: Option<&TenantId>| u64::from(paused.iter().any(|way| way.trunk_of.as_ref() == of));
        let help = "1 while no owner is rung since the hub itself cannot place calls: no voice, no room for prompts, no port for audio.";
        let house = Metric::new("calls_paused_in_house", MetricKind::Gauge, help).with(&[], is_paused(None));
        let help = "1 while no owner is rung over this tenant's trunk since calls fail on it before anything rings.";
        let mut trunks = Metric::new("calls_paused_on_trunk", MetricKind::Gauge, help);
        for tenant in &known {
            trunks.push(&[("tenant", tenant.as_str())], is_paused(Some(tenant)));
        }
        [house, trunks]
    }

    pub(super) fn closed(&self) -> Closed {
        self.out().closed(self.clock.now())
    }

    pub(super) fn take(&self, tenant: &TenantId) -> bool {
        self.out().take(tenant, self.clock.now())
    }

    pub(super) fn give_back(&self, tenant: &TenantId) {
        self.out().give_back(tenant, self.clock.now());
    }

    /// This tenant's trunk is another one now.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        self.change(|out| out.forget(tenant));
    }

    /// What a change does to the pauses is logged.
    fn change(&self, change: impl FnOnce(&mut WaysOut)) {
        let (before, after) = {
            let mut out = self.out();
            let before = out.paused();
            change(&mut out);
            (before, out.paused())
        };
        let is_in = |ways: &[PausedWay], way: &PausedWay| ways.iter().any(|other| other.trunk_of == way.trunk_of);
        for way in after.iter().filter(|way| !is_in(&before, way)) {
            let trunk_of = way.trunk_of.as_ref().map(TenantId::as_str);
            tracing::warn!(trunk_of, why = way.pause.why, until = %way.pause.until, "owners are not rung: calls fail before they ring");
        }
        for way in before.iter().filter(|way| !is_in(&after, way)) {
            let trunk_of = way.trunk_of.as_ref().map(TenantId::as_str);
            tracing::info!(trunk_of, since = %way.pause.since, "owners are rung again");
        }
    }

    fn out(&self) -> MutexGuard<'_, WaysOut> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call to an owner whose steps are told to the ways that it takes.
pub(super) struct Watched {
    calls: Arc<Calls>,
    tenant: TenantId,
    rang: AtomicBool,
}

impl Watched {
    pub fn new(calls: Arc<Calls>, tenant: TenantId) -> Arc<Self> {
        Arc::new(Self {
            calls,
            tenant,
            rang: AtomicBool::new(false),
        })
    }

    /// The call is over.
    pub fn ended(&self, detail: &CallDetail) {
        if self.rang.load(Ordering::Relaxed) {
            return;
        }
        // What lies in this call alone, or in a hub that stops, is no fault of house or trunk.
        if detail.this_call_only || detail.ended_by == Some(EndedBy::Stopping) {
            return self.calls.ways.give_back(&self.tenant);
        }
        let (ways, spread) = (&self.calls.ways, f64::from(random::bytes::<1>()[0]) / 255.0);
        let failure = Failure {
            why: detail.reason.chars().take(WHY_MAX).collect(),
            retry_after_s: detail.retry_after_s,
        };
        let now = ways.clock.now();
        ways.change(|out| out.ended_unrung(&self.tenant, detail.result, failure, now, spread));
    }

    /// The call's task failed: what became of it is not known.
    pub fn lost(&self) {
        let ways = &self.calls.ways;
        let now = ways.clock.now();
        ways.change(|out| out.ended_unrung(&self.tenant, CallResult::Unknown, Failure::default(), now, 0.0));
    }
}

#[async_trait]
impl CallHost for Watched {
    async fn progress(&self, attempt: AttemptId, progress: CallProgress) {
        let ways = &self.calls.ways;
        let now = ways.clock.now();
        match progress {
            CallProgress::Dialing => ways.change(|out| out.dialled(now)),
            CallProgress::Ringing | CallProgress::Answered => {
                self.rang.store(true, Ordering::Relaxed);
                ways.change(|out| out.rang(&self.tenant, now));
            }
            CallProgress::Saying { .. } | CallProgress::Pressed { .. } | CallProgress::Ended => {}
        }
        self.calls.progress(attempt, progress).await;
    }

    async fn commit(&self, attempt: AttemptId, disposition: Disposition) -> Result<(), CommitRefused> {
        self.calls.commit(attempt, disposition).await
    }
}
