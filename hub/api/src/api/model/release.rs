//! Where predictions stand on their way to calls that nobody approves.

use crate::api::schema;
use hub_core::release::{self as core, EvidenceKind, Unreleased};
use serde::Serialize;
use utoipa::ToSchema;

/// What people made of predictions of one model and fault class, in one tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Release {
    /// Model and version.
    model: String,
    /// Word of the model's list, or `unknown_fault`.
    fault_class: String,
    /// Kind of evidence that the model's own figures stand on. Only a fleet's counts.
    #[schema(schema_with = schema::words::<EvidenceKind>)]
    evidence: EvidenceKind,
    /// Verdicts that the fault was there: of closed tickets, and those that a model made from a fleet states.
    right: u32,
    /// All verdicts, those where nobody looked left out.
    judged: u32,
    /// Verdicts from which calls are released, as many being wrong as are now; none where no part is named.
    judged_needed: Option<u32>,
    /// Calls that a person approved.
    approved: i64,
    /// Calls that a person refused.
    refused: i64,
    /// Whether the hub rings by itself about them.
    released: bool,
    /// Why not, if so: `no_named_fault`, `too_few_verdicts` or `too_often_wrong`.
    #[schema(value_type = Option<String>)]
    withheld: Option<Unreleased>,
}

impl From<core::Release> for Release {
    fn from(release: core::Release) -> Self {
        let verdicts = release.verdicts();
        Self {
            evidence: release.basis.kind,
            right: verdicts.right,
            judged: verdicts.right.saturating_add(verdicts.wrong),
            judged_needed: release.verdicts_needed(),
            approved: release.tally.approved,
            refused: release.tally.refused,
            released: release.is_released(),
            withheld: release.withheld(),
            model: release.predicted.model,
            fault_class: release.predicted.fault_class,
        }
    }
}
