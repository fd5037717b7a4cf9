//! Bytes of a file as text. What is neither UTF-8 nor UTF-16 may be in a code page of a spreadsheet: only columns that nobody
//! reads are expected to hold such characters, so that a wrong guess does no harm.

use super::TableError;
use encoding_rs::{Encoding, GB18030, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::borrow::Cow;

/// How files begin that are taken for CSV by their name.
const OTHER_FILES: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "a spreadsheet or an archive (.xlsx, .ods, .zip)"),
    (b"\xD0\xCF\x11\xE0", "a spreadsheet (.xls)"),
    (b"\x1F\x8B", "compressed (.gz)"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF document"),
];

/// What the bytes say, by each encoding that they may be in; the likeliest first.
pub(crate) fn decoded(bytes: &[u8]) -> Result<Vec<Cow<'_, str>>, TableError> {
    if let Some(&(_, kind)) = OTHER_FILES.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(TableError::NotText { kind });
    }
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return Ok(vec![encoding.decode_with_bom_removal(bytes).0]);
    }
    // Nothing but UTF-16 has a NUL in it; its first character is a letter or a quotation mark of the heading.
    if bytes.contains(&0) {
        return match bytes {
            [0, second, ..] if *second != 0 => Ok(vec![UTF_16BE.decode_without_bom_handling(bytes).0]),
            [first, 0, ..] if *first != 0 => Ok(vec![UTF_16LE.decode_without_bom_handling(bytes).0]),
            _ => Err(TableError::NotText {
                kind: "text with NUL bytes in it, as a device leaves it that lost its power while it wrote",
            }),
        };
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(vec![Cow::Borrowed(text)]);
    }
    let mut texts = Vec::with_capacity(2);
    texts.extend(GB18030.decode_without_bom_handling_and_without_replacement(bytes));
    texts.push(WINDOWS_1252.decode_without_bom_handling(bytes).0);
    Ok(texts)
}
