//! Pages: where one begins, and how much is fetched for it.

use hub_store::error::Result;
pub(crate) use hub_store::page::name_cursor;
use hub_store::page::{Page, cursor};

/// A cursor that is an id.
pub(crate) fn id_cursor(after: Option<&str>) -> Result<Option<uuid::Uuid>> {
    cursor(after)
}

/// Where a page that is numbered downwards goes on.
pub(crate) fn below(after: Option<&str>) -> Result<i64> {
    Ok(cursor(after)?.unwrap_or(i64::MAX))
}

/// One more than asked for, which tells whether there is a next page.
pub(crate) fn page_limit(limit: usize) -> i64 {
    i64::try_from(limit + 1).unwrap_or(i64::MAX)
}

/// Cuts what [`page_limit`] fetched into a page.
pub(crate) fn page<T>(items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Page<T> {
    Page::cut(items, limit, cursor)
}
