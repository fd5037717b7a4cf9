//! What the hub asks of the telephone: one call to one owner, with everything that is to be said.

use crate::flow::Flow;
use crate::value::Values;
use hub_core::id::AttemptId;
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use std::sync::Arc;

/// One call to be placed. The attempt's row is in the store before this exists.
#[derive(Debug, Clone)]
pub struct CallOrder {
    /// The attempt this call is; it comes back on the call's detail.
    pub attempt: AttemptId,
    /// The name of the trunk (`TrunkConfig::name`) it goes out over, and no other.
    pub trunk: String,
    /// Who is rung.
    pub to: PhoneNumber,
    /// The owner's language.
    pub language: Language,
    /// What is said and asked.
    pub flow: Arc<Flow>,
    /// What it speaks of. Without a value that the flow declares nobody is rung; others are not looked at.
    pub values: Values,
}
