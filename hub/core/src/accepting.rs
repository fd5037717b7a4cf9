//! How listeners fare: connections that could not be accepted are counted, and want of files is told as long as it lasts and a
//! minute longer, since the connection on which somebody asks needs a file too.

use crate::metric::{Metric, MetricKind};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The process has as many files open as it may have (`EMFILE`), on every Unix.
const PROCESS_FULL: i32 = 24;
/// The machine has as many files open as it may have (`ENFILE`), on every Unix.
const MACHINE_FULL: i32 = 23;
/// Told for so long after the last time.
const TOLD_FOR: Duration = Duration::from_secs(60);

/// Shared by all listeners of a hub.
#[derive(Debug, Default)]
pub struct Accepting {
    failed: AtomicU64,
    /// Which limit was met last, and when.
    limit_met: Mutex<Option<(i32, Instant)>>,
}

impl Accepting {
    /// Notes that the system gave no connection, and why.
    pub fn failed(&self, error: &io::Error, now: Instant) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.wanting(error, now);
    }

    /// Notes an error of another call that needs a file, such as a try of the hub's own listener.
    pub fn wanting(&self, error: &io::Error, now: Instant) {
        if let Some(limit @ (PROCESS_FULL | MACHINE_FULL)) = error.raw_os_error() {
            *self.limit_met.lock().unwrap_or_else(PoisonError::into_inner) = Some((limit, now));
        }
    }

    /// For a person, part and what to do: as long as files are wanting, and a minute longer.
    pub fn notice(&self, now: Instant) -> Option<(&'static str, String)> {
        let met = *self.limit_met.lock().unwrap_or_else(PoisonError::into_inner);
        let (limit, last) = met.filter(|(_, last)| now.duration_since(*last) < TOLD_FOR)?;
        let what = match limit {
            MACHINE_FULL => {
                "the machine has no more files to open; find what holds them (`lsof`), or raise fs.file-max with sysctl"
            }
            _ => {
                "the hub may open no more files; raise LimitNOFILE in its unit (or `ulimit -n`), or lower connections_max, and \
                 look at who connects"
            }
        };
        let ago_s = now.duration_since(last).as_secs();
        Some((
            "files",
            format!("connections were not accepted, the last {ago_s} s ago: {what}"),
        ))
    }

    /// For monitoring.
    pub fn metrics(&self) -> Vec<Metric> {
        let help = "Times that the system gave no connection to a listener, for want of files as a rule.";
        let failed = self.failed.load(Ordering::Relaxed);
        vec![Metric::new("accepts_failed_total", MetricKind::Counter, help).with(&[], failed)]
    }
}
