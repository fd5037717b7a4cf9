//! One row a sample: its values as an array, or each in a column of its own. The same integers, binary COPY, one index.

use super::base::{Base, CHANNELS, Server};
use super::fleet;
use super::{Plan, size};
use anyhow::Result;
use sqlx::{Executor, PgConnection};
use std::time::{Duration, Instant};

/// Rows of one COPY.
const BATCH: u64 = 2_000;
const DEVICES: u64 = 200;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: [u8; 2] = (-1i16).to_be_bytes();
/// 2000-01-01 in microseconds of the Unix epoch.
const EPOCH_US: i64 = 946_684_800_000_000;
/// Type id of `integer`.
const INT4: i32 = 23;

/// How the values of a row lie.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Array,
    Columns,
}

impl Form {
    fn table(self) -> &'static str {
        match self {
            Self::Array => "as_array",
            Self::Columns => "as_columns",
        }
    }

    fn columns(self) -> String {
        match self {
            Self::Array => "v integer[] not null".to_owned(),
            Self::Columns => (1..=CHANNELS)
                .map(|id| format!("c{id} integer"))
                .collect::<Vec<_>>()
                .join(", "),
        }
    }

    fn row(self, data: &mut Vec<u8>, device: u64, minute: u64) {
        let values = (0..CHANNELS).map(|channel| fleet::value(device, minute, channel));
        let fields = if self == Self::Array {
            3
        } else {
            2 + i16::from(CHANNELS)
        };
        data.extend_from_slice(&fields.to_be_bytes());
        field(data, &device.to_be_bytes());
        let at = 1_767_225_600_000_000 + minute as i64 * 60_000_000 - EPOCH_US;
        field(data, &at.to_be_bytes());
        if self == Self::Array {
            let length = 20 + 8 * i32::from(CHANNELS);
            for number in [length, 1, 0, INT4, i32::from(CHANNELS), 1] {
                data.extend_from_slice(&number.to_be_bytes());
            }
        }
        for value in values {
            field(data, &value.to_be_bytes());
        }
    }
}

fn field(data: &mut Vec<u8>, bytes: &[u8]) {
    // At most eight bytes.
    data.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    data.extend_from_slice(bytes);
}

/// Loads both, in turn.
pub(super) async fn measure(server: &Server, plan: &Plan) -> Result<()> {
    let base = server.base("layout", 1).await?;
    let mut sql = base.sql().await?;
    println!("values of a row as an array, and as columns");
    for form in [Form::Array, Form::Columns] {
        let table = form.table();
        for statement in [
            format!(
                "create table {table} (appliance bigint not null, at timestamptz not null, {})",
                form.columns()
            ),
            format!("create index on {table} (appliance, at desc)"),
        ] {
            sql.execute(statement.as_str()).await?;
        }
    }
    let rows = plan.layout as u64 / u64::from(CHANNELS);
    let mut spent = [Duration::ZERO; 2];
    for begin in (0..rows).step_by(BATCH as usize) {
        for (form, spent) in [Form::Array, Form::Columns].into_iter().zip(&mut spent) {
            *spent += copy(&mut sql, form, begin..rows.min(begin + BATCH)).await?;
        }
    }
    for (form, spent) in [Form::Array, Form::Columns].into_iter().zip(spent) {
        tell(&base, form, plan.layout, spent).await?;
    }
    drop(sql);
    server.drop(base).await
}

async fn copy(sql: &mut PgConnection, form: Form, rows: std::ops::Range<u64>) -> Result<Duration> {
    let mut data = SIGNATURE.to_vec();
    for row in rows {
        form.row(&mut data, row % DEVICES, row / DEVICES);
    }
    data.extend_from_slice(&END);
    let begun = Instant::now();
    let statement = format!("copy {} from stdin with (format binary)", form.table());
    let mut copy = sql.copy_in_raw(&statement).await?;
    copy.send(data).await?;
    copy.finish().await?;
    Ok(begun.elapsed())
}

async fn tell(base: &Base, form: Form, values: usize, spent: Duration) -> Result<()> {
    let table = form.table();
    let each = |bytes: i64| bytes as f64 / values as f64;
    print!(
        "{table:11} {:8.0} values/s, {:.1} bytes a value",
        values as f64 / spent.as_secs_f64(),
        each(size::bytes(base, table).await?)
    );
    if base.is_timescale {
        size::make_compressible(base, table, "appliance").await?;
        print!(", compressed {:.2}", each(size::compress(base, table).await?));
    }
    println!();
    Ok(())
}
