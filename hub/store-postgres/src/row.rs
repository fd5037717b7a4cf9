//! From rows to types and back: errors with the column's name, words of enums, JSON, civil time.

use crate::life::{found_dead, is_dead};
pub(crate) use hub_store::error::not_found;
use hub_store::error::{Result, StoreError};
pub(crate) use hub_store::text::{text, without_nul};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Postgres, Row};

/// What a failed statement means to the caller.
pub(crate) fn db(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(cause) => match cause.code().as_deref() {
            // serialization_failure, deadlock_detected, unique_violation
            Some("40001" | "40P01" | "23505") => {
                StoreError::Conflict("somebody else changed the same thing at the same time; look again".to_owned())
            }
            // Data exceptions, violated constraints and exceeded limits stay what they are, however often they are tried.
            Some(code) if code.starts_with("22") || code.starts_with("23") || code.starts_with("54") => {
                tracing::debug!(code, "the database does not take a value");
                let why = "the database does not take a value: it is too long, out of range, or not what belongs there";
                StoreError::Refused(why.to_owned())
            }
            _ => unavailable(error),
        },
        _ => unavailable(error),
    }
}

fn unavailable(error: sqlx::Error) -> StoreError {
    if is_dead(&error) {
        found_dead();
    }
    StoreError::Unavailable(Box::new(error))
}

/// A stored value that does not read.
pub(crate) fn unreadable(what: &'static str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    move |source| StoreError::Unreadable { what, source }
}

/// Civil time as the database takes it.
pub(crate) fn sql(at: Timestamp) -> jiff_sqlx::Timestamp {
    at.to_sqlx()
}

/// A number of rows, as the database takes it.
pub(crate) fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Civil time as it is read back: to the microsecond.
pub(crate) fn stored(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// Civil time that may be missing.
pub(crate) fn sql_maybe(at: Option<Timestamp>) -> Option<jiff_sqlx::Timestamp> {
    at.map(ToSqlx::to_sqlx)
}

/// The word by which an enum without data is stored.
pub(crate) fn word<T: Serialize>(value: &T) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(other) => Err(StoreError::Refused(format!("{other} is not a word"))),
        Err(error) => Err(StoreError::Refused(format!("a value has no stored form: {error}"))),
    }
}

/// A value as stored JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<serde_json::Value> {
    serde_json::to_value(value)
        .map(without_nul)
        .map_err(|error| StoreError::Refused(format!("a value has no stored form: {error}")))
}

/// Reading columns with errors that name them.
pub(crate) trait Columns {
    /// A plain column.
    fn col<'r, T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>>(&'r self, name: &'static str) -> Result<T>;
    /// Civil time.
    fn at(&self, name: &'static str) -> Result<Timestamp>;
    /// Civil time that may be missing.
    fn maybe_at(&self, name: &'static str) -> Result<Option<Timestamp>>;
    /// An enum's word, or a name that is checked on reading.
    fn word<T: DeserializeOwned>(&self, name: &'static str) -> Result<T>;
    /// The same, where it may be missing.
    fn maybe_word<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>>;
    /// JSON.
    fn json<T: DeserializeOwned>(&self, name: &'static str) -> Result<T>;
    /// JSON that may be missing.
    fn maybe_json<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>>;
}

impl Columns for PgRow {
    fn col<'r, T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>>(&'r self, name: &'static str) -> Result<T> {
        self.try_get(name).map_err(|error| unreadable(name)(Box::new(error)))
    }

    fn at(&self, name: &'static str) -> Result<Timestamp> {
        Ok(self.col::<jiff_sqlx::Timestamp>(name)?.to_jiff())
    }

    fn maybe_at(&self, name: &'static str) -> Result<Option<Timestamp>> {
        Ok(self
            .col::<Option<jiff_sqlx::Timestamp>>(name)?
            .map(jiff_sqlx::Timestamp::to_jiff))
    }

    fn word<T: DeserializeOwned>(&self, name: &'static str) -> Result<T> {
        parse(name, serde_json::Value::String(self.col(name)?))
    }

    fn maybe_word<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>> {
        self.col::<Option<String>>(name)?
            .map(|word| parse(name, serde_json::Value::String(word)))
            .transpose()
    }

    fn json<T: DeserializeOwned>(&self, name: &'static str) -> Result<T> {
        Ok(self.col::<Json<T>>(name)?.0)
    }

    fn maybe_json<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>> {
        Ok(self.col::<Option<Json<T>>>(name)?.map(|json| json.0))
    }
}

fn parse<T: DeserializeOwned>(name: &'static str, value: serde_json::Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| unreadable(name)(Box::new(error)))
}
