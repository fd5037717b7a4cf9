//! How far something is that takes long.

/// Told from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being done: a tenant of a site file, a table, or a file.
    pub what: &'a str,
    /// How much of it so far.
    pub done: u64,
    /// How much of it in all, where that is known.
    pub all: Option<u64>,
    /// Of what: owners, devices, rows, or bytes.
    pub unit: &'static str,
}
