//! Applying a site file: what differs is written and told; what it does not name stays.
//!
//! Not one transaction but many short ones (record 17 in `docs/adr`): a tenant's own rows, then its households with their consent, its
//! service points and its devices, [`BATCH`] at a time. Each leaves a site that could have been declared so, since what
//! a device names is there before it. What the file itself shows to be wrong is refused before the first write; what an
//! error cuts off later is finished by applying the file again. So nobody waits for a large file longer than for a batch
//! of it: neither what scores or dials for an appliance of the batch, nor what makes devices for the tenant, nor the
//! readers of events, which stop below the oldest transaction.
//!
//! A batch is read and compared without a lock first. Only what differs is locked, read again and written, so a file
//! that says nothing new writes nothing.

mod device;
mod head;
mod household;
mod prune;
mod room;
mod secret;

pub(crate) use device::add_device;
pub use prune::LeftOut;

use crate::progress::Progress;
use crate::store::PostgresStore;
use crate::transaction::Transaction;
use hub_core::site::{DeclaredHousehold, OWNER, Site};
use hub_store::error::{Result, StoreError};
use hub_store::site::SiteChange;
use jiff::Timestamp;

/// Most households, or devices, that one transaction writes. They stay locked for as long as that takes: some tenths of a
/// second.
pub const BATCH: usize = 2_000;
/// How often a batch is tried in which somebody else changes the same rows at the same time.
const TRIES: u32 = 5;

/// One application of a site file.
struct Run<'a> {
    store: &'a PostgresStore,
    now: Timestamp,
    /// Nothing is kept.
    dry_run: bool,
}

impl PostgresStore {
    /// Applies a site file and tells how far it is. `changes` gets what is kept – or would be, with `dry_run` –, in the
    /// order of the file, also where an error follows: then the rest is finished by applying the file again.
    ///
    /// # Errors
    ///
    /// `Refused`, with nothing written, where the file contradicts itself or a tenant may not have so many devices; later
    /// also where devices were made meanwhile by somebody else, or the database fails.
    pub async fn apply_site_telling(
        &self,
        site: &Site,
        now: Timestamp,
        dry_run: bool,
        changes: &mut Vec<SiteChange>,
        tell: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<()> {
        site.check(&self.versions().keys().cloned().collect())
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        room::check(self, site).await?;
        let run = Run {
            store: self,
            now,
            dry_run,
        };
        // What is done at once needs no word about how far it is.
        let is_large = site
            .tenants
            .iter()
            .map(|t| t.owners.len() + t.households.len() + t.devices.len())
            .sum::<usize>()
            > BATCH;
        for tenant in &site.tenants {
            let mut tell = |done: usize, all: usize, unit| {
                if is_large {
                    tell(progress(tenant.id.as_str(), done, all, unit));
                }
            };
            head::put_tenant(&run, tenant, changes).await?;
            for (number, owners) in tenant.owners.chunks(BATCH).enumerate() {
                let households: Vec<DeclaredHousehold> = owners.iter().map(Into::into).collect();
                household::put(&run, &tenant.id, OWNER, &households, changes).await?;
                tell(number * BATCH + owners.len(), tenant.owners.len(), "owners");
            }
            for (number, households) in tenant.households.chunks(BATCH).enumerate() {
                household::put(&run, &tenant.id, "household", households, changes).await?;
                tell(number * BATCH + households.len(), tenant.households.len(), "households");
            }
            head::put_service_points(&run, tenant, changes).await?;
            for (number, devices) in tenant.devices.chunks(BATCH).enumerate() {
                device::put(&run, &tenant.id, devices, changes).await?;
                tell(number * BATCH + devices.len(), tenant.devices.len(), "devices");
            }
        }
        Ok(())
    }
}

fn progress<'a>(tenant: &'a str, done: usize, all: usize, unit: &'static str) -> Progress<'a> {
    Progress {
        what: tenant,
        done: done as u64,
        all: Some(all as u64),
        unit,
    }
}

/// Why applying ended: the answer to a COMMIT did not come. Whether the database has kept what it was for is not known until the
/// file is applied again, which changes only what is missing.
#[derive(Debug, thiserror::Error)]
#[error("the answer to a COMMIT did not come")]
pub struct CommitUnanswered(#[source] Box<dyn std::error::Error + Send + Sync>);

impl CommitUnanswered {
    /// Whether it is the reason for this error.
    pub fn is_behind(error: &StoreError) -> bool {
        matches!(error, StoreError::Unavailable(reason) if reason.is::<Self>())
    }
}

async fn commit(run: &Run<'_>, tx: Transaction) -> Result<()> {
    crate::store::commit(run.store, tx).await.map_err(at_commit)
}

/// What the database refused was not kept; where it did not answer, nobody knows.
fn at_commit(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(reason) => StoreError::Unavailable(Box::new(CommitUnanswered(reason))),
        known => known,
    }
}

/// Whether a batch that failed so, after so many tries, is tried again.
fn is_tried_again(error: &StoreError, tries: u32) -> bool {
    tries < TRIES && matches!(error, StoreError::Conflict(_))
}

fn note(changes: &mut Vec<SiteChange>, known: bool, kind: &'static str, id: String) {
    let action = if known { "change" } else { "add" };
    changes.push(SiteChange { action, kind, id });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_without_an_answer_is_told_from_one_that_was_refused() {
        let gone = || StoreError::Unavailable(Box::new(std::io::Error::other("gone")));
        assert!(CommitUnanswered::is_behind(&at_commit(gone())));
        assert!(!CommitUnanswered::is_behind(&gone()));
        let refused = at_commit(StoreError::Refused("too long".to_owned()));
        assert!(matches!(&refused, StoreError::Refused(why) if why == "too long"));
        assert!(!CommitUnanswered::is_behind(&refused));
    }
}
