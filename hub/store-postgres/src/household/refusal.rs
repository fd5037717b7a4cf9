//! Refusals on the do-not-call list under an earlier form of a number. The list has indexes alone, so each form is looked for that
//! a number may have had.

use crate::keyring::Keyring;
use crate::row::db;
use hub_core::id::TenantId;
use hub_core::phone_number::PhoneNumber;
use hub_store::error::Result;
use sqlx::PgConnection;

/// Indexes of earlier forms, each beside the index of the number now.
#[derive(Default)]
pub(super) struct Forms {
    before: Vec<Vec<u8>>,
    now: Vec<Vec<u8>>,
}

impl Forms {
    pub(super) fn add(&mut self, before: Vec<u8>, now: [u8; 32]) {
        self.before.push(before);
        self.now.push(now.to_vec());
    }

    /// Adds the form with a national prefix, the usual one of before, where the number's country has such a prefix.
    pub(super) fn add_with_prefix(&mut self, keyring: &Keyring, number: &PhoneNumber, index: [u8; 32]) {
        if let Some(before) = number.kept_with_prefix() {
            self.add(keyring.blind_index(&before).to_vec(), index);
        }
    }

    /// Lists the numbers that are listed in an earlier form. The earlier refusal stands. Answers how many it has listed, or given an
    /// earlier day.
    pub(super) async fn carry(self, conn: &mut PgConnection, tenant: &TenantId) -> Result<u64> {
        if self.before.is_empty() {
            return Ok(0);
        }
        let done = sqlx::query(
            "insert into do_not_call as listed (tenant, phone_index, at, source) \
             select distinct on (k.now) d.tenant, k.now, d.at, d.source \
             from unnest($2::bytea[], $3::bytea[]) as k (before, now) \
             join do_not_call d on d.tenant = $1 and d.phone_index = k.before \
             order by k.now, d.at, d.source \
             on conflict (tenant, phone_index) do update set at = excluded.at, source = excluded.source \
               where excluded.at < listed.at",
        )
        .bind(tenant.as_str())
        .bind(self.before)
        .bind(self.now)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(done.rows_affected())
    }
}
