//! What the router counts.

use std::sync::atomic::AtomicU64;

/// Counts since the start; each only rises.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub published: AtomicU64,
    pub delivered: AtomicU64,
    pub lost_in_queue: AtomicU64,
    pub lost_in_log: AtomicU64,
    pub lost_by_integrators: AtomicU64,
}

/// What a router has done so far, and how much of it is in use. The counts only rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterStats {
    /// Integrators subscribed now.
    pub subscribers: usize,
    /// Distinct filters in use now, all tenants together.
    pub filters: usize,
    /// Messages that somebody wanted and the router took.
    pub published: u64,
    /// Messages put into an integrator's queue, once for each integrator and matching filter.
    pub delivered: u64,
    /// Messages lost on the way in, because they came faster than the router took them.
    pub lost_in_queue: u64,
    /// Messages lost inside the router, because its log was used again before a link was emptied.
    pub lost_in_log: u64,
    /// Messages lost because an integrator did not read them in time.
    pub lost_by_integrators: u64,
}
