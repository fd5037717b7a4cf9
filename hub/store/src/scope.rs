//! Which tenants somebody may see. Taken by every read on behalf of a person.

use hub_core::id::TenantId;

/// The tenants that a reader may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All: the administrator of this hub, and the hub itself.
    All,
    /// One tenant.
    Tenant(TenantId),
}

impl Scope {
    /// Whether `tenant` is in it.
    pub fn includes(&self, tenant: &TenantId) -> bool {
        match self {
            Scope::All => true,
            Scope::Tenant(own) => own == tenant,
        }
    }

    /// The one tenant, or `None` for all: as a query wants it.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Scope::All => None,
            Scope::Tenant(own) => Some(own.as_str()),
        }
    }
}

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
