//! What a check of `forecall doctor` finds.

use anyhow::Result;

/// What a check found that is not a failure.
#[derive(Debug)]
pub(super) enum Found {
    /// As it should be.
    Ok(String),
    /// To be seen to soon.
    Warn(String),
}

impl Found {
    pub(super) fn ok(text: String) -> Result<Self> {
        Ok(Self::Ok(text))
    }

    pub(super) fn warn(text: String) -> Result<Self> {
        Ok(Self::Warn(text))
    }
}
