//! Reading a telemetry file, a group of rows at a time; every row must carry its own mark.

use super::parquet_out::short_mark;
use super::row::digest;
use super::schema::schema;
use crate::seal::{Content, Sealer};
use hub_store_postgres::TelemetryRow;
use jiff::Timestamp;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArrayType, DataType, FixedLenByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use uuid::Uuid;

/// A group holds no more rows than this; ours hold far fewer.
const GROUP_ROWS_MAX: i64 = 1_000_000;

/// What is wrong with a file, in words that name the record.
pub(crate) type Broken = String;

/// A file that is being read.
pub(crate) struct ParquetIn {
    name: String,
    file: SerializedFileReader<File>,
    sealer: Sealer,
    next_group: usize,
    /// What was read so far.
    pub(crate) content: Content,
}

impl ParquetIn {
    pub(crate) fn open(path: &Path, name: &str, sealer: Sealer) -> Result<Self, Broken> {
        let file = File::open(path).map_err(|error| format!("it cannot be opened ({error})"))?;
        let file = calmly(|| SerializedFileReader::new(file).map_err(|error| error.to_string()))
            .map_err(|error| format!("it is no whole Parquet file ({error})"))?;
        let found = file.metadata().file_metadata().schema_descr().root_schema_ptr();
        let wanted = schema().map_err(|error| error.to_string())?;
        if found.get_fields() != wanted.get_fields() {
            return Err("its columns are not those of telemetry".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            file,
            sealer,
            next_group: 0,
            content: Content::default(),
        })
    }

    /// The next rows; `None` at the end.
    pub(crate) fn next_rows(&mut self) -> Result<Option<Vec<TelemetryRow>>, Broken> {
        if self.next_group >= self.file.num_row_groups() {
            return Ok(None);
        }
        let first = self.content.rows + 1;
        let rows = calmly(|| read_group(&self.file, self.next_group))
            .map_err(|what| format!("rows from {first} on (group {}): {what}", self.next_group + 1))?;
        for (row, mark) in &rows {
            let (number, digest) = (self.content.rows + 1, digest(row));
            if *mark != short_mark(&self.sealer.mark(&self.name, number, &digest)) {
                return Err(format!(
                    "row {number} (partition {}, ingest_no {}) is not the one that was written there",
                    row.partition, row.ingest_no
                ));
            }
            self.content.add(&digest);
        }
        self.next_group += 1;
        Ok(Some(rows.into_iter().map(|(row, _)| row).collect()))
    }
}

/// The library panics at some damaged files, as at lengths below zero: the caller, which names the damage, gets an error then too.
fn calmly<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err("what it says of itself cannot be".to_owned()))
}

fn read_group(file: &SerializedFileReader<File>, number: usize) -> Result<Vec<(TelemetryRow, i32)>, String> {
    let group = file.get_row_group(number).map_err(|error| error.to_string())?;
    let count = group.metadata().num_rows();
    if !(0..=GROUP_ROWS_MAX).contains(&count) {
        return Err(format!("{count} rows are too many"));
    }
    read(&*group, usize::try_from(count).unwrap_or(0))
}

fn read(group: &dyn RowGroupReader, count: usize) -> Result<Vec<(TelemetryRow, i32)>, String> {
    let mut columns = Columns { group, next: 0, count };
    let appliance = columns.required::<Int64Type>()?;
    let ingest_no = columns.required::<Int64Type>()?;
    let at = columns.required::<Int64Type>()?;
    let received_at = columns.required::<Int64Type>()?;
    let boot = columns.optional::<Int64Type>()?;
    let seq = columns.optional::<Int64Type>()?;
    let tenant_no = columns.required::<Int32Type>()?;
    let partition = columns.required::<Int32Type>()?;
    let profile_no = columns.required::<Int32Type>()?;
    let lane = columns.optional::<Int32Type>()?;
    let trace = columns.required::<FixedLenByteArrayType>()?;
    let mut v = columns.lists()?.into_iter();
    let mut extra = columns.optional::<ByteArrayType>()?.into_iter();
    let mark = columns.required::<Int32Type>()?;
    let row = |n: usize| -> Option<(TelemetryRow, i32)> {
        let sequence = match (boot[n], lane[n], seq[n]) {
            (None, None, None) => None,
            (boot, lane, seq) => Some((boot?, i16::try_from(lane?).ok()?, seq?)),
        };
        let extra = match extra.next()? {
            Some(bytes) => Some(String::from_utf8(bytes.data().to_vec()).ok()?),
            None => None,
        };
        let row = TelemetryRow {
            appliance: appliance[n],
            tenant_no: tenant_no[n],
            partition: i16::try_from(partition[n]).ok()?,
            profile_no: i16::try_from(profile_no[n]).ok()?,
            ingest_no: ingest_no[n],
            at: Timestamp::from_microsecond(at[n]).ok()?,
            received_at: Timestamp::from_microsecond(received_at[n]).ok()?,
            sequence,
            trace: Uuid::from_slice(trace[n].data()).ok()?,
            values: v.next()?,
            extra,
        };
        Some((row, mark[n]))
    };
    let rows: Option<Vec<_>> = (0..count).map(row).collect();
    rows.ok_or_else(|| "a value is none that the hub writes".to_owned())
}

/// Columns of a group, one after the other.
struct Columns<'a> {
    group: &'a dyn RowGroupReader,
    next: usize,
    count: usize,
}

/// Values, and the levels that say where they belong.
struct Levels<T> {
    values: Vec<T>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl Columns<'_> {
    fn next<T: DataType>(&mut self) -> Result<Levels<T::T>, String> {
        let text = |error: ParquetError| error.to_string();
        let reader: ColumnReader = self.group.get_column_reader(self.next).map_err(text)?;
        self.next += 1;
        let mut reader: ColumnReaderImpl<T> = get_typed_column_reader(reader);
        let mut levels = Levels {
            values: Vec::new(),
            definition: Vec::new(),
            repetition: Vec::new(),
        };
        let mut read = 0;
        while read < self.count {
            let (records, ..) = reader
                .read_records(
                    self.count - read,
                    Some(&mut levels.definition),
                    Some(&mut levels.repetition),
                    &mut levels.values,
                )
                .map_err(text)?;
            if records == 0 {
                return Err("rows are missing".to_owned());
            }
            read += records;
        }
        Ok(levels)
    }

    fn required<T: DataType>(&mut self) -> Result<Vec<T::T>, String> {
        let values = self.next::<T>()?.values;
        (values.len() == self.count)
            .then_some(values)
            .ok_or_else(|| "values are missing".to_owned())
    }

    fn optional<T: DataType>(&mut self) -> Result<Vec<Option<T::T>>, String> {
        let levels = self.next::<T>()?;
        let mut values = levels.values.into_iter();
        let rows = levels.definition.iter().map(|level| match level {
            0 => Some(None),
            _ => values.next().map(Some),
        });
        let rows: Option<Vec<_>> = rows.collect();
        rows.filter(|rows| rows.len() == self.count)
            .ok_or_else(|| "values are missing".to_owned())
    }

    fn lists(&mut self) -> Result<Vec<Vec<Option<i32>>>, String> {
        let levels = self.next::<Int32Type>()?;
        let mut values = levels.values.into_iter();
        let mut rows: Vec<Vec<Option<i32>>> = Vec::with_capacity(self.count);
        for (level, repeats) in levels.definition.iter().zip(&levels.repetition) {
            if *repeats == 0 {
                rows.push(Vec::new());
            }
            let Some(row) = rows.last_mut() else { break };
            match level {
                0 => {}
                1 => row.push(None),
                _ => row.push(Some(values.next().ok_or("values are missing")?)),
            }
        }
        if rows.len() != self.count {
            return Err("values are missing".to_owned());
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parquet_out::ParquetOut;
    use super::super::row::tests::rows;
    use super::*;
    use hub_store_postgres::Keyring;

    fn written(folder: &Path, sealer: &Sealer) -> (std::path::PathBuf, Content) {
        let mut out = ParquetOut::create(folder, "t.parquet".to_owned(), sealer.clone()).unwrap();
        rows().iter().for_each(|row| out.push(row).unwrap());
        let (name, content, _) = out.finish().unwrap();
        (folder.join(name), content)
    }

    fn all(path: &Path, name: &str, sealer: &Sealer) -> Result<(Vec<TelemetryRow>, Content), Broken> {
        let mut file = ParquetIn::open(path, name, sealer.clone())?;
        let mut all = Vec::new();
        while let Some(rows) = file.next_rows()? {
            all.extend(rows);
        }
        Ok((all, file.content))
    }

    #[test]
    fn rows_come_back_and_a_changed_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::open_or_create(&folder.path().join("k")).unwrap();
        let sealer = Sealer::new(&keyring, Uuid::from_u128(1));
        let (path, content) = written(folder.path(), &sealer);
        assert_eq!(all(&path, "t.parquet", &sealer), Ok((rows(), content)));
        let other = Sealer::new(&keyring, Uuid::from_u128(2));
        let why = all(&path, "t.parquet", &other).unwrap_err();
        assert!(why.contains("row 1 (partition 255"), "{why}");
        assert!(all(&path, "u.parquet", &sealer).is_err());
    }

    /// A changed footer may name fewer rows, none of them changed: that some are missing, the count and the hash in the
    /// manifest say. Marks differ from run to run (their key is random), and with them what a flipped length lets the
    /// library take for a footer.
    #[test]
    fn every_flipped_byte_is_an_error_or_leaves_rows_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::open_or_create(&folder.path().join("k")).unwrap();
        let sealer = Sealer::new(&keyring, Uuid::from_u128(1));
        let (path, content) = written(folder.path(), &sealer);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&path, &bytes).unwrap();
            if let Ok((read, of_read)) = all(&path, "t.parquet", &sealer) {
                assert!(rows().starts_with(&read), "byte {at}: {read:?}");
                assert_eq!(of_read == content, read == rows(), "byte {at}: {of_read:?}");
            }
        }
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(all(&path, "t.parquet", &sealer).is_err(), "cut at {length}");
        }
    }
}
