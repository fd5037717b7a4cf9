//! The status of a ticket: a category, which code goes by, and a label, which people go by.

use super::TicketLabels;
use serde::{Deserialize, Serialize};

/// What clocks and counts go by. Labels are for people, the category is for code.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TicketCategory {
    /// Somebody must act.
    Open,
    /// It waits for an agreed moment, or for something else that a person said.
    Paused,
    /// It has an outcome.
    Resolved,
}

impl TicketCategory {
    /// Its word, as it is stored and told.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Status of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketStatus {
    /// Category of the label when it was set.
    pub category: TicketCategory,
    /// Id of the label, one of the tenant's then.
    pub label: String,
}

impl TicketStatus {
    /// The first label of a category.
    pub fn first(category: TicketCategory, labels: &TicketLabels) -> Self {
        Self {
            category,
            label: labels.first(category).to_owned(),
        }
    }

    /// The hub moves a ticket to a category by itself: to its first label, unless the ticket is in that category already.
    pub(super) fn move_to(&mut self, category: TicketCategory, labels: &TicketLabels) {
        if self.category != category {
            *self = Self::first(category, labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TicketCategory;
    use strum::VariantArray;

    #[test]
    fn a_category_is_stored_by_its_name() {
        for category in TicketCategory::VARIANTS {
            assert_eq!(serde_json::to_value(category).unwrap(), category.name());
        }
    }
}
