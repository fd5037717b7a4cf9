//! Files stay small enough to read in one sitting.

use super::source::{is_test, without_tests};
use super::{TextFile, Violation};
use std::path::Path;

/// Lines of a source file, tests included. Aim at 100 to 300.
const LINES_MAX: usize = 500;

/// Lines of Rust outside of tests.
const CODE_MAX: usize = 450;

/// Files that are kept shorter: lines outside of tests, and why.
const SHORTER: [(&str, usize, &str); 1] = [(
    "hub/server/src/pipeline.rs",
    260,
    "it names the five stages and nothing else",
)];

/// Source files that may be longer, with the reason. This list only shrinks.
const EXCUSED: &[(&str, &str)] = &[];

/// Checks every source file, that no excuse is stale, and that what is kept shorter is there.
pub fn check(files: &[TextFile]) -> Vec<Violation> {
    let sources = files.iter().filter(|file| is_source(file));
    let mut found: Vec<_> = sources.filter_map(|file| judge(file, EXCUSED)).collect();
    for (path, max, _) in SHORTER {
        if files.iter().all(|file| file.path != Path::new(path)) {
            let text =
                format!("its bound of {max} lines is in xtask/src/tidy/size.rs, and it is not here: move the bound");
            found.push(Violation::new(path, 0, text));
        }
    }
    found
}

fn is_source(file: &TextFile) -> bool {
    ["rs", "py", "js", "sql", "css", "sh"]
        .iter()
        .any(|extension| file.has_extension(extension))
}

fn judge(file: &TextFile, excused: &[(&str, &str)]) -> Option<Violation> {
    let excuse = excused.iter().find(|(path, _)| file.path.as_os_str() == *path);
    let text = match (too_long(file), excuse) {
        (Some(text), None) => text,
        (None, Some((_, reason))) => format!("no longer needs its excuse ({reason}) in xtask/src/tidy/size.rs"),
        _ => return None,
    };
    Some(Violation::new(&file.path, 0, text))
}

fn too_long(file: &TextFile) -> Option<String> {
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        return Some(format!("{lines} lines, at most {LINES_MAX}: split it by what it owns"));
    }
    if !file.has_extension("rs") || is_test(&file.path) {
        return None;
    }
    let kept = SHORTER.iter().find(|(path, ..)| file.path == Path::new(path));
    let (max, why) = kept.map_or((CODE_MAX, "split it by what it owns"), |(_, max, why)| (*max, why));
    let code = without_tests(&file.text).lines().count();
    (code > max).then(|| format!("{code} lines outside of tests, at most {max}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::{CODE_MAX, LINES_MAX, SHORTER, TextFile, check, judge};

    fn file(path: &str, lines: usize) -> TextFile {
        TextFile {
            path: path.into(),
            text: "x\n".repeat(lines),
        }
    }

    #[test]
    fn long_files_need_an_excuse_and_short_ones_may_not_keep_it() {
        let excused = [("a.py", "generated")];
        assert_eq!(judge(&file("a.py", LINES_MAX), &[]), None);
        assert!(judge(&file("a.py", LINES_MAX + 1), &[]).is_some());
        assert_eq!(judge(&file("a.py", LINES_MAX + 1), &excused), None);
        assert!(judge(&file("a.py", LINES_MAX), &excused).is_some());
    }

    #[test]
    fn rust_is_shorter_but_for_its_tests() {
        assert_eq!(judge(&file("a.rs", CODE_MAX), &[]), None);
        assert!(judge(&file("a.rs", CODE_MAX + 1), &[]).is_some());
        assert_eq!(judge(&file("tests/a.rs", LINES_MAX), &[]), None);
        assert!(judge(&file("tests/a.rs", LINES_MAX + 1), &[]).is_some());
        let mut tested = file("a.rs", CODE_MAX);
        tested.text.push_str("#[cfg(test)]\nmod tests {\n}\n");
        assert_eq!(judge(&tested, &[]), None);
    }

    #[test]
    fn the_pipeline_is_on_one_screen_and_where_its_bound_says() {
        let [(path, max, _)] = SHORTER;
        assert_eq!(check(&[file(path, max)]), []);
        assert_eq!(check(&[file(path, max + 1)]).len(), 1);
        assert_eq!(check(&[file("hub/server/src/stages.rs", max)]).len(), 1);
    }
}
