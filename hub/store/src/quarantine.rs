//! Payloads in quarantine: looked through, and replayed once they can be read.

use crate::error::Result;
use crate::page::Page;
use crate::telemetry::{Ingest, Ingested, Quarantined};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, DeviceId, TenantId};

/// A payload in quarantine, with what is needed to read it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineEntry {
    /// Number in quarantine; later ones are higher.
    pub number: i64,
    /// Tenant that the device belongs to.
    pub tenant: TenantId,
    /// Name of the device within the tenant.
    pub device: DeviceId,
    /// Profile that the device reports by now.
    pub profile: String,
    /// What is kept.
    pub kept: Quarantined,
}

/// Which payloads in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuarantineFilter {
    /// Only of this appliance.
    pub appliance: Option<ApplianceId>,
    /// Only those whose reason holds this text, whatever the case of its letters.
    pub reason: Option<String>,
}

/// Quarantine, as a person works through it.
#[async_trait]
pub trait QuarantineStore: Send + Sync {
    /// Payloads in quarantine, newest first.
    async fn quarantine(
        &self,
        actor: &Actor,
        filter: &QuarantineFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<QuarantineEntry>>;

    /// These payloads, as far as they are in quarantine and in scope, oldest first.
    async fn held(&self, actor: &Actor, numbers: &[i64]) -> Result<Vec<QuarantineEntry>>;

    /// Stores what a payload in quarantine holds, now that it can be read, and takes it out of quarantine: both in one
    /// transaction. If it has left quarantine before, nothing is stored and it counts as repeated.
    async fn replay(&self, number: i64, content: Ingest) -> Result<Ingested>;

    /// Writes why a payload still cannot be taken. Nothing happens if it has left quarantine.
    async fn still_held(&self, number: i64, reason: &str) -> Result<()>;
}
