//! What a ticket is about.

use crate::id::FindingId;
use crate::prediction::Severity;
use serde::{Deserialize, Serialize};

/// Kind of a ticket.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TicketKind {
    /// The hub found a fault that is coming. It alone opens such a ticket.
    PredictedFault,
    /// Something is broken.
    Repair,
    /// Somebody is not content.
    Complaint,
    /// Somebody asks how something is done.
    Consult,
    /// Cleaning and upkeep.
    Care,
}

impl TicketKind {
    /// Its word, as it is stored and told.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Kinds that a person opens a ticket of.
    pub fn reported() -> impl Iterator<Item = Self> {
        let all = <Self as strum::VariantArray>::VARIANTS.iter().copied();
        all.filter(|kind| *kind != TicketKind::PredictedFault)
    }

    /// Whether a repair that closes such a ticket has changed the appliance.
    pub fn mends(self) -> bool {
        match self {
            TicketKind::PredictedFault | TicketKind::Repair => true,
            TicketKind::Complaint | TicketKind::Consult | TicketKind::Care => false,
        }
    }
}

/// The fault that a ticket is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TicketFault {
    /// Finding that the ticket was opened for, or the one by which its fault came back.
    pub finding: FindingId,
    /// Fault class of the finding, repeated here because one open ticket per (appliance, class) is held by an index.
    pub fault_class: String,
    /// How bad it gets.
    pub severity: Severity,
}

#[cfg(test)]
mod tests {
    use super::TicketKind;
    use strum::VariantArray;

    #[test]
    fn a_kind_is_stored_by_its_name_and_people_open_all_but_one() {
        for kind in TicketKind::VARIANTS {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(TicketKind::reported().count(), TicketKind::VARIANTS.len() - 1);
    }
}
