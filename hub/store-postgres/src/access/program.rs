//! Integrators and claimants.

use crate::keyring::sha256;
use crate::row::{Columns, sql, unreadable};
use crate::store::PostgresStore;
use hub_store::access::is_program;
use hub_store::access::{Claimant, Credential, Integrator, Principal};
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::postgres::PgRow;

/// Integrators and claimants by their tokens.
pub(super) async fn programs(
    store: &PostgresStore,
    shown: &[Credential],
    now: Timestamp,
    answers: &mut [Option<Principal>],
) -> Result<()> {
    let (mut numbers, mut hashes) = (Vec::new(), Vec::new());
    for (index, credential) in shown.iter().enumerate() {
        if let Credential::Token(token) = credential
            && is_program(token)
        {
            // Such a token is never a device's.
            answers[index] = None;
            numbers.push(i32::try_from(index).unwrap_or(i32::MAX));
            hashes.push(sha256(token.as_bytes()).to_vec());
        }
    }
    if numbers.is_empty() {
        return Ok(());
    }
    let query = || {
        sqlx::query(
            "select s.n, i.tenant, i.name, i.filters, null as profile from unnest($1::int[], $2::bytea[]) s (n, hash) \
               join integrator i on i.token_hash = s.hash where not i.revoked \
             union all select s.n, c.tenant, c.name, null, c.profile from unnest($1::int[], $2::bytea[]) s (n, hash) \
               join claim_credential c on c.token_hash = s.hash \
               where not c.revoked and c.expires_at > $3 and c.uses_left > 0",
        )
        .bind(&numbers)
        .bind(&hashes)
        .bind(sql(now))
    };
    let rows = store.fetch(query).await?;
    for row in &rows {
        let index = usize::try_from(row.col::<i32>("n")?).map_err(|error| unreadable("index")(Box::new(error)))?;
        match program(row) {
            Ok(program) => answers[index] = Some(program),
            // The others of the batch come in none the less.
            Err(error) => tracing::error!(%error, "stored credential of a program unreadable: it is refused"),
        }
    }
    Ok(())
}

fn program(row: &PgRow) -> Result<Principal> {
    let (tenant, name) = (row.word("tenant")?, row.col("name")?);
    Ok(match row.col::<Option<String>>("profile")? {
        Some(profile) => Principal::Claimant(Claimant { tenant, name, profile }),
        None => Principal::Integrator(Integrator {
            tenant,
            name,
            filters: row.col("filters")?,
        }),
    })
}
