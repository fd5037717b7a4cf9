//! Bans that Clippy cannot see: the monotonic clock in pure crates, time that the database makes up, and the simulated world
//! in the shipped binary outside of its demo.

use super::layering::PURE;
use super::source::{Token, lines_with, tokens};
use super::{TextFile, Violation};
use std::path::Path;

/// SQL that reads the database's clock. Civil time is an argument there too, or the demo's time-lapse and a replayed
/// test would write one time and compare with another.
const SQL_CLOCKS: [&str; 9] = [
    "now()",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtime",
    "clock_timestamp(",
    "statement_timestamp(",
    "transaction_timestamp(",
    "timeofday(",
];

/// Words that make a string literal SQL rather than text for people.
const SQL_WORDS: [&str; 9] = [
    "select ", "insert ", "update ", "delete ", "create ", "alter ", "set ", "where ", "with ",
];

/// Checks all SQL files and all Rust files.
pub fn check(files: &[TextFile]) -> Vec<Violation> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &TextFile) -> Vec<Violation> {
    if file.has_extension("sql") {
        return sql_file(file);
    }
    // This file names what it bans.
    if !file.has_extension("rs") || file.path == Path::new("xtask/src/tidy/bans.rs") {
        return Vec::new();
    }
    match tokens(&file.text) {
        Ok(tokens) => rust_file(file, &tokens),
        Err((line, error)) => vec![Violation::new(
            &file.path,
            line,
            format!("not readable as Rust: {error}"),
        )],
    }
}

fn sql_file(file: &TextFile) -> Vec<Violation> {
    file.text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let statement = line.split_once("--").map_or(line, |(before, _)| before);
            sql_clock(statement).map(|clock| refuse_clock(file, index + 1, clock))
        })
        .collect()
}

fn rust_file(file: &TextFile, tokens: &[Token]) -> Vec<Violation> {
    let mut found: Vec<Violation> = tokens
        .iter()
        .filter_map(|token| Some((token.line, token.string()?.to_lowercase())))
        .filter(|(_, literal)| is_sql(literal))
        .filter_map(|(line, literal)| sql_clock(&literal).map(|clock| refuse_clock(file, line, clock)))
        .collect();
    if is_pure(&file.path) {
        for line in lines_with(tokens, &["Instant", ":", ":", "now"]) {
            let text = "a pure crate reads no clock: take `now: Instant` as an argument";
            found.push(Violation::new(&file.path, line, text));
        }
    }
    if is_shipped(&file.path) {
        for line in lines_with(tokens, &["tests_world"]) {
            let text = "only the demo knows the simulated world: take the type of hub-lab, or of hub-core";
            found.push(Violation::new(&file.path, line, text));
        }
    }
    found
}

/// Whether a string literal, in lower case, is SQL.
pub(super) fn is_sql(literal: &str) -> bool {
    SQL_WORDS.iter().any(|word| literal.contains(word))
}

/// Whether it is part of the binary, but not of `forecall demo`.
fn is_shipped(path: &Path) -> bool {
    let demo = Path::new("hub/server/src/demo");
    path.starts_with("hub/server/src") && !path.starts_with(demo) && path != demo.with_extension("rs")
}

fn is_pure(path: &Path) -> bool {
    let path = path.to_string_lossy().replace('/', "-");
    PURE.iter()
        .any(|name| path.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')))
}

fn sql_clock(sql: &str) -> Option<&'static str> {
    let squeezed = sql.to_lowercase().replace("now ()", "now()");
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    SQL_CLOCKS.into_iter().find(|clock| {
        squeezed.match_indices(clock).any(|(at, _)| {
            let inside_name = squeezed[..at].ends_with(|c: char| letter(c) || c == '.');
            let name_goes_on = clock.ends_with(letter) && squeezed[at + clock.len()..].starts_with(letter);
            !inside_name && !name_goes_on
        })
    })
}

fn refuse_clock(file: &TextFile, line: usize, clock: &str) -> Violation {
    Violation::new(
        &file.path,
        line,
        format!("SQL `{clock}` reads the database's clock: bind civil time as a parameter"),
    )
}

#[cfg(test)]
mod tests {
    use super::{TextFile, check_file};

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check_file(&TextFile {
            path: path.into(),
            text: text.into(),
        })
        .iter()
        .map(|found| found.line)
        .collect()
    }

    #[test]
    fn sql_may_not_read_the_clock() {
        let migration = "-- now() in a comment\ncreate table t (at timestamptz default now());\nselect known();\n";
        assert_eq!(lines("hub/store-postgres/migrations/0001_start.sql", migration), [2]);
        assert_eq!(lines("a.sql", "select CURRENT_TIMESTAMP;"), [1]);
        assert_eq!(lines("a.sql", "select current_time_zone, x.current_date_of;"), [0; 0]);
    }

    #[test]
    fn sql_in_rust_may_not_either() {
        let source = "fn f(clock: &C) {\n    q(\"update ticket set at = now()\");\n    q(\"what is now()?\");\n    clock.now();\n}\n";
        assert_eq!(lines("hub/api/src/lib.rs", source), [2]);
    }

    #[test]
    fn pure_crates_read_no_monotonic_clock() {
        let source = "fn f() { let _ = std::time::Instant::now(); }";
        assert_eq!(lines("hub/core/src/clock.rs", source), [1]);
        assert_eq!(lines("hub/voice/src/media.rs", source), [0; 0]);
    }

    #[test]
    fn only_the_demo_knows_the_simulated_world() {
        let source = "// tests_world in words\nuse tests_world::Sample;\n";
        assert_eq!(lines("hub/server/src/commands/replay.rs", source), [2]);
        for demo in [
            "hub/server/src/demo.rs",
            "hub/server/src/demo/homes.rs",
            "hub/lab/src/home.rs",
        ] {
            assert_eq!(lines(demo, source), [0; 0], "{demo}");
        }
    }
}
