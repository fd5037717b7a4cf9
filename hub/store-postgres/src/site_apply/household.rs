//! Households of a site file, and what the file says of their persons' consent.

mod read;
mod wanted;

use super::{Run, commit, is_tried_again, note};
use crate::household::key::{HouseholdKey, give_to};
use crate::household::{HouseholdRow, PersonRow, Rows, ledger};
use crate::keyring::random;
use crate::row::db;
use crate::store::{PostgresStore, sealed};
use hub_core::consent::SITE_FILE;
use hub_core::id::{HouseholdId, PersonId, TenantId};
use hub_core::site::{DeclaredHousehold, OWNER};
use hub_store::error::{Result, StoreError};
use hub_store::site::SiteChange;
use read::{Stored, read};
use sqlx::PgConnection;
use uuid::Uuid;
use wanted::{News, Wanted};

/// Brings some households to what is declared. `kind` is what the file calls them.
pub(super) async fn put(
    run: &Run<'_>,
    tenant: &TenantId,
    kind: &'static str,
    households: &[DeclaredHousehold],
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let wanted: Vec<Wanted<'_>> = households
        .iter()
        .map(|household| Wanted::new(run.store, kind, household))
        .collect();
    let stored = {
        let mut conn = run.store.pool.acquire().await.map_err(db)?;
        read(
            &mut conn,
            &run.store.keyring,
            tenant,
            wanted.iter().map(Wanted::id).collect(),
        )
        .await?
    };
    let mut differing = Vec::new();
    for wanted in &wanted {
        let known = stored.get(wanted.id());
        if wanted.news(tenant, known)?.is_any() {
            differing.push((wanted, known));
        }
    }
    if run.dry_run {
        for (wanted, known) in differing {
            wanted.note(tenant, known, &wanted.news(tenant, known)?, changes);
        }
        return Ok(());
    }
    if differing.is_empty() {
        return Ok(());
    }
    let differing: Vec<&Wanted<'_>> = differing.into_iter().map(|(wanted, _)| wanted).collect();
    let mut tries = 1;
    loop {
        match write(run, tenant, &differing).await {
            Ok(written) => {
                changes.extend(written);
                return Ok(());
            }
            // Somebody else made one of them at the same time.
            Err(error) if is_tried_again(&error, tries) => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn write(run: &Run<'_>, tenant: &TenantId, wanted: &[&Wanted<'_>]) -> Result<Vec<SiteChange>> {
    let mut tx = run.store.begin().await?;
    let names: Vec<&str> = wanted.iter().map(|wanted| wanted.id()).collect();
    lock(&mut tx, run.store, tenant, &names).await?;
    let stored = read(&mut tx, &run.store.keyring, tenant, names).await?;
    let (mut rows, mut sayings) = (Rows::default(), Vec::new());
    let mut changes = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        let known = stored.get(wanted.id());
        let news = wanted.news(tenant, known)?;
        wanted.note(tenant, known, &news, &mut changes);
        write_one(run, wanted, known, &news, &mut rows, &mut sayings)?;
    }
    rows.put(&mut tx, tenant).await?;
    ledger::add(&mut tx, tenant, &sayings, SITE_FILE, run.now).await?;
    commit(run, tx).await?;
    Ok(changes)
}

/// Households and then their persons, each in order, so that two that apply never wait for each other in a circle; a call locks one
/// household. `for update`, since what a person says is written beside the person's row, whose key it holds: no refusal may slip
/// in behind the look at it.
async fn lock(conn: &mut PgConnection, store: &PostgresStore, tenant: &TenantId, names: &[&str]) -> Result<()> {
    let households: Vec<Uuid> = sqlx::query_scalar(
        "select id from household where tenant = $1 and name_in_tenant = any($2) order by id for update",
    )
    .bind(tenant.as_str())
    .bind(names)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    sqlx::query("select from person where household = any($1) order by id for update")
        .bind(&households)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    give_to(conn, &store.keyring, &households).await
}

fn write_one<'a>(
    run: &Run<'_>,
    wanted: &'a Wanted<'a>,
    known: Option<&'a Stored>,
    news: &News,
    rows: &mut Rows<'a>,
    sayings: &mut Vec<ledger::Saying>,
) -> Result<()> {
    let keyring = &run.store.keyring;
    let draw = || random().map_err(sealed("random bytes"));
    let id = match known {
        Some(known) => known.id,
        None => HouseholdId::new(run.now, draw()?).0,
    };
    let (key, sealed_key) = match known {
        Some(Stored { key: Some(row), .. }) => (HouseholdKey::open(keyring, id, row)?, row.clone()),
        // With the lock those got one whose numbers open.
        Some(_) => {
            return Err(StoreError::Refused(format!(
                "household {} has a number that does not open: restore the keyring that it was written with, or the data from a backup",
                wanted.id()
            )));
        }
        None => HouseholdKey::make(keyring, id)?,
    };
    if news.row {
        let row = HouseholdRow {
            name_in_tenant: wanted.id(),
            address: wanted.declared.address.as_ref(),
            zone: &wanted.declared.zone,
        };
        rows.household(id, &key, sealed_key, &row)?;
    }
    for (rank, (person, news)) in wanted.persons.iter().zip(&news.persons).enumerate() {
        let person_id = match person.stored(known) {
            Some(known) => known.id,
            None => PersonId::new(run.now, draw()?).0,
        };
        if news.row {
            let row = PersonRow {
                household: id,
                name_in_household: &person.declared.id,
                name: &person.name,
                language: person.declared.language,
                rank,
            };
            rows.person(person_id, &row)?;
        }
        if news.numbers {
            rows.numbers(person_id, &key, keyring, &person.declared.numbers)?;
        }
        sayings.extend(news.said.iter().map(|&(subject, given)| ledger::Saying {
            person: person_id,
            subject,
            given,
        }));
    }
    // Persons whom the file does not name stay, behind those whom it names.
    for (rank, person) in wanted.others(known).enumerate().filter(|_| news.others) {
        let row = PersonRow {
            household: id,
            name_in_household: &person.name_in_household,
            name: &person.name,
            language: person.language,
            rank: wanted.persons.len() + rank,
        };
        rows.person(person.id, &row)?;
    }
    Ok(())
}

impl Wanted<'_> {
    fn note(&self, tenant: &TenantId, known: Option<&Stored>, news: &News, changes: &mut Vec<SiteChange>) {
        let id = format!("{tenant}/{}", self.id());
        if news.is_household() {
            note(changes, known.is_some(), self.kind, id.clone());
        }
        for (person, news) in self.persons.iter().zip(&news.persons) {
            if news.said.is_empty() {
                continue;
            }
            let said_before = person.stored(known).is_some_and(|known| !known.file_said.is_empty());
            let whose = match self.kind {
                OWNER => id.clone(),
                _ => format!("{id}/{}", person.declared.id),
            };
            note(changes, said_before, "consent", whose);
        }
    }
}
