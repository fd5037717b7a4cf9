//! Pages of lists.

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
