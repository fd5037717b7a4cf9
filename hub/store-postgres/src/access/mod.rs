//! Who comes in at the front door.

pub(crate) mod change;
pub(crate) mod enrol;
pub(crate) mod group;
pub(crate) mod held;
mod identify;
pub(crate) mod issue;
mod own;
mod program;
mod provision;

use crate::row::Columns;
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::id::ApplianceId;
use hub_store::access::{AccessChange, AccessStore, Authority, Claimant, Credential, Principal};
use hub_store::access::{ProvisionRequest, Provisioned};
use hub_store::error::Result;
use jiff::Timestamp;
use std::time::Duration;

#[async_trait]
impl AccessStore for PostgresStore {
    async fn identify(&self, shown: &[Credential], now: Timestamp) -> Result<Vec<Option<Principal>>> {
        identify::identify(self, shown, now).await
    }

    async fn access_changed(&self, patience: Duration) -> Result<Vec<AccessChange>> {
        change::wait(self, patience).await
    }

    async fn authorities(&self) -> Result<Vec<Authority>> {
        let query =
            || sqlx::query("select tenant, name, certificate, revocations from authority order by tenant, name");
        let rows = self.fetch(query).await?;
        rows.iter()
            .map(|row| {
                Ok(Authority {
                    tenant: row.word("tenant")?,
                    name: row.col("name")?,
                    certificate: row.col("certificate")?,
                    revocations: row.col("revocations")?,
                })
            })
            .collect()
    }

    async fn provision(&self, claimant: &Claimant, request: &ProvisionRequest, now: Timestamp) -> Result<Provisioned> {
        provision::provision(self, claimant, request, now).await
    }

    async fn propose_secret(&self, appliance: ApplianceId, secret: &str) -> Result<()> {
        own::propose(self, appliance, secret).await
    }

    async fn end_old_secret(&self, appliance: ApplianceId, secret: &str) -> Result<()> {
        own::end_old(self, appliance, secret).await
    }
}
