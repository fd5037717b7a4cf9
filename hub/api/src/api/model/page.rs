//! Pages of lists.

use crate::error::{ApiError, Result};
use hub_store::page::PAGE_MAX;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Items on a page unless asked otherwise.
const PAGE_DEFAULT: usize = 50;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items.
    items: Vec<T>,
    /// Give this back as `after` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> Page<T> {
    pub(crate) fn of<S: Into<T>>(page: hub_store::page::Page<S>) -> Self {
        Self::with(page, Into::into)
    }

    /// Where more than the item is needed to say what is shown of it.
    pub(crate) fn with<S>(page: hub_store::page::Page<S>, shown: impl FnMut(S) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(shown).collect(),
            next: page.next,
        }
    }
}

/// The page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// `next` of the page before.
    pub(crate) after: Option<String>,
    /// Items on the page, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

impl PageQuery {
    pub(crate) fn limit(&self) -> Result<usize> {
        limit(self.limit)
    }
}

/// Checks the number of items asked for.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize> {
    match asked.unwrap_or(PAGE_DEFAULT) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        other => Err(ApiError::BadRequest(format!("limit is 1 to {PAGE_MAX}, not {other}"))),
    }
}
