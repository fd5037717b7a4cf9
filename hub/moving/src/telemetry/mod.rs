//! Telemetry on its way: rows as they are hashed, and as Parquet holds them.

mod parquet_in;
mod parquet_out;
mod row;
mod schema;

pub(super) use parquet_in::ParquetIn;
pub(super) use parquet_out::{ParquetOut, column, failed};
pub(super) use row::{COLUMNS, digest};
