//! One row as one line of JSON: `{"mark":"…","row":{…}}`. The mark covers the row's text, the file and the line's number,
//! so a line that was changed, moved, added or taken away is known.

use crate::seal::{RowDigest, Sealer, digest};
use crate::tables::{Column, Shape};
use crate::text::Fields;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

const OPEN: &str = "{\"mark\":\"";
const BETWEEN: &str = "\",\"row\":";
const MARK_LEN: usize = 32;

/// The row as JSON: columns in their order, null ones left out.
pub(crate) fn to_json(columns: &[Column], fields: &Fields) -> String {
    let mut json = String::from("{");
    for (column, value) in columns.iter().zip(fields) {
        let Some(value) = value else { continue };
        if json.len() > 1 {
            json.push(',');
        }
        json.push('"');
        json.push_str(column.name);
        json.push_str("\":");
        match column.shape() {
            Shape::Json => json.push_str(value),
            Shape::Truth => json.push_str(if value == "t" { "true" } else { "false" }),
            Shape::Number if value.ends_with(|c: char| c.is_ascii_digit()) => json.push_str(value),
            // Not a number, in words.
            Shape::Number | Shape::Text => json.push_str(&serde_json::Value::from(value.as_str()).to_string()),
        }
    }
    json.push('}');
    json
}

/// Back; an error says what is wrong with the line.
pub(crate) fn from_json(columns: &[Column], json: &str) -> Result<Fields, String> {
    let mut values: BTreeMap<String, &RawValue> =
        serde_json::from_str(json).map_err(|error| format!("it is not a row in JSON ({error})"))?;
    let fields = columns
        .iter()
        .map(|column| match values.remove(column.name) {
            None => Ok(None),
            Some(value) => field(*column, value.get()).map(Some),
        })
        .collect();
    match values.keys().next() {
        Some(unknown) => Err(format!("it has a value for {unknown}, which is no column")),
        None => fields,
    }
}

fn field(column: Column, raw: &str) -> Result<String, String> {
    match column.shape() {
        Shape::Json => Ok(raw.to_owned()),
        Shape::Number if !raw.starts_with('"') => Ok(raw.to_owned()),
        Shape::Truth => Ok(raw.to_owned()),
        Shape::Number | Shape::Text => {
            serde_json::from_str(raw).map_err(|error| format!("its {} is not text ({error})", column.name))
        }
    }
}

/// The whole line, without its end, and the row's digest.
pub(crate) fn seal(sealer: &Sealer, table: &str, file: &str, number: u64, row: &str) -> (String, RowDigest) {
    let digest = digest(table, row.as_bytes());
    let mark = hex::encode(sealer.mark(file, number, &digest));
    (format!("{OPEN}{mark}{BETWEEN}{row}}}"), digest)
}

/// The row of a line whose mark is right.
pub(crate) fn open<'a>(
    sealer: &Sealer,
    table: &str,
    file: &str,
    number: u64,
    line: &'a str,
) -> Option<(&'a str, RowDigest)> {
    let rest = line.strip_prefix(OPEN)?;
    let (mark, rest) = rest.split_at_checked(MARK_LEN)?;
    let row = rest.strip_prefix(BETWEEN)?.strip_suffix('}')?;
    let digest = digest(table, row.as_bytes());
    (mark == hex::encode(sealer.mark(file, number, &digest))).then_some((row, digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_store_postgres::Keyring;
    use uuid::Uuid;

    const COLUMNS: [Column; 5] = [
        column("id", "text"),
        column("n", "bigint"),
        column("x", "double precision"),
        column("ok", "boolean"),
        column("j", "jsonb"),
    ];

    const fn column(name: &'static str, sql_type: &'static str) -> Column {
        Column { name, sql_type }
    }

    fn sealer(export: u128) -> Sealer {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::open_or_create(&folder.path().join("k")).unwrap();
        Sealer::new(&keyring, Uuid::from_u128(export))
    }

    #[test]
    fn rows_go_both_ways_exactly() {
        let text = |s: &str| Some(s.to_owned());
        for fields in [
            vec![
                text("a\"\n\t\u{1}é"),
                text("-9223372036854775808"),
                text("NaN"),
                text("t"),
                text("null"),
            ],
            vec![
                text(""),
                None,
                text("1e-05"),
                text("f"),
                text(r#"{"a": 1.10, "b": 12345678901234567890123}"#),
            ],
            vec![None, None, None, None, None],
        ] {
            let json = to_json(&COLUMNS, &fields);
            assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
            let mut back = from_json(&COLUMNS, &json).unwrap();
            // The database takes both words for it.
            if let Some(truth) = &mut back[3] {
                truth.truncate(1);
            }
            assert_eq!(back, fields);
        }
        assert!(from_json(&COLUMNS, r#"{"other":1}"#).unwrap_err().contains("other"));
        assert!(from_json(&COLUMNS, r#"{"id":1}"#).is_err() && from_json(&COLUMNS, "[]").is_err());
    }

    #[test]
    fn a_line_opens_only_in_its_place() {
        let sealer = sealer(1);
        let (line, digest) = seal(&sealer, "t", "t.jsonl", 3, r#"{"id":"1"}"#);
        assert_eq!(open(&sealer, "t", "t.jsonl", 3, &line), Some((r#"{"id":"1"}"#, digest)));
        assert!(open(&sealer, "t", "t.jsonl", 4, &line).is_none());
        assert!(open(&sealer, "t", "u.jsonl", 3, &line).is_none());
        assert!(open(&sealer, "t", "t.jsonl", 3, &line.replace("\"1\"", "\"2\"")).is_none());
        assert!(
            open(&self::sealer(1), "t", "t.jsonl", 3, &line).is_none(),
            "another keyring"
        );
        assert!(open(&sealer, "t", "t.jsonl", 3, "é").is_none());
    }
}
