//! Files stay small enough to read in one sitting.

use super::{TextFile, Violation};

/// Lines of a source file, tests included. Aim at 100 to 300.
const LINES_MAX: usize = 500;

/// Source files that may be longer, with the reason. This list only shrinks.
const EXCUSED: &[(&str, &str)] = &[];

/// Checks every source file and that no excuse is stale.
pub fn check(files: &[TextFile]) -> Vec<Violation> {
    files
        .iter()
        .filter(|file| is_source(file))
        .filter_map(|file| judge(file, EXCUSED))
        .collect()
}

fn is_source(file: &TextFile) -> bool {
    ["rs", "py", "js", "sql", "css", "sh"]
        .iter()
        .any(|extension| file.has_extension(extension))
}

fn judge(file: &TextFile, excused: &[(&str, &str)]) -> Option<Violation> {
    let lines = file.text.lines().count();
    let excuse = excused.iter().find(|(path, _)| file.path.as_os_str() == *path);
    match (lines > LINES_MAX, excuse) {
        (true, None) => Some(Violation::new(
            &file.path,
            0,
            format!("{lines} lines, at most {LINES_MAX}: split it by what it owns"),
        )),
        (false, Some((_, reason))) => Some(Violation::new(
            &file.path,
            0,
            format!("{lines} lines: no longer needs its excuse ({reason}) in xtask/src/tidy/size.rs"),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, TextFile, judge};

    #[test]
    fn long_files_need_an_excuse_and_short_ones_may_not_keep_it() {
        let file = |lines: usize| TextFile {
            path: "a.rs".into(),
            text: "x\n".repeat(lines),
        };
        let excused = [("a.rs", "generated")];
        assert_eq!(judge(&file(LINES_MAX), &[]), None);
        assert!(judge(&file(LINES_MAX + 1), &[]).is_some());
        assert_eq!(judge(&file(LINES_MAX + 1), &excused), None);
        assert!(judge(&file(LINES_MAX), &excused).is_some());
    }
}
