//! What the documents point at exists: links, and paths written as code.

use super::{TextFile, Violation};
use crate::run::succeeds;
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Checks every Markdown file.
pub fn check(root: &Path, files: &[TextFile]) -> Result<Vec<Violation>> {
    let folders: BTreeSet<&str> = files
        .iter()
        .filter(|file| file.path.components().count() > 1)
        .filter_map(|file| file.path.components().next()?.as_os_str().to_str())
        .collect();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.has_extension("md")) {
        let folder = file.path.parent().unwrap_or(Path::new(""));
        for (line, target) in links(&file.text) {
            if !root.join(folder).join(&target).exists() {
                found.push(Violation::new(
                    &file.path,
                    line,
                    format!("link to {target}, which does not exist"),
                ));
            }
        }
        for (line, path) in paths_in_code(&file.text, &folders) {
            if !root.join(&path).exists() && !is_ignored(root, &path) {
                found.push(Violation::new(
                    &file.path,
                    line,
                    format!("mentions {}, which does not exist", path.display()),
                ));
            }
        }
    }
    Ok(found)
}

/// Whether git ignores the path: built or fetched things may be mentioned without being here.
fn is_ignored(root: &Path, path: &Path) -> bool {
    succeeds(
        Command::new("git")
            .arg("-C")
            .arg(root)
            .args(["check-ignore", "--quiet"])
            .arg(path),
    )
}

/// Lines of a Markdown text outside fenced blocks, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

fn paths_in_code(text: &str, folders: &BTreeSet<&str>) -> Vec<(usize, PathBuf)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for span in line.split('`').skip(1).step_by(2) {
            let path = span.split(':').next().unwrap_or_default().trim_end_matches('/');
            let is_plain = !path.contains(|c: char| c.is_whitespace() || "{}*…<>$()".contains(c));
            let starts_here = path.split_once('/').is_some_and(|(first, _)| folders.contains(first));
            if is_plain && starts_here {
                found.push((number, PathBuf::from(path)));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{links, paths_in_code};
    use std::path::PathBuf;

    #[test]
    fn finds_links_into_the_repository() {
        let text = "[a](docs/a.md#part) [b](https://example.org) [c](#here)\n```\n[d](no.md)\n```\n";
        assert_eq!(links(text), [(1, "docs/a.md".to_owned())]);
    }

    #[test]
    fn finds_paths_written_as_code() {
        let folders = ["hub"].into_iter().collect();
        let text = "`hub/core/` and `hub/core/src/id.rs:3`, `hub/*/src`, `d/{id}/t`, `hub/{a,b}`";
        let expected = [(1, PathBuf::from("hub/core")), (1, PathBuf::from("hub/core/src/id.rs"))];
        assert_eq!(paths_in_code(text, &folders), expected);
    }
}
