//! Owners of a site file, and what the file says of their consent.

use super::{Run, commit, is_tried_again, note};
use crate::keyring::random;
use crate::row::{Columns, db, sql, text, word};
use crate::site_row::phone_place;
use crate::store::{PostgresStore, sealed};
use hub_core::consent::SITE_FILE;
use hub_core::id::{OwnerId, TenantId};
use hub_core::site::Owner;
use hub_store::error::Result;
use hub_store::site::SiteChange;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// An owner as the file has them.
struct Wanted<'a> {
    owner: &'a Owner,
    name: String,
    phone_index: Option<[u8; 32]>,
    language: String,
}

/// An owner as the database has them.
struct Stored {
    id: Uuid,
    name: String,
    phone_index: Option<Vec<u8>>,
    language: String,
    zone: String,
    /// What the ledger has last from a site file …
    file_said: Option<bool>,
    /// … and from anybody else.
    others_said: Option<bool>,
}

/// What of a wanted owner is new.
struct News {
    row: bool,
    consent: bool,
}

/// Brings some owners to what is declared.
pub(super) async fn put(
    run: &Run<'_>,
    tenant: &TenantId,
    owners: &[Owner],
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let wanted: Vec<Wanted<'_>> = owners
        .iter()
        .map(|owner| Wanted::new(run.store, owner))
        .collect::<Result<_>>()?;
    let stored = {
        let mut conn = run.store.pool.acquire().await.map_err(db)?;
        read(&mut conn, tenant, wanted.iter().map(Wanted::id).collect()).await?
    };
    let differing: Vec<&Wanted<'_>> = wanted
        .iter()
        .filter(|wanted| wanted.news(stored.get(wanted.id())).is_any())
        .collect();
    if run.dry_run {
        for wanted in differing {
            wanted.note(tenant, stored.get(wanted.id()), changes);
        }
        return Ok(());
    }
    if differing.is_empty() {
        return Ok(());
    }
    let mut tries = 1;
    loop {
        match write(run, tenant, &differing).await {
            Ok(written) => {
                changes.extend(written);
                return Ok(());
            }
            Err(error) if is_tried_again(&error, tries) => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn write(run: &Run<'_>, tenant: &TenantId, wanted: &[&Wanted<'_>]) -> Result<Vec<SiteChange>> {
    let mut tx = run.store.begin().await?;
    let names = || wanted.iter().map(|wanted| wanted.id()).collect::<Vec<_>>();
    // In order, so that two that apply never wait for each other in a circle; a call locks one. `for update`, since what
    // an owner says is written beside the owner's row, whose key it holds: no refusal may slip in behind the look at it.
    sqlx::query("select from owner where tenant = $1 and name_in_tenant = any($2) order by id for update")
        .bind(tenant.as_str())
        .bind(names())
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    let stored = read(&mut tx, tenant, names()).await?;
    let mut rows = Rows::default();
    let (mut said_by, mut said) = (Vec::new(), Vec::new());
    let mut changes = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        let known = stored.get(wanted.id());
        let news = wanted.news(known);
        let id = match known {
            Some(known) => known.id,
            None => OwnerId::new(run.now, random().map_err(sealed("random bytes"))?).0,
        };
        if news.row {
            rows.push(run.store, id, wanted)?;
        }
        if news.consent {
            said_by.push(id);
            said.push(wanted.owner.consent_to_calls);
        }
        wanted.note(tenant, known, &mut changes);
    }
    rows.put(&mut tx, tenant).await?;
    if !said_by.is_empty() {
        sqlx::query(
            "insert into consent (tenant, owner, at, given, source) \
             select $1, k.owner, $2, k.given, $3 from unnest($4::uuid[], $5::boolean[]) as k (owner, given)",
        )
        .bind(tenant.as_str())
        .bind(sql(run.now))
        .bind(SITE_FILE)
        .bind(said_by)
        .bind(said)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    }
    commit(run, tx).await?;
    Ok(changes)
}

/// Those that the database has, by their names in the tenant.
async fn read(conn: &mut PgConnection, tenant: &TenantId, names: Vec<&str>) -> Result<HashMap<String, Stored>> {
    let rows = sqlx::query(
        "select id, name_in_tenant, name, phone_index, language, zone from owner \
         where tenant = $1 and name_in_tenant = any($2)",
    )
    .bind(tenant.as_str())
    .bind(names)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    let (mut stored, mut ids) = (HashMap::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    let mut names_of: HashMap<Uuid, String> = HashMap::with_capacity(rows.len());
    for row in &rows {
        let (id, name_in_tenant): (Uuid, String) = (row.col("id")?, row.col("name_in_tenant")?);
        ids.push(id);
        names_of.insert(id, name_in_tenant.clone());
        let known = Stored {
            id,
            name: row.col("name")?,
            phone_index: row.col("phone_index")?,
            language: row.col("language")?,
            zone: row.col("zone")?,
            file_said: None,
            others_said: None,
        };
        stored.insert(name_in_tenant, known);
    }
    if ids.is_empty() {
        return Ok(stored);
    }
    let entries = sqlx::query("select owner, given, source from consent where owner = any($1) order by number")
        .bind(ids)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    for entry in &entries {
        let given: bool = entry.col("given")?;
        let name = names_of.get(&entry.col::<Uuid>("owner")?);
        if let Some(known) = name.and_then(|name| stored.get_mut(name)) {
            if entry.col::<&str>("source")? == SITE_FILE {
                known.file_said = Some(given);
            } else {
                known.others_said = Some(given);
            }
        }
    }
    Ok(stored)
}

impl<'a> Wanted<'a> {
    fn new(store: &PostgresStore, owner: &'a Owner) -> Result<Self> {
        Ok(Self {
            owner,
            name: text(&owner.name),
            phone_index: owner.phone.as_ref().map(|phone| store.keyring.blind_index(phone)),
            language: word(&owner.language)?,
        })
    }

    fn id(&self) -> &str {
        &self.owner.id
    }

    fn phone_index(&self) -> Option<&[u8]> {
        self.phone_index.as_ref().map(|index| &index[..])
    }

    /// The ledger gets an entry where the file says something new. Its "yes" never undoes what the owner took back
    /// elsewhere.
    fn news(&self, known: Option<&Stored>) -> News {
        let same = |known: &Stored| {
            known.name == self.name
                && known.phone_index.as_deref() == self.phone_index()
                && known.language == self.language
                && known.zone == self.owner.zone
        };
        let given = self.owner.consent_to_calls;
        let file_said = known.and_then(|known| known.file_said).unwrap_or(false);
        let taken_back = known.is_some_and(|known| known.others_said == Some(false));
        News {
            row: !known.is_some_and(same),
            consent: file_said != given && !(given && taken_back),
        }
    }

    fn note(&self, tenant: &TenantId, known: Option<&Stored>, changes: &mut Vec<SiteChange>) {
        let news = self.news(known);
        let id = || format!("{tenant}/{}", self.owner.id);
        if news.row {
            note(changes, known.is_some(), "owner", id());
        }
        if news.consent {
            let said_before = known.is_some_and(|known| known.file_said.is_some());
            note(changes, said_before, "consent", id());
        }
    }
}

impl News {
    fn is_any(&self) -> bool {
        self.row || self.consent
    }
}

/// Rows of owners, column by column.
#[derive(Default)]
struct Rows<'a> {
    ids: Vec<Uuid>,
    names_in_tenant: Vec<&'a str>,
    names: Vec<&'a str>,
    phones: Vec<Option<Vec<u8>>>,
    phone_indexes: Vec<Option<&'a [u8]>>,
    languages: Vec<&'a str>,
    zones: Vec<&'a str>,
}

impl<'a> Rows<'a> {
    fn push(&mut self, store: &PostgresStore, id: Uuid, wanted: &'a Wanted<'_>) -> Result<()> {
        let phone = wanted.owner.phone.as_ref();
        let phone = phone
            .map(|phone| store.keyring.seal(&phone_place(id), phone.reveal().as_bytes()))
            .transpose()
            .map_err(sealed("phone number"))?;
        self.ids.push(id);
        self.names_in_tenant.push(wanted.id());
        self.names.push(&wanted.name);
        self.phones.push(phone);
        self.phone_indexes.push(wanted.phone_index());
        self.languages.push(&wanted.language);
        self.zones.push(&wanted.owner.zone);
        Ok(())
    }

    async fn put(self, conn: &mut PgConnection, tenant: &TenantId) -> Result<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into owner (id, tenant, name_in_tenant, name, phone, phone_index, language, zone) \
             select k.id, $1, k.name_in_tenant, k.name, k.phone, k.phone_index, k.language, k.zone \
             from unnest($2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::text[], $8::text[]) \
               as k (id, name_in_tenant, name, phone, phone_index, language, zone) \
             on conflict (id) do update set name = excluded.name, phone = excluded.phone, \
               phone_index = excluded.phone_index, language = excluded.language, zone = excluded.zone",
        )
        .bind(tenant.as_str())
        .bind(self.ids)
        .bind(self.names_in_tenant)
        .bind(self.names)
        .bind(self.phones)
        .bind(self.phone_indexes)
        .bind(self.languages)
        .bind(self.zones)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(())
    }
}
