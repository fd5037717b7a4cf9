//! An address. The type hides itself in logs; who attends visits is shown it with the ticket.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a household lives, as an envelope has it. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// Takes a text as it is. The length is checked where a site file is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The whole address. The caller answers for where it goes.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}
