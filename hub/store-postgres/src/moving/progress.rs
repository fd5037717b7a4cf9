//! How far it is.

/// Told from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being done: a table, or a file.
    pub what: &'a str,
    /// How much of it so far.
    pub done: u64,
    /// How much of it in all, where that is known.
    pub all: Option<u64>,
    /// Of what: rows, or bytes.
    pub unit: &'static str,
}

impl<'a> Progress<'a> {
    /// Told after so many rows, and at the end of each table and file.
    pub(super) const EVERY: u64 = 10_000;

    pub(super) fn table(what: &'a str, done: u64) -> Self {
        Self {
            what,
            done,
            all: None,
            unit: "rows",
        }
    }

    pub(super) fn file(what: &'a str, done: u64, all: u64) -> Self {
        Self {
            all: Some(all),
            ..Self::table(what, done)
        }
    }

    pub(super) fn bytes(what: &'a str, done: u64) -> Self {
        Self {
            unit: "bytes",
            ..Self::table(what, done)
        }
    }
}

impl Progress<'static> {
    pub(super) fn counting() -> Self {
        Self::table("counting telemetry", 0)
    }

    pub(super) fn telemetry(rows: u64, all: u64) -> Self {
        Self::file("telemetry", rows, all)
    }
}
