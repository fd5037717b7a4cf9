//! Words that do not belong in what is committed.

use super::{TextFile, Violation};
use std::path::Path;

/// Whole words, with what to do instead.
const WORDS: [(&str, &str); 6] = [
    ("TODO", "do it, or write a line in docs/known-gaps.md"),
    ("FIXME", "fix it, or write a line in docs/known-gaps.md"),
    ("XXX", "say what is wrong in docs/known-gaps.md"),
    ("HACK", "say why it is right, or make it right"),
    ("lorem", "write the text"),
    ("befalls", "take the plain word: happens to, affects"),
];

/// Words that comments in Rust do without. Texts that people read have tests of their own, and may hold them.
const MANNERED: [&str; 4] = ["whoever", "Whoever", "anew", "for ever"];

/// Documentation that asks instead of naming the thing: `Whose.` on a field is a riddle, "Tenant that owns the ticket." is none.
const RIDDLES: [&str; 11] = [
    "Whose.", "Why.", "Which.", "Who.", "Whom.", "What.", "When.", "Where.", "Then.", "Id.", "Runs it.",
];

/// Folders of one machine: a path into them works nowhere else.
const FOLDERS: [&str; 4] = ["/home/", "/Users/", "/work/", "/workspace/"];

/// Checks every text file but this one.
pub fn check(files: &[TextFile]) -> Vec<Violation> {
    files
        .iter()
        .filter(|file| file.path != Path::new("xtask/src/tidy/words.rs"))
        .flat_map(check_file)
        .collect()
}

fn check_file(file: &TextFile) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for (word, instead) in WORDS {
            if has_word(line, word) {
                found.push(Violation::new(&file.path, index + 1, format!("`{word}`: {instead}")));
            }
        }
        if let Some(said) = comment(line) {
            found.push(Violation::new(&file.path, index + 1, said));
        }
        for folder in FOLDERS {
            if starts_a_path(line, folder) {
                found.push(Violation::new(
                    &file.path,
                    index + 1,
                    format!("`{folder}` exists on one machine only"),
                ));
            }
        }
    }
    found
}

/// What is wrong with a line that is a comment in Rust.
fn comment(line: &str) -> Option<String> {
    let line = line.trim_start();
    if line.strip_prefix("/// ").is_some_and(|said| RIDDLES.contains(&said)) {
        return Some("documentation names the thing: \"Tenant that owns the ticket.\"".to_owned());
    }
    let mannered = MANNERED
        .into_iter()
        .find(|word| line.starts_with("//") && has_word(line, word));
    mannered.map(|word| format!("`{word}` in a comment: take the plain word"))
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].ends_with(letter) && !line[at + word.len()..].starts_with(letter)
    })
}

/// Whether `folder` begins an absolute path here, rather than standing inside a longer one.
fn starts_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '}' | '*' | '~'))
    })
}

#[cfg(test)]
mod tests {
    use super::{TextFile, check_file};

    fn count(line: &str) -> usize {
        check_file(&TextFile {
            path: "a.md".into(),
            text: line.into(),
        })
        .len()
    }

    #[test]
    fn finds_whole_words_only() {
        assert_eq!(count("// TODO: later"), 1);
        assert_eq!(count("138XXXX5678 and aTODOb"), 0);
    }

    #[test]
    fn finds_documentation_that_asks() {
        assert_eq!(count("    /// Whose."), 1);
        assert_eq!(count("    /// Tenant that owns the ticket."), 0);
        assert_eq!(count("    // Made anew for whoever asks"), 1);
        assert_eq!(count("    let text = \"made anew\"; // as before"), 0);
    }

    #[test]
    fn finds_folders_of_one_machine() {
        assert_eq!(count("cd /home/me/forecall"), 1);
        assert_eq!(count("../shared/work/x and src/home/page.rs"), 0);
    }
}
