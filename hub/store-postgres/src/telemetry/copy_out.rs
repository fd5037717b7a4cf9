//! Rows out of PostgreSQL's binary COPY format (manual, section "COPY", "Binary Format"): what [`super::copy`] wrote.

use super::columns::{COLUMNS, whole};
use super::copy::SIGNATURE;
use super::fields::EPOCH_US;
use super::moved_row::TelemetryRow;
use super::row::{FIELDS, Shape};
use hub_core::telemetry::kept;
use jiff::Timestamp;

/// A row is not longer than this, in bytes: a payload is bounded far below it.
const ROW_LEN_MAX: usize = 64 << 20;

/// Takes rows out of the answer to [`TelemetryTuples::statement`], which arrives in pieces.
#[derive(Debug, Default)]
pub struct TelemetryTuples {
    data: Vec<u8>,
    begun: bool,
}

/// Reads fields off the front.
struct Cursor<'a>(&'a [u8]);

impl TelemetryTuples {
    /// Sends rows of `telemetry`, each with every column. `chosen` is the rest of the query: which rows, and in what order; with
    /// nothing there, all of them as they lie.
    pub fn statement(chosen: &str) -> String {
        let columns = Shape::WHOLE.columns();
        format!("copy (select {columns} from telemetry {chosen}) to stdout with (format binary)")
    }

    /// Adds to `rows` those that this piece ends.
    ///
    /// # Errors
    ///
    /// What is wrong with the stream, in words: it is no binary COPY, or a row is not as the hub writes it, or is longer than
    /// 64 MiB.
    pub fn push(&mut self, piece: &[u8], rows: &mut Vec<TelemetryRow>) -> Result<(), String> {
        self.data.extend_from_slice(piece);
        let mut cursor = Cursor(&self.data);
        if !self.begun {
            let Some(()) = header(&mut cursor)? else {
                return Ok(());
            };
            self.begun = true;
        }
        let mut left = cursor.0.len();
        while let Some(row) = tuple(&mut cursor)? {
            rows.extend(row);
            left = cursor.0.len();
        }
        let taken = self.data.len() - left;
        self.data.drain(..taken);
        if self.data.len() > ROW_LEN_MAX {
            return Err(format!("a row is longer than {ROW_LEN_MAX} bytes"));
        }
        Ok(())
    }
}

fn header(cursor: &mut Cursor<'_>) -> Result<Option<()>, String> {
    let Some(signature) = cursor.take(SIGNATURE.len()) else {
        return Ok(None);
    };
    if signature != SIGNATURE {
        return Err("the database did not send rows in binary".to_owned());
    }
    let (Some(_flags), Some(extension)) = (cursor.i32(), cursor.i32()) else {
        return Ok(None);
    };
    Ok(cursor.take(usize::try_from(extension).unwrap_or(0)).map(drop))
}

/// The next row; the inner `None` is the end mark, the outer one "not here yet".
fn tuple(cursor: &mut Cursor<'_>) -> Result<Option<Option<TelemetryRow>>, String> {
    let Some(count) = cursor.i16() else {
        return Ok(None);
    };
    if count == -1 {
        return Ok(Some(None));
    }
    if usize::try_from(count) != Ok(FIELDS) {
        return Err(format!("a row has {count} columns"));
    }
    let mut fields = [None; FIELDS];
    for field in &mut fields {
        let Some(length) = cursor.i32() else {
            return Ok(None);
        };
        if let Ok(length) = usize::try_from(length) {
            let Some(bytes) = cursor.take(length) else {
                return Ok(None);
            };
            *field = Some(bytes);
        }
    }
    row(&fields)
        .map(|row| Some(Some(row)))
        .ok_or_else(|| "a row does not look as the hub writes it".to_owned())
}

/// Fields in the order in which the writer of telemetry names them.
fn row(fields: &[Option<&[u8]>; FIELDS]) -> Option<TelemetryRow> {
    let [
        appliance,
        ingest_no,
        at,
        received_at,
        boot,
        seq,
        trace_high,
        trace_low,
        tenant_no,
        ref values @ ..,
        partition,
        profile_no,
        lane,
        more,
        extra,
    ] = *fields;
    let mut all = values.iter().map(|value| integer(*value)).collect::<Option<Vec<_>>>()?;
    debug_assert_eq!(all.len(), COLUMNS);
    if let Some(more) = more {
        all.extend(integers(more)?);
    }
    let sequence = match (boot, lane, seq) {
        (None, None, None) => None,
        (boot, lane, seq) => Some((long(boot)?, short(lane)?, long(seq)?)),
    };
    Some(TelemetryRow {
        appliance: long(appliance)?,
        tenant_no: integer(tenant_no)??,
        partition: short(partition)?,
        profile_no: short(profile_no)?,
        ingest_no: long(ingest_no)?,
        at: time(at)?,
        received_at: time(received_at)?,
        sequence,
        trace: whole(long(trace_high)?, long(trace_low)?),
        values: kept(all),
        extra: match extra {
            None => None,
            // The version of the form, then the text.
            Some(bytes) => Some(String::from_utf8(bytes.get(1..)?.to_vec()).ok()?),
        },
    })
}

fn long(field: Option<&[u8]>) -> Option<i64> {
    Some(i64::from_be_bytes(field?.try_into().ok()?))
}

fn time(field: Option<&[u8]>) -> Option<Timestamp> {
    Timestamp::from_microsecond(long(field)?.checked_add(EPOCH_US)?).ok()
}

/// The inner `None` is a null.
fn integer(field: Option<&[u8]>) -> Option<Option<i32>> {
    match field {
        None => Some(None),
        Some(bytes) => Some(Some(i32::from_be_bytes(bytes.try_into().ok()?))),
    }
}

fn short(field: Option<&[u8]>) -> Option<i16> {
    Some(i16::from_be_bytes(field?.try_into().ok()?))
}

fn integers(field: &[u8]) -> Option<Vec<Option<i32>>> {
    let mut cursor = Cursor(field);
    let (dimensions, _has_null, _element) = (cursor.i32()?, cursor.i32()?, cursor.i32()?);
    if dimensions == 0 {
        return Some(Vec::new());
    }
    let (length, first) = (cursor.i32()?, cursor.i32()?);
    if dimensions != 1 || first != 1 {
        return None;
    }
    (0..length)
        .map(|_| match cursor.i32()? {
            4 => cursor.i32().map(Some),
            -1 => Some(None),
            _ => None,
        })
        .collect()
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take(2).map(|b| i16::from_be_bytes([b[0], b[1]]))
    }

    fn i32(&mut self) -> Option<i32> {
        self.take(4).map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::copy;
    use super::*;
    use uuid::Uuid;

    /// Rows of every kind.
    fn rows() -> Vec<TelemetryRow> {
        let row = TelemetryRow {
            appliance: 7,
            tenant_no: -1,
            partition: 255,
            profile_no: 12,
            ingest_no: i64::MAX,
            at: Timestamp::from_microsecond(-1).unwrap(),
            received_at: Timestamp::from_microsecond(1_772_416_800_123_456).unwrap(),
            sequence: Some((i64::MIN, 2, -5)),
            trace: Uuid::from_u64_pair(u64::MAX, 2),
            values: vec![Some(i32::MIN), None, Some(0)],
            extra: None,
        };
        let json = TelemetryRow {
            sequence: None,
            extra: Some("{\"a\": \"é\"}".to_owned()),
            ..row.clone()
        };
        let empty = TelemetryRow {
            values: Vec::new(),
            ..row.clone()
        };
        // More channels than have a column of their own.
        let mut many = vec![None; 39];
        many.push(Some(9));
        let wide = TelemetryRow {
            values: many,
            ..row.clone()
        };
        vec![row, json, empty, wide]
    }

    #[test]
    fn what_the_writer_sends_comes_back_however_it_is_cut() {
        let written = rows();
        let written: Vec<_> = written.iter().map(TelemetryRow::as_copy).collect();
        let data = copy::whole(&written);
        for size in [1, 7, 64, data.len()] {
            let mut tuples = TelemetryTuples::default();
            let mut seen = Vec::new();
            for piece in data.chunks(size) {
                tuples.push(piece, &mut seen).unwrap();
            }
            assert_eq!(seen, rows(), "in pieces of {size}");
        }
        let other = TelemetryTuples::default().push(b"something else entirely", &mut Vec::new());
        assert!(other.is_err());
    }
}
