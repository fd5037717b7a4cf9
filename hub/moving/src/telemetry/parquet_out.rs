//! Writing a telemetry file: rows are gathered column by column, and written a group at a time.

use super::row::digest;
use super::schema::{properties, schema};
use crate::error::{MoveError, Result};
use crate::files::{Finished, NewFile};
use crate::seal::{Content, Sealer};
use hub_store_postgres::TelemetryRow;
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use std::path::PathBuf;

/// Rows that are in memory at one time.
const GROUP_ROWS: usize = 50_000;

/// A file that is being written.
pub(crate) struct ParquetOut {
    name: String,
    path: PathBuf,
    file: SerializedFileWriter<NewFile>,
    sealer: Sealer,
    group: Group,
    /// What was written so far.
    pub(crate) content: Content,
}

/// One vector a column; of columns that may be null also which rows have a value.
#[derive(Default)]
struct Group {
    rows: usize,
    appliance: Vec<i64>,
    tenant_no: Vec<i32>,
    partition: Vec<i32>,
    profile_no: Vec<i32>,
    ingest_no: Vec<i64>,
    at: Vec<i64>,
    received_at: Vec<i64>,
    boot: Vec<i64>,
    lane: Vec<i32>,
    seq: Vec<i64>,
    /// 1 where there is a sequence number.
    sequenced: Vec<i16>,
    trace: Vec<FixedLenByteArray>,
    v: Vec<i32>,
    /// 2 is a value, 1 a null, 0 an empty list.
    v_levels: Vec<i16>,
    /// 0 begins a row.
    v_repeats: Vec<i16>,
    extra: Vec<ByteArray>,
    has_extra: Vec<i16>,
    mark: Vec<i32>,
}

impl ParquetOut {
    pub(crate) fn create(folder: &std::path::Path, name: String, sealer: Sealer) -> Result<Self> {
        let path = folder.join(&name);
        let new = NewFile::create(path.clone())?;
        let file = schema()
            .and_then(|schema| SerializedFileWriter::new(new, schema, properties()))
            .map_err(failed(&path))?;
        Ok(Self {
            name,
            path,
            file,
            sealer,
            group: Group::default(),
            content: Content::default(),
        })
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: &TelemetryRow) -> Result<()> {
        let digest = digest(row);
        let number = self.content.rows + 1;
        let mark = short_mark(&self.sealer.mark(&self.name, number, &digest));
        self.content.add(&digest);
        self.group.push(row, mark);
        if self.group.rows >= GROUP_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the file and puts it in its place.
    pub(crate) fn finish(mut self) -> Result<(String, Content, Finished)> {
        self.flush()?;
        let written = self.file.into_inner().map_err(failed(&self.path))?;
        Ok((self.name, self.content, written.finish()?))
    }

    fn flush(&mut self) -> Result<()> {
        if self.group.rows == 0 {
            return Ok(());
        }
        let group = std::mem::take(&mut self.group);
        let written = self.file.next_row_group().and_then(|mut to| {
            group.write(&mut to)?;
            to.close().map(drop)
        });
        written.map_err(failed(&self.path))
    }
}

impl Group {
    fn push(&mut self, row: &TelemetryRow, mark: i32) {
        self.rows += 1;
        self.appliance.push(row.appliance);
        self.tenant_no.push(row.tenant_no);
        self.partition.push(row.partition.into());
        self.profile_no.push(row.profile_no.into());
        self.ingest_no.push(row.ingest_no);
        self.at.push(row.at.as_microsecond());
        self.received_at.push(row.received_at.as_microsecond());
        self.sequenced.push(i16::from(row.sequence.is_some()));
        if let Some((boot, lane, seq)) = row.sequence {
            self.boot.push(boot);
            self.lane.push(lane.into());
            self.seq.push(seq);
        }
        self.trace.push(row.trace.as_bytes().to_vec().into());
        if row.values.is_empty() {
            self.v_levels.push(0);
            self.v_repeats.push(0);
        }
        for (at, value) in row.values.iter().enumerate() {
            self.v_levels.push(1 + i16::from(value.is_some()));
            self.v_repeats.push(i16::from(at > 0));
            self.v.extend(value);
        }
        self.has_extra.push(i16::from(row.extra.is_some()));
        self.extra.extend(row.extra.as_deref().map(ByteArray::from));
        self.mark.push(mark);
    }

    /// In the order of the schema.
    fn write(&self, to: &mut SerializedRowGroupWriter<'_, NewFile>) -> std::result::Result<(), ParquetError> {
        column::<Int64Type>(to, &self.appliance, None, None)?;
        column::<Int64Type>(to, &self.ingest_no, None, None)?;
        column::<Int64Type>(to, &self.at, None, None)?;
        column::<Int64Type>(to, &self.received_at, None, None)?;
        column::<Int64Type>(to, &self.boot, Some(&self.sequenced), None)?;
        column::<Int64Type>(to, &self.seq, Some(&self.sequenced), None)?;
        column::<Int32Type>(to, &self.tenant_no, None, None)?;
        column::<Int32Type>(to, &self.partition, None, None)?;
        column::<Int32Type>(to, &self.profile_no, None, None)?;
        column::<Int32Type>(to, &self.lane, Some(&self.sequenced), None)?;
        column::<FixedLenByteArrayType>(to, &self.trace, None, None)?;
        column::<Int32Type>(to, &self.v, Some(&self.v_levels), Some(&self.v_repeats))?;
        column::<ByteArrayType>(to, &self.extra, Some(&self.has_extra), None)?;
        column::<Int32Type>(to, &self.mark, None, None)
    }
}

/// Writes the next column of a group: values, and where they belong.
pub(crate) fn column<T: DataType>(
    to: &mut SerializedRowGroupWriter<'_, NewFile>,
    values: &[T::T],
    levels: Option<&[i16]>,
    repeats: Option<&[i16]>,
) -> std::result::Result<(), ParquetError> {
    let Some(mut column) = to.next_column()? else {
        return Err(ParquetError::General("the schema has too few columns".to_owned()));
    };
    column.typed::<T>().write_batch(values, levels, repeats)?;
    column.close()
}

/// Four bytes tell which row was changed; that any was, the hash of the file tells.
pub(super) fn short_mark(mark: &[u8; 16]) -> i32 {
    i32::from_be_bytes([mark[0], mark[1], mark[2], mark[3]])
}

/// What the file system says, if it is that.
pub(crate) fn failed(path: &std::path::Path) -> impl FnOnce(ParquetError) -> MoveError {
    let path = path.to_owned();
    move |error| {
        let source = match error {
            ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
                Ok(io) => *io,
                Err(other) => std::io::Error::other(other),
            },
            other => std::io::Error::other(other),
        };
        MoveError::File { path, source }
    }
}
