//! How far it is.

/// Told from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being done: a table, or a file.
    pub what: &'a str,
    /// Rows of it so far.
    pub rows: u64,
    /// Rows of it in all, where that is known.
    pub all: Option<u64>,
}

impl<'a> Progress<'a> {
    /// Told after so many rows, and at the end of each table and file.
    pub(super) const EVERY: u64 = 10_000;

    pub(super) fn table(what: &'a str, rows: u64) -> Self {
        Self { what, rows, all: None }
    }

    pub(super) fn file(what: &'a str, rows: u64, all: u64) -> Self {
        Self {
            what,
            rows,
            all: Some(all),
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
