//! Pages: where one begins, how much is fetched for it, and how what was fetched is cut.

use crate::row::not_found;
use hub_store::error::Result;
use hub_store::page::Page;

/// A cursor that is an id. A cursor nobody gave out is an error, not the first page.
pub(crate) fn id_cursor(after: Option<&str>) -> Result<Option<uuid::Uuid>> {
    after
        .map(|text| text.parse().map_err(|_| not_found("page after", text)))
        .transpose()
}

/// Where a page that is numbered downwards goes on.
pub(crate) fn below(after: Option<&str>) -> Result<i64> {
    match after {
        None => Ok(i64::MAX),
        Some(cursor) => cursor.parse().map_err(|_| not_found("page after", cursor)),
    }
}

/// One more than asked for, which tells whether there is a next page.
pub(crate) fn page_limit(limit: usize) -> i64 {
    i64::try_from(limit + 1).unwrap_or(i64::MAX)
}

/// Cuts what [`page_limit`] fetched into a page.
pub(crate) fn page<T>(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(cursor);
    Page { items, next }
}
