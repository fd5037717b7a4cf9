//! Pages of lists.

use crate::error::{Result, not_found};

/// A page of a list, oldest cursor last. At most [`PAGE_MAX`] items.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give this back to get what follows; `None` at the end.
    pub next: Option<String>,
}

/// Most items on one page.
pub const PAGE_MAX: usize = 200;

impl<T> Page<T> {
    /// A page of `limit` of these, of which one more was fetched if there is one.
    pub fn cut(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

/// A cursor that was given out with a page.
///
/// # Errors
/// `NotFound` for one that nobody gave out: that is not the first page.
pub fn cursor<T: std::str::FromStr>(after: Option<&str>) -> Result<Option<T>> {
    after
        .map(|text| text.parse().map_err(|_| not_found("page after", text)))
        .transpose()
}

/// A cursor `tenant/device`; empty names before the first page.
///
/// # Errors
/// As [`cursor`].
pub fn name_cursor(after: Option<&str>) -> Result<(&str, &str)> {
    match after {
        Some(cursor) => cursor.split_once('/').ok_or_else(|| not_found("page after", cursor)),
        None => Ok(("", "")),
    }
}
