//! Accounts, sessions, and requests that may be repeated safely.

mod change;

use crate::row::{Columns, db, sql, sql_maybe};
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::account::account_role;
use hub_core::actor::Actor;
use hub_core::id::AccountId;
use hub_store::account::{Account, AccountStore, Idempotency, SESSIONS_MAX};
use hub_store::bounds::KEYS_KEPT;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::postgres::PgRow;

/// Forgotten keys removed with one request.
const KEYS_FORGOTTEN_MAX: i64 = 100;

#[async_trait]
impl AccountStore for PostgresStore {
    async fn create_first_account(&self, account: &Account, now: Timestamp) -> Result<bool> {
        let mut tx = self.begin().await?;
        // Two hubs that start at once would both see no account.
        sqlx::query("lock table account in share row exclusive mode")
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        let made = sqlx::query(
            "insert into account (id, name, password_hash, tenant, sites, roles, created_at) \
             select $1, $2, $3, $4, $5, $6, $7 where not exists (select from account)",
        )
        .bind(account.id.0)
        .bind(&account.actor.name)
        .bind(&account.password_hash)
        .bind(account.actor.tenant())
        .bind(account.actor.sites())
        .bind(role_names(&account.actor))
        .bind(sql(now))
        .execute(&mut *tx)
        .await
        .map_err(db)?
        .rows_affected();
        tx.commit().await.map_err(db)?;
        Ok(made == 1)
    }

    async fn account(&self, name: &str) -> Result<Option<Account>> {
        let query = || sqlx::query("select * from account where name = $1").bind(name);
        let rows = self.fetch(query).await?;
        rows.first().map(from_row).transpose()
    }

    async fn accounts(&self, actor: &Actor) -> Result<Vec<Actor>> {
        change::list(self, actor).await
    }

    async fn add_account(&self, actor: &Actor, account: &Account, now: Timestamp) -> Result<()> {
        change::add(self, actor, account, now).await
    }

    async fn change_account(&self, actor: &Actor, to: &Actor) -> Result<()> {
        change::change(self, actor, to).await
    }

    async fn set_password(&self, actor: &Actor, name: &str, password_hash: &str, but: Option<[u8; 32]>) -> Result<()> {
        change::set_password(self, actor, name, password_hash, but).await
    }

    async fn remove_account(&self, actor: &Actor, name: &str) -> Result<()> {
        change::remove(self, actor, name).await
    }

    async fn open_session(
        &self,
        token_hash: [u8; 32],
        account: AccountId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "delete from session where account = $1 and (expires_at <= $2 or token_hash in ( \
               select token_hash from session where account = $1 order by opened_at desc offset $3))",
        )
        .bind(account.0)
        // Refused they are by the time of asking, deleted as far as somebody vouches for it.
        .bind(sql_maybe(self.gate.as_of(now)))
        .bind(i64::from(SESSIONS_MAX) - 1)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        sqlx::query("insert into session (token_hash, account, opened_at, expires_at) values ($1, $2, $3, $4)")
            .bind(&token_hash[..])
            .bind(account.0)
            .bind(sql(now))
            .bind(sql(expires_at))
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        tx.commit().await.map_err(db)
    }

    async fn session(&self, token_hash: [u8; 32], now: Timestamp) -> Result<Option<Account>> {
        let query = || {
            sqlx::query(
                "select a.* from session s join account a on a.id = s.account where s.token_hash = $1 and s.expires_at > $2",
            )
            .bind(&token_hash[..])
            .bind(sql(now))
        };
        let rows = self.fetch(query).await?;
        rows.first().map(from_row).transpose()
    }

    async fn close_session(&self, token_hash: [u8; 32]) -> Result<()> {
        let delete = || sqlx::query("delete from session where token_hash = $1").bind(&token_hash[..]);
        self.fetch(delete).await.map(drop)
    }

    async fn idempotency(
        &self,
        account: AccountId,
        key: &str,
        request: [u8; 32],
        now: Timestamp,
    ) -> Result<Idempotency> {
        let mut tx = self.begin().await?;
        let vouched = self.gate.as_of(now);
        sqlx::query(
            "delete from idempotency where (account, key) in ( \
               select account, key from idempotency where at < $1 order by at limit $2 for update skip locked)",
        )
        .bind(sql_maybe(vouched.and_then(|until| until.checked_sub(KEYS_KEPT).ok())))
        .bind(KEYS_FORGOTTEN_MAX)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        let reserved = sqlx::query(
            "insert into idempotency as i (account, key, request, at) values ($1, $2, $3, $4) \
             on conflict (account, key) do update set request = excluded.request, at = excluded.at, status = null, body = null \
             where i.at < $5",
        )
        .bind(account.0)
        .bind(key)
        .bind(&request[..])
        .bind(sql(now))
        // One that has expired and is still there counts as new.
        .bind(sql_maybe(now.checked_sub(KEYS_KEPT).ok()))
        .execute(&mut *tx)
        .await
        .map_err(db)?
        .rows_affected();
        let known = sqlx::query("select request, status, body from idempotency where account = $1 and key = $2")
            .bind(account.0)
            .bind(key)
            .fetch_one(&mut *tx)
            .await
            .map_err(db)?;
        tx.commit().await.map_err(db)?;
        if reserved == 1 {
            return Ok(Idempotency::New);
        }
        if known.col::<Vec<u8>>("request")? != request {
            return Ok(Idempotency::OtherRequest);
        }
        let status: Option<i32> = known.col("status")?;
        let body: Option<String> = known.col("body")?;
        Ok(match status.and_then(|status| u16::try_from(status).ok()).zip(body) {
            Some((status, body)) => Idempotency::Done(status, body),
            None => Idempotency::UnderWay,
        })
    }

    async fn remember(&self, account: AccountId, key: &str, status: u16, body: &str) -> Result<()> {
        let update = || {
            sqlx::query("update idempotency set status = $3, body = $4 where account = $1 and key = $2")
                .bind(account.0)
                .bind(key)
                .bind(i32::from(status))
                .bind(body)
        };
        self.fetch(update).await.map(drop)
    }
}

fn from_row(row: &PgRow) -> Result<Account> {
    let roles: Vec<String> = row.col("roles")?;
    let roles = roles
        .iter()
        .map(|role| account_role(role))
        .collect::<std::result::Result<_, _>>();
    Ok(Account {
        id: AccountId(row.col("id")?),
        password_hash: row.col("password_hash")?,
        actor: Actor {
            name: row.col("name")?,
            tenant: row.maybe_word("tenant")?,
            sites: row.col("sites")?,
            roles: roles?,
        },
    })
}

/// Roles as they are stored.
fn role_names(actor: &Actor) -> Vec<&'static str> {
    actor.roles.iter().map(<&str>::from).collect()
}
