//! What every store does, whatever it is made of: one list of cases, run on each of them. A case sees nothing but the
//! traits of this crate.
//!
//! A store that runs them implements [`Harness`], and lists them with
//! [`for_each_case!`](crate::for_each_case) or runs [`ALL`] with [`run`].
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "these are tests, in a place where several crates find them"
)]

mod access;
mod access_change;
mod access_claim;
mod access_group;
mod access_own;
mod access_provision;
mod appointment;
mod baseline;
mod budget;
mod budget_families;
mod caller;
mod cases;
mod contact;
mod contact_later;
mod device;
pub mod door;
mod floors;
mod household;
mod lease;
mod prediction;
mod quarantine;
mod reading;
mod release;
mod retention;
mod roles;
pub mod scene;
mod scoring;
mod session;
mod shadow;
mod site;
mod stream;
mod surge;
mod telemetry;
mod telemetry_birth;
mod telemetry_rollup;
mod telemetry_said;
mod telemetry_writer;
pub mod tenants;
mod ticket;
mod ticket_correction;

use crate::Store;
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// No case takes longer on any store.
const CASE_LIMIT: Duration = Duration::from_secs(180);

/// What a store can do that another may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Operations of one hub, and of several on the same data, run at the same time.
    Concurrent,
    /// What is stored outlives the hub that stored it.
    Restart,
}

/// One kind of store.
#[async_trait(?Send)]
pub trait Harness: Send + Sync {
    /// A place with nothing in it, of its own; the profiles are [`scene::profiles`].
    async fn empty(&self) -> Box<dyn Place>;

    /// Whether it can do this. Cases that need what it cannot do are passed over.
    fn can(&self, what: Capability) -> bool;
}

/// Where data is stored. What is there ends with it.
#[async_trait(?Send)]
pub trait Place: Send + Sync {
    /// The hub that holds the lease: the first one, or the next after a restart. The one before has been dropped.
    async fn hub(&self) -> Arc<dyn Store>;

    /// A program beside the hub that holds the lease: a command, or a hub that stands by.
    async fn beside(&self) -> Arc<dyn Store>;
}

/// One case.
#[derive(Clone, Copy)]
pub struct Case {
    /// Which part of the store.
    pub group: &'static str,
    /// What holds.
    pub name: &'static str,
    /// Only for stores that can do all of these.
    pub needs: &'static [Capability],
    /// Panics where it does not hold.
    pub run: for<'a> fn(&'a dyn Harness) -> LocalBoxFuture<'a, ()>,
}

pub use cases::ALL;

/// Runs the cases of `group`: how many, or the names of those that failed, each of which has said why.
pub async fn run(harness: &dyn Harness, group: &str) -> Result<usize, String> {
    let cases = ALL.iter().filter(|case| case.group == group);
    let mut ran = 0;
    let mut failed = Vec::new();
    for case in cases.filter(|case| case.needs.iter().all(|need| harness.can(*need))) {
        ran += 1;
        let within = tokio::time::timeout(CASE_LIMIT, (case.run)(harness));
        match AssertUnwindSafe(within).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => failed.push(format!("{} (not done in {} s)", case.name, CASE_LIMIT.as_secs())),
            Err(_) => failed.push(case.name.to_owned()),
        }
    }
    if failed.is_empty() && ran > 0 {
        return Ok(ran);
    }
    Err(format!(
        "{} of {ran} cases of {group} fail: {}",
        failed.len(),
        failed.join(", ")
    ))
}

/// Runs one case by its name, unless the store cannot do what it needs.
pub async fn run_one(harness: &dyn Harness, group: &str, name: &str) {
    let case = ALL.iter().find(|case| case.group == group && case.name == name);
    let case = case.unwrap_or_else(|| panic!("there is no case {group}::{name}"));
    if case.needs.iter().all(|need| harness.can(*need)) {
        let done = tokio::time::timeout(CASE_LIMIT, (case.run)(harness)).await;
        assert!(done.is_ok(), "not done in {} s", CASE_LIMIT.as_secs());
    }
}
