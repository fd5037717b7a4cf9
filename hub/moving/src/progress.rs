//! What is told of how far it is.

use hub_store_postgres::Progress;

/// Told after so many rows, and at the end of each table and file.
pub(crate) const EVERY: u64 = 10_000;

pub(crate) fn table(what: &str, done: u64) -> Progress<'_> {
    Progress {
        what,
        done,
        all: None,
        unit: "rows",
    }
}

pub(crate) fn file(what: &str, done: u64, all: u64) -> Progress<'_> {
    Progress {
        all: Some(all),
        ..table(what, done)
    }
}

pub(crate) fn bytes(what: &str, done: u64) -> Progress<'_> {
    Progress {
        unit: "bytes",
        ..table(what, done)
    }
}

pub(crate) fn counting() -> Progress<'static> {
    table("counting telemetry", 0)
}

pub(crate) fn telemetry(rows: u64, all: u64) -> Progress<'static> {
    file("telemetry", rows, all)
}
