//! Where tickets stand, and what code goes by.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

/// What clocks and counts go by. Labels are for people, the category is for code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum TicketCategory {
    /// Somebody must act.
    Open,
    /// It waits for an agreed moment.
    Paused,
    /// It has an outcome.
    Resolved,
}

/// Where a ticket stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TicketState {
    /// A call is planned; the contact worker looks at it when it is due.
    ContactPlanned,
    /// An attempt is under way.
    Contacting,
    /// A person must look: below the gate, no consent, attempts used up, the owner asked for one …
    PersonNeeded,
    /// A visit is agreed.
    Appointment,
    /// It has an outcome.
    Closed,
}

impl TicketState {
    /// Its word, as it is stored and told.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The states of a category.
    pub fn of(category: TicketCategory) -> impl Iterator<Item = Self> {
        let all = Self::VARIANTS.iter().copied();
        all.filter(move |state| state.category() == category)
    }

    /// The category of a state.
    pub fn category(self) -> TicketCategory {
        match self {
            TicketState::ContactPlanned | TicketState::Contacting | TicketState::PersonNeeded => TicketCategory::Open,
            TicketState::Appointment => TicketCategory::Paused,
            TicketState::Closed => TicketCategory::Resolved,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_stored_by_its_name_and_has_one_category() {
        for state in TicketState::VARIANTS {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        let names = |category| TicketState::of(category).map(TicketState::name).collect::<Vec<_>>();
        assert_eq!(
            names(TicketCategory::Open),
            ["contact_planned", "contacting", "person_needed"]
        );
        assert_eq!(names(TicketCategory::Paused), ["appointment"]);
        assert_eq!(names(TicketCategory::Resolved), ["closed"]);
    }
}
