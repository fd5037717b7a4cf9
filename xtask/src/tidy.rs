//! `xtask tidy`: the house rules that no compiler checks. Each rule is a file; each violation says where and what to do.

mod bans;
mod commands;
mod layering;
mod mentions;
mod pages;
mod size;
mod source;
mod ticket_states;
mod twice;
mod words;

use crate::workspace::{self, Workspace};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// One broken rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    file: PathBuf,
    /// From 1; 0 where the whole file is meant.
    line: usize,
    text: String,
}

impl Violation {
    fn new(file: impl Into<PathBuf>, line: usize, text: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            text: text.into(),
        }
    }
}

/// One text file of the repository.
struct TextFile {
    path: PathBuf,
    text: String,
}

impl TextFile {
    fn has_extension(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|found| found == extension)
    }
}

/// Checks every rule and fails with the number of violations, after printing each.
pub fn tidy() -> Result<()> {
    let workspace = Workspace::load()?;
    let root = workspace.workspace_root.clone();
    let files = text_files(&root)?;
    let mut violations = layering::check(&workspace);
    violations.extend(bans::check(&files));
    violations.extend(commands::check(&workspace, &files)?);
    violations.extend(mentions::check(&root, &files)?);
    violations.extend(pages::check(&files));
    violations.extend(size::check(&files));
    violations.extend(ticket_states::check(&files));
    violations.extend(twice::check(&files));
    violations.extend(words::check(&files));
    violations.sort();
    for violation in &violations {
        println!("{}:{}: {}", violation.file.display(), violation.line, violation.text);
    }
    ensure!(
        violations.is_empty(),
        "tidy: {} violations, listed above",
        violations.len()
    );
    println!(
        "tidy: {} files and {} crates keep the house rules",
        files.len(),
        workspace.packages.len()
    );
    Ok(())
}

fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let files = workspace::files(root)?;
    // What is not UTF-8 is a model, a sound or a picture: nothing here to check.
    Ok(files
        .into_iter()
        .filter_map(|path| {
            std::fs::read_to_string(root.join(&path))
                .ok()
                .map(|text| TextFile { path, text })
        })
        .collect())
}
