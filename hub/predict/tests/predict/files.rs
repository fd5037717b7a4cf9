//! Files as devices, scripts and spreadsheets write them: what `score` makes of each, kind by kind.

use std::sync::Arc;

use crate::common::{csv_text, pump_rig, pump_rows};
use hub_predict::{Model, ScoreCsvError, read_rows, score_csv};

const ROWS: usize = 400;
const FAULT_AT: usize = 250;
const CALIBRATE: u32 = 100;

/// What comes of a file.
enum Answer {
    /// The same scores as of the plain file, and the fault is found.
    Same,
    /// It is refused, with these words.
    Refused(&'static str),
}
use Answer::{Refused, Same};

/// The file as it is without any twist: commas, decimal points, times without a zone.
fn plain(model: &Model) -> String {
    csv_text(model, &pump_rows(model, ROWS, FAULT_AT), ",")
}

/// Scores and alarms of a file, or why it is refused.
fn scored(model: &Arc<Model>, file: &[u8]) -> Result<Vec<(String, bool)>, String> {
    let mut output = Vec::new();
    match score_csv(file, &mut output, model, CALIBRATE) {
        Ok(_) => {}
        Err(ScoreCsvError::Input(why)) => return Err(why.to_string()),
        Err(other) => panic!("{other}"),
    }
    let output = String::from_utf8(output).unwrap();
    let mut read = csv::Reader::from_reader(output.as_bytes());
    let of_row = |record: csv::StringRecord| (record[1].to_owned(), &record[2] == "1");
    Ok(read.records().map(|record| of_row(record.unwrap())).collect())
}

/// All cases of a table.
fn judge(cases: &[(&str, Vec<u8>, Answer)]) {
    let model = Arc::new(pump_rig());
    let expected = scored(&model, plain(&model).as_bytes()).unwrap();
    assert_eq!(expected.len(), ROWS);
    assert!(expected.iter().any(|(_, alarm)| *alarm), "the fault is found");
    for (name, file, answer) in cases {
        match (answer, scored(&model, file)) {
            (Same, Ok(rows)) => assert!(rows == expected, "{name}: other scores"),
            (Same, Err(why)) => panic!("{name}: {why}"),
            (Refused(words), Ok(_)) => panic!("{name}: taken, though {words}"),
            (Refused(words), Err(why)) => assert!(why.contains(words), "{name}: {why}"),
        }
    }
}

/// The file with each line behind the heading changed.
fn lines(text: &str, change: impl Fn(&str) -> String) -> String {
    let mut lines = text.lines();
    let heading = lines.next().unwrap_or_default().to_owned();
    std::iter::once(heading)
        .chain(lines.map(change))
        .map(|line| line + "\n")
        .collect()
}

/// The file with its times written in another way.
fn times(text: &str, write: impl Fn(jiff::civil::DateTime) -> String) -> String {
    lines(text, |line| {
        let fields: Vec<&str> = line.split(',').collect();
        let at = fields[1].parse().unwrap();
        format!("{},{},{}", fields[0], write(at), fields[2..].join(","))
    })
}

/// As `strftime` writes them.
fn written(text: &str, format: &str) -> String {
    times(text, |at| at.strftime(format).to_string())
}

/// The file with one field of one line replaced; the line as an editor counts it, the field from 0.
fn with(text: &str, line: usize, field: usize, value: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut fields: Vec<&str> = lines[line - 1].split(',').collect();
    fields[field] = value;
    lines[line - 1] = fields.join(",");
    lines.join("\n") + "\n"
}

fn utf16(text: &str, to_bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

#[test]
fn delimiters_and_encodings() {
    let model = pump_rig();
    let plain = plain(&model);
    let with_semicolons = plain.replace(',', ";");
    let decimal_comma = with_semicolons.replace('.', ",");
    let last_line_of_excel = format!("{plain}{}\r\n", ",".repeat(9));
    let remark = |remark: &[u8]| -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, line) in plain.lines().enumerate() {
            bytes.extend(line.as_bytes());
            bytes.push(b',');
            bytes.extend_from_slice(if at == 0 { b"\"remark; text\"" } else { remark });
            bytes.push(b'\n');
        }
        bytes
    };
    let quoted = lines(&plain, |line| format!("\"{}\"", line.replace(',', "\",\"")));
    let comma_in_quotes = quoted.replace('.', ",");
    let marked = |mark: &[u8], text: Vec<u8>| [mark, &text].concat();
    judge(&[
        ("plain", plain.clone().into(), Same),
        ("semicolons", with_semicolons.clone().into(), Same),
        ("tabs", plain.replace(',', "\t").into(), Same),
        ("decimal comma", decimal_comma.clone().into(), Same),
        ("tabs and decimal comma", decimal_comma.replace(';', "\t").into(), Same),
        ("every field in quotes", quoted.clone().into(), Same),
        ("decimal comma in quotes", comma_in_quotes.into(), Same),
        (
            "both marks",
            with_semicolons.replacen(".0", ",0", 1).into(),
            Refused("either the point or the comma"),
        ),
        ("a semicolon in a quoted heading", remark(b"ok"), Same),
        ("a comma in a quoted text", remark(b"\"slow, then fast\""), Same),
        ("two lines in a quoted text", remark(b"\"slow,\nthen fast\""), Same),
        (
            "a comma in a text without quotes",
            remark(b"slow, then fast"),
            Refused("line 2: 12 fields, and the heading has 11"),
        ),
        ("sep=", format!("sep=;\r\n{with_semicolons}").into(), Same),
        ("sep= in quotes", format!("\"sep=,\"\n{plain}").into(), Same),
        ("bars", plain.replace(',', "|").into(), Refused("parted by commas")),
        ("lines of Windows", plain.replace('\n', "\r\n").into(), Same),
        ("lines of an old Macintosh", plain.replace('\n', "\r").into(), Same),
        ("an empty last line of Excel", last_line_of_excel.into(), Same),
        ("blank lines", plain.replacen('\n', "\n\n\n", 3).into(), Same),
        (
            "fields beyond the heading, empty",
            lines(&plain, |line| format!("{line},,")).into(),
            Same,
        ),
        (
            "a line that is cut off",
            plain[..plain.len() - 30].into(),
            Refused("line 401: "),
        ),
        ("no line end at the end", plain.trim_end().into(), Same),
        ("UTF-8 with its mark", format!("\u{FEFF}{plain}").into(), Same),
        (
            "UTF-16 of Windows",
            marked(&[0xFF, 0xFE], utf16(&plain, u16::to_le_bytes)),
            Same,
        ),
        (
            "UTF-16, the other way",
            marked(&[0xFE, 0xFF], utf16(&plain, u16::to_be_bytes)),
            Same,
        ),
        ("UTF-16 without its mark", utf16(&plain, u16::to_le_bytes), Same),
        (
            "UTF-16 without its mark, the other way",
            utf16(&plain, u16::to_be_bytes),
            Same,
        ),
        (
            "Windows-1252 in a column that is not read",
            remark(b"Pr\xFCfstand 5 \xB0C"),
            Same,
        ),
        (
            "GBK in a column that is not read",
            remark(b"\xCB\xAE\xB1\xC3\xD2\xEC\xCF\xEC"),
            Same,
        ),
        (
            "a quotation mark that is not closed",
            remark(b"\"ok"),
            Refused("line 2: "),
        ),
        (
            "a spreadsheet",
            b"PK\x03\x04rest".to_vec(),
            Refused("(.xlsx, .ods, .zip), not CSV: open it"),
        ),
        ("compressed", b"\x1F\x8B\x08rest".to_vec(), Refused("compressed (.gz)")),
        (
            "NULs at the end",
            marked(plain.as_bytes(), vec![0; 512]),
            Refused("NUL bytes"),
        ),
        ("nothing", Vec::new(), Refused("no time column")),
        (
            "no heading",
            plain.lines().skip(1).collect::<Vec<_>>().join("\n").into(),
            Refused("no time column"),
        ),
        (
            "a column twice",
            plain.replacen("note", "Current", 1).into(),
            Refused("`Current` is there twice"),
        ),
        (
            "a channel without a column",
            plain.replacen("Current", "current_a", 1).into(),
            Refused("`Current` is missing; found: "),
        ),
    ]);
}

#[test]
fn ways_to_write_a_time() {
    let model = pump_rig();
    let plain = plain(&model);
    // All of one month, days up to the 12th: from 2023-11-05 on.
    let early = times(&plain, |at| {
        (at - jiff::Span::new().days(9)).strftime("%F %T").to_string()
    });
    let unix = |scale: f64| {
        move |at: jiff::civil::DateTime| {
            let at = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
            format!("{}", (at.as_second() as f64 * scale) as i64)
        }
    };
    let split = |date: &str, time: &str| {
        let format = format!("{date},{time}");
        written(&plain, &format).replacen("datetime", "Date,Time", 1)
    };
    let line_5 = |value: &str| with(&plain, 5, 1, value);
    judge(&[
        ("ISO with T", written(&plain, "%FT%T").into(), Same),
        ("ISO with Z", written(&plain, "%FT%TZ").into(), Same),
        ("ISO with an offset", written(&plain, "%FT%T+00:00").into(), Same),
        ("thousandths", written(&plain, "%F %T.000").into(), Same),
        (
            "slashes, the year first",
            written(&plain, "%Y/%m/%d %H:%M:%S").into(),
            Same,
        ),
        (
            "slashes without zeros",
            written(&plain, "%Y/%-m/%-d %-H:%M:%S").into(),
            Same,
        ),
        (
            "points, the year first",
            written(&plain, "%Y.%m.%d %H:%M:%S").into(),
            Same,
        ),
        (
            "day, month and year with points",
            written(&plain, "%d.%m.%Y %H:%M:%S").into(),
            Same,
        ),
        (
            "day/month/year, beyond the 12th",
            written(&plain, "%d/%m/%Y %H:%M:%S").into(),
            Same,
        ),
        (
            "month/day/year, beyond the 12th",
            written(&plain, "%m/%d/%Y %H:%M:%S").into(),
            Same,
        ),
        (
            "day-month-year, beyond the 12th",
            written(&plain, "%d-%m-%Y %H:%M:%S").into(),
            Same,
        ),
        (
            "day or month",
            written(&early, "%d/%m/%Y %H:%M:%S").into(),
            Refused("line 2, column `datetime`: `05/11/2023 22:13:21` is not a time; it may be day/month or month/day"),
        ),
        (
            "day and month alike",
            plain.replace("2023-11-14", "11/11/2023").into(),
            Same,
        ),
        (
            "day and month in turn",
            with(&written(&plain, "%d/%m/%Y %T"), 9, 1, "11/14/2023 22:13:28").into(),
            Refused("line 9, "),
        ),
        ("AM and PM", written(&plain, "%m/%d/%Y %I:%M:%S %p").into(), Same),
        (
            "am and pm with points",
            written(&plain, "%F %I:%M:%S p.m.").into(),
            Same,
        ),
        (
            "AM/PM with the 13th hour",
            line_5("2023-11-14 22:13:24 PM").into(),
            Refused("line 5, "),
        ),
        ("UTC behind it", written(&plain, "%F %T UTC").into(), Same),
        (
            "another zone's name",
            line_5("2023-11-14 22:13:24 CST").into(),
            Refused("2024-05-01T12:00:00+02:00"),
        ),
        ("Unix seconds", times(&plain, unix(1.0)).into(), Same),
        (
            "Unix seconds with a fraction",
            times(&plain, |at| unix(1.0)(at) + ".000").into(),
            Same,
        ),
        ("Unix milliseconds", times(&plain, unix(1_000.0)).into(), Same),
        (
            "Unix microseconds",
            times(&plain, unix(1_000_000.0)).into(),
            Refused("seconds (10 digits) or milliseconds (13 digits)"),
        ),
        ("without anything between", written(&plain, "%Y%m%d%H%M%S").into(), Same),
        ("date and time in two columns", split("%F", "%T").into(), Same),
        (
            "the same, day first and PM",
            split("%d/%m/%Y", "%I:%M:%S %p").into(),
            Same,
        ),
        (
            "the time of day alone",
            written(&plain, "%T").into(),
            Refused("it has no date"),
        ),
        (
            "a spreadsheet's day number",
            line_5("45244.926").into(),
            Refused("yyyy-mm-dd hh:mm:ss"),
        ),
        (
            "digits that a spreadsheet took away",
            line_5("1.70000E+12").into(),
            Refused("its last digits are lost"),
        ),
        (
            "a year of two digits",
            line_5("14/11/23 22:13").into(),
            Refused("four digits"),
        ),
        (
            "a month's name",
            line_5("14-Nov-2023 22:13:24").into(),
            Refused("line 5, column `datetime`: `14-Nov-2023 22:13:24`"),
        ),
        (
            "a day that is none",
            line_5("2023-02-30 00:00:00").into(),
            Refused("line 5, "),
        ),
        (
            "an hour that is none",
            line_5("2023-11-14 25:00:00").into(),
            Refused("line 5, "),
        ),
        (
            "no time",
            line_5("").into(),
            Refused("line 5, column `datetime`: `` is not a time"),
        ),
        (
            "a column of another name",
            plain.replacen("datetime", "when", 1).into(),
            Refused("name one `datetime` or `timestamp`"),
        ),
        (
            "a column called timestamp",
            plain.replacen("datetime", "Timestamp", 1).into(),
            Same,
        ),
        (
            "a column called time",
            plain.replacen("datetime", "time", 1).into(),
            Same,
        ),
    ]);
}

#[test]
fn ways_to_write_a_number() {
    let model = pump_rig();
    let plain = plain(&model);
    let line_5 = |value: &str| with(&plain, 5, 4, value);
    let empty = line_5("");
    let mut cases = Vec::new();
    for word in [
        "NA", "N/A", "#N/A", "null", "NULL", "None", "-", "--", "nan", "NaN", "Infinity", "-inf", "\\N", "?", "empty",
    ] {
        cases.push((word, line_5(word)));
    }
    let model = Arc::new(model);
    let expected = scored(&model, empty.as_bytes()).unwrap();
    for (word, file) in cases {
        let rows = scored(&model, file.as_bytes());
        assert!(
            rows.as_ref() == Ok(&expected),
            "{word} is a missing value: {:?}",
            rows.err()
        );
    }
    judge(&[
        ("exponents", lines(&plain, |line| format!("{line}e0")).into(), Same),
        (
            "plus signs",
            lines(&plain, |line| line.replacen(",2.", ",+2.", 1)).into(),
            Same,
        ),
        ("spaces around", plain.replace(',', " , ").into(), Same),
        (
            "a typographer's minus",
            plain.replace(",-0.", ",\u{2212}0.").into(),
            Same,
        ),
        (
            "a unit",
            line_5("2.1 A").into(),
            Refused("line 5, column `Current`: `2.1 A` is not a number; write the number alone"),
        ),
        ("a word", line_5("broken").into(), Refused("leave the field empty")),
        (
            "three digits behind the first comma",
            with(&plain, 2, 2, "\"2,125\"").into(),
            Refused("separator of thousands"),
        ),
        (
            "thousands with commas",
            line_5("\"1,234.5\"").into(),
            Refused("separators of thousands"),
        ),
        (
            "thousands with spaces",
            line_5("1 234.5").into(),
            Refused("without separators of thousands"),
        ),
        (
            "a number and an underscore",
            line_5("1_000").into(),
            Refused("line 5, column `Current`: `1_000`"),
        ),
        ("hexadecimal", line_5("0x1F").into(), Refused("`0x1F`")),
        ("a control character", line_5("2.1\u{1}").into(), Refused("`2.1\\u{1}`")),
    ]);
}

/// What a reader of an error looks for in an editor.
#[test]
fn lines_are_counted_as_an_editor_does() {
    let model = pump_rig();
    let plain = csv_text(&model, &pump_rows(&model, 6, 99), ",");
    let mut expected: Vec<usize> = (2..8).collect();
    let lines = |text: &str| read_rows(text.as_bytes(), model.profile()).unwrap().lines;
    assert_eq!(lines(&plain), expected);
    assert_eq!(lines(&plain.replace('\n', "\r\n")), expected);
    expected.iter_mut().for_each(|line| *line += 1);
    assert_eq!(lines(&format!("sep=,\r\n{plain}")), expected);
    // A blank line behind the second row.
    let at = plain.match_indices('\n').nth(2).unwrap().0;
    for blank in ["\n", "\r\n", ",,\n"] {
        let (above, below) = plain.split_at(at + 1);
        assert_eq!(
            lines(&format!("{above}{blank}{below}")),
            [2, 3, 5, 6, 7, 8],
            "{blank:?}"
        );
    }
}

/// The kinds that are judged elsewhere are read: newest first, a clock that was set back, other periods, a channel a row.
#[test]
fn the_order_of_rows_is_no_matter_of_reading() {
    let model = pump_rig();
    let rows = pump_rows(&model, 60, 99);
    let plain = csv_text(&model, &rows, ",");
    let read = |text: &str| read_rows(text.as_bytes(), model.profile()).unwrap().rows;
    assert_eq!(read(&plain), rows);
    let newest_first: Vec<&str> = plain
        .lines()
        .take(1)
        .chain(plain.lines().skip(1).collect::<Vec<_>>().into_iter().rev())
        .collect();
    let turned: Vec<_> = rows.iter().rev().cloned().collect();
    assert_eq!(read(&newest_first.join("\n")), turned);
    let channel_a_row = lines(&plain, |line| {
        let fields: Vec<&str> = line.split(',').collect();
        let one = |channel: usize| {
            let of = |at: usize| if at == channel { fields[at] } else { "" };
            let values: Vec<&str> = (2..fields.len()).map(of).collect();
            format!("{},{},{}", fields[0], fields[1], values.join(","))
        };
        (2..fields.len()).map(one).collect::<Vec<_>>().join("\n")
    });
    let read = read(&channel_a_row);
    assert_eq!(read.len(), rows.len() * model.profile().channels.len());
    assert!(read.iter().all(|row| row.values.iter().flatten().count() == 1));
}
