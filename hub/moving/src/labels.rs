//! What closed tickets say of predictions, as one table for training: a row a ticket, in Parquet.

use crate::error::{Result, database};
use crate::files::NewFile;
use crate::source;
use crate::telemetry::{column, failed};
use futures::TryStreamExt;
use hub_core::ticket::TicketCategory;
use hub_store_postgres::PostgresStore;
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use sqlx::postgres::PgRow;
use sqlx::{Connection, Row};
use std::path::Path;
use std::sync::Arc;

/// Rows that are in memory at one time.
const GROUP_ROWS: usize = 10_000;

/// Columns of text, in their order: name, and what it is of a ticket `t` with its appliance `a` and its finding `f`. That has the
/// prediction that was most certain; the window is what of the readings was frozen with it.
const TEXTS: [(&str, &str); 10] = [
    ("ticket", "t.id::text"),
    ("tenant", "t.tenant"),
    ("device", "a.device"),
    ("profile", "a.profile"),
    ("family", "substring(f.prediction->>'model' from '^(.*)/[0-9]+$')"),
    ("hash", "f.prediction->>'model_hash'"),
    ("fault_class", "t.fault_class"),
    ("resolution", "t.outcome->>'resolution'"),
    ("verdict", "t.outcome->>'verdict'"),
    ("part", "t.outcome->>'part'"),
];
/// Columns of times, behind those.
const TIMES: [(&str, &str); 5] = [
    ("alarm_at", "f.alarm_at"),
    ("window_from", "(f.evidence->'points'->0->>'at')::timestamptz"),
    ("anomalous_since", "(f.evidence->>'anomalous_since')::timestamptz"),
    ("window_to", "(f.evidence->'points'->-1->>'at')::timestamptz"),
    ("closed_at", "t.closed_at"),
];
/// The version of the model that predicted.
const VERSION: &str = "substring(f.prediction->>'model' from '/([0-9]{1,9})$')::integer";

/// Rows on their way into a file, column by column.
#[derive(Default)]
struct Group {
    rows: usize,
    number: Vec<i64>,
    texts: [Optional<ByteArray>; TEXTS.len()],
    version: Optional<i32>,
    times: [Optional<i64>; TIMES.len()],
    corrected: Vec<bool>,
}

/// Values of a column that some rows lack.
struct Optional<T> {
    values: Vec<T>,
    /// 1 where a row has one.
    levels: Vec<i16>,
}

/// Writes a row for each closed ticket that a prediction opened, and for each other one by which a part was replaced: what no
/// model saw. Of one tenant, or of all. Memory does not grow with their number. Answers how many there are.
///
/// # Errors
///
/// Where the file cannot be written or the database fails; then there is no such file, or the one from before.
pub async fn labels(store: &PostgresStore, tenant: Option<&str>, to: &Path) -> Result<u64> {
    let new = NewFile::create(to.to_owned())?;
    let schema = parse_message_type(&message()).map_err(failed(to))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("forecall".to_owned());
    let mut file =
        SerializedFileWriter::new(new, Arc::new(schema), Arc::new(properties.build())).map_err(failed(to))?;
    let mut conn = source::connect(&store.connect_options()).await?;
    let (mut all, mut group) = (0, Group::default());
    let statement = statement();
    let mut rows = sqlx::query(&statement).bind(tenant).fetch(&mut conn);
    while let Some(row) = rows.try_next().await.map_err(database("reading closed tickets"))? {
        group.push(&row).map_err(database("reading a closed ticket"))?;
        all += 1;
        if group.rows == GROUP_ROWS {
            std::mem::take(&mut group).flush(&mut file).map_err(failed(to))?;
        }
    }
    drop(rows);
    conn.close().await.map_err(database("ending"))?;
    if group.rows > 0 {
        group.flush(&mut file).map_err(failed(to))?;
    }
    file.into_inner().map_err(failed(to))?.finish()?;
    Ok(all)
}

/// The schema (Parquet format, "Logical Types").
fn message() -> String {
    let texts = TEXTS.map(|(name, _)| format!("optional binary {name} (STRING); "));
    let times = TIMES.map(|(name, _)| format!("optional int64 {name} (TIMESTAMP(MICROS, true)); "));
    format!(
        "message label {{ required int64 number; {}optional int32 version; {}required boolean corrected; }}",
        texts.concat(),
        times.concat()
    )
}

fn statement() -> String {
    let texts = TEXTS.map(|(name, value)| format!("{value} as {name}, "));
    let times = TIMES.map(|(name, value)| format!("(extract(epoch from {value}) * 1000000)::bigint as {name}, "));
    format!(
        "select t.number, {}{VERSION} as version, {}t.correction is not null as corrected \
         from ticket t join appliance a on a.id = t.appliance left join finding f on f.id = t.finding \
         where t.category = '{}' and t.outcome is not null and (t.finding is not null or t.outcome ? 'part') \
           and ($1::text is null or t.tenant = $1) order by t.tenant, t.number",
        texts.concat(),
        times.concat(),
        TicketCategory::Resolved.name()
    )
}

impl Group {
    fn push(&mut self, row: &PgRow) -> std::result::Result<(), sqlx::Error> {
        self.rows += 1;
        self.number.push(row.try_get("number")?);
        for ((name, _), texts) in TEXTS.iter().zip(&mut self.texts) {
            let text: Option<String> = row.try_get(*name)?;
            texts.push(text.map(|text| ByteArray::from(text.into_bytes())));
        }
        self.version.push(row.try_get("version")?);
        for ((name, _), times) in TIMES.iter().zip(&mut self.times) {
            times.push(row.try_get(*name)?);
        }
        self.corrected.push(row.try_get("corrected")?);
        Ok(())
    }

    fn flush(self, file: &mut SerializedFileWriter<NewFile>) -> std::result::Result<(), ParquetError> {
        let mut to = file.next_row_group()?;
        self.write(&mut to)?;
        to.close().map(drop)
    }

    /// In the order of the schema.
    fn write(&self, to: &mut SerializedRowGroupWriter<'_, NewFile>) -> std::result::Result<(), ParquetError> {
        column::<Int64Type>(to, &self.number, None, None)?;
        for texts in &self.texts {
            column::<ByteArrayType>(to, &texts.values, Some(&texts.levels), None)?;
        }
        column::<Int32Type>(to, &self.version.values, Some(&self.version.levels), None)?;
        for times in &self.times {
            column::<Int64Type>(to, &times.values, Some(&times.levels), None)?;
        }
        column::<BoolType>(to, &self.corrected, None, None)
    }
}

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            levels: Vec::new(),
        }
    }
}

impl<T> Optional<T> {
    fn push(&mut self, value: Option<T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }
}
