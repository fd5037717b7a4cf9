//! Every command that a document shows exists: make targets, cargo packages and examples, `forecall` subcommands and flags.

use super::{TextFile, Violation};
use crate::run::output_of;
use crate::workspace::Workspace;
use anyhow::Result;
use clap::CommandFactory;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Checks the `sh` blocks of every Markdown file.
pub fn check(workspace: &Workspace, files: &[TextFile]) -> Result<Vec<Violation>> {
    let makefile = std::fs::read_to_string(workspace.workspace_root.join("Makefile"))?;
    let mut checker = Checker {
        workspace,
        makefile,
        program: Program::find(workspace),
    };
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.has_extension("md")) {
        for (line, command) in commands(&file.text) {
            if let Err(complaint) = checker.check(&command) {
                found.push(Violation::new(
                    &file.path,
                    line,
                    format!("{complaint} (in `{}`)", command.join(" ")),
                ));
            }
        }
    }
    if checker.program.file.is_none() {
        println!("tidy: `forecall` is not built yet, so its commands in the documents were not checked");
    }
    Ok(found)
}

/// Simple commands of all `sh` blocks with their line: split as a shell does, at `&&` and `|`, assignments dropped.
fn commands(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut in_block = false;
    let mut pending = String::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = line.trim() == "```sh";
            pending.clear();
            continue;
        }
        if !in_block {
            continue;
        }
        if let Some(start) = line.strip_suffix('\\') {
            pending.push_str(start);
            continue;
        }
        pending.push_str(line);
        let words = shlex::split(&pending).unwrap_or_default();
        pending.clear();
        for part in words.split(|word| ["&&", "||", "|", "&"].contains(&word.as_str())) {
            let command: Vec<String> = part
                .iter()
                .skip_while(|word| is_assignment(word) || *word == "sudo")
                .cloned()
                .collect();
            if !command.is_empty() {
                found.push((index + 1, command));
            }
        }
    }
    found
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

struct Checker<'a> {
    workspace: &'a Workspace,
    makefile: String,
    program: Program,
}

impl Checker<'_> {
    fn check(&mut self, command: &[String]) -> Result<(), String> {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["make", rest @ ..] => self.make(rest),
            ["cargo", "xtask", rest @ ..] => xtask(rest),
            ["cargo", rest @ ..] => self.cargo(rest),
            [program, rest @ ..] if Path::new(program).file_name().is_some_and(|name| name == "forecall") => {
                self.program.check(rest)
            }
            _ => Ok(()),
        }?;
        self.files(&words)
    }

    fn make(&self, arguments: &[&str]) -> Result<(), String> {
        for target in arguments
            .iter()
            .filter(|word| !word.starts_with('-') && !is_assignment(word))
        {
            if !self
                .makefile
                .lines()
                .any(|line| line.strip_prefix(target).is_some_and(|rest| rest.starts_with(':')))
            {
                return Err(format!("Makefile has no target {target}"));
            }
        }
        Ok(())
    }

    fn cargo(&mut self, arguments: &[&str]) -> Result<(), String> {
        let (own, passed) = arguments.split_at(
            arguments
                .iter()
                .position(|word| *word == "--")
                .unwrap_or(arguments.len()),
        );
        let value = |names: [&str; 2]| own.windows(2).find(|pair| names.contains(&pair[0])).map(|pair| pair[1]);
        let package = value(["-p", "--package"]);
        if let Some(name) = package.filter(|name| !self.workspace.packages.iter().any(|found| found.name == *name)) {
            return Err(format!("no crate is named {name}"));
        }
        for kind in ["bin", "example", "test"] {
            let flag = format!("--{kind}");
            if let Some(name) = value([&flag, &flag]).filter(|name| !self.workspace.has_target(package, kind, name)) {
                return Err(format!("no {kind} is named {name}"));
            }
        }
        let passed = passed.get(1..).unwrap_or_default();
        match (own.first(), package, value(["--bin", "--example"])) {
            (Some(&"run"), Some("xtask"), _) => xtask(passed),
            (Some(&"run"), _, Some("forecall")) => self.program.check(passed),
            _ => Ok(()),
        }
    }

    /// Arguments that look like files of this repository exist.
    fn files(&self, words: &[&str]) -> Result<(), String> {
        for word in words {
            let Some((first, _)) = word.split_once('/') else {
                continue;
            };
            let root = &self.workspace.workspace_root;
            let is_ours = ["deploy", "models", "hub", "tests", "docs", "agent-sdk", "xtask"].contains(&first);
            if is_ours && !word.contains(['*', '$', '{']) && !root.join(word).exists() {
                return Err(format!("{word} does not exist"));
            }
        }
        Ok(())
    }
}

fn xtask(arguments: &[&str]) -> Result<(), String> {
    let command = crate::Cli::command();
    match arguments.first() {
        Some(chore) if command.find_subcommand(chore).is_none() => Err(format!("xtask has no chore {chore}")),
        _ => Ok(()),
    }
}

/// The built `forecall`, asked for its help; each answer is kept.
struct Program {
    file: Option<PathBuf>,
    help: BTreeMap<Vec<String>, String>,
}

impl Program {
    fn find(workspace: &Workspace) -> Self {
        let file = workspace.target_directory.join("debug/forecall");
        Self {
            file: file.exists().then_some(file),
            help: BTreeMap::new(),
        }
    }

    fn check(&mut self, arguments: &[&str]) -> Result<(), String> {
        if self.file.is_none() {
            return Ok(());
        }
        let mut path: Vec<String> = Vec::new();
        let mut rest = arguments;
        while let [word, after @ ..] = rest {
            let known = subcommands(&self.help(&path)?);
            if known.is_empty() || word.starts_with('-') {
                break;
            }
            if !known.iter().any(|name| name == word) {
                return Err(format!("`forecall {}` has no subcommand {word}", path.join(" ")));
            }
            path.push((*word).to_owned());
            rest = after;
        }
        let help = self.help(&path)?;
        match flags(rest).find(|flag| !mentions_flag(&help, flag)) {
            Some(flag) => Err(format!("`forecall {}` has no flag {flag}", path.join(" "))),
            None => Ok(()),
        }
    }

    fn help(&mut self, path: &[String]) -> Result<String, String> {
        if let Some(help) = self.help.get(path) {
            return Ok(help.clone());
        }
        let Some(file) = &self.file else {
            return Ok(String::new());
        };
        let help = output_of(Command::new(file).args(path).arg("--help")).map_err(|error| format!("{error:#}"))?;
        self.help.insert(path.to_vec(), help.clone());
        Ok(help)
    }
}

fn flags<'a>(arguments: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    arguments
        .iter()
        .filter(|word| word.starts_with('-') && word.contains(|c: char| c.is_ascii_alphabetic()))
        .map(|word| word.split('=').next().unwrap_or(word))
}

/// Names below "Commands:" in clap's help.
fn subcommands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

fn mentions_flag(help: &str, flag: &str) -> bool {
    help.split(|c: char| c.is_whitespace() || ",[]=<>".contains(c))
        .any(|word| word == flag)
}

#[cfg(test)]
mod tests {
    use super::{Checker, Program, commands, flags, mentions_flag, subcommands, xtask};
    use crate::workspace::Workspace;

    const HELP: &str = "Usage: forecall <COMMAND>\n\nCommands:\n  serve   Run the hub\n  device  Devices\n\nOptions:\n  -f, --file <FILE>  What to apply\n";

    #[test]
    fn splits_blocks_as_a_shell_does() {
        let text = "```sh\n# comment\nA=1 make demo && forecall apply \\\n  -f 'a b.toml' # why\n```\n```text\nmake nothing\n```\n";
        let found: Vec<(usize, String)> = commands(text)
            .into_iter()
            .map(|(line, words)| (line, words.join("|")))
            .collect();
        assert_eq!(
            found,
            [
                (4, "make|demo".to_owned()),
                (4, "forecall|apply|-f|a b.toml".to_owned())
            ]
        );
    }

    #[test]
    fn reads_claps_help() {
        assert_eq!(subcommands(HELP), ["serve", "device"]);
        assert!(mentions_flag(HELP, "--file") && mentions_flag(HELP, "-f") && !mentions_flag(HELP, "--fil"));
        assert_eq!(flags(&["--config=x", "-", "-5", "a"]).collect::<Vec<_>>(), ["--config"]);
    }

    #[test]
    fn refuses_commands_that_do_not_exist() {
        let workspace = Workspace::load().unwrap();
        let program = Program {
            file: None,
            help: Default::default(),
        };
        let mut checker = Checker {
            workspace: &workspace,
            makefile: "demo: ## x\n".into(),
            program,
        };
        let mut judge = |command: &str| checker.check(&shlex::split(command).unwrap());
        assert_eq!(judge("make demo"), Ok(()));
        assert!(judge("make dem").is_err());
        assert_eq!(judge("cargo test -p hub-core"), Ok(()));
        assert!(judge("cargo test -p hub-kernel").is_err());
        assert!(judge("cargo run -p xtask --example nothing").is_err());
        assert!(judge("cp deploy/nothing.toml .").is_err());
        assert_eq!(xtask(&["tidy"]), Ok(()));
        assert!(xtask(&["tydi"]).is_err());
    }

    #[test]
    fn asks_the_program_for_its_flags() {
        let file = Some("/bin/true".into());
        let serve = (vec!["serve".to_owned()], "Options:\n  --config <FILE>\n".to_owned());
        let mut program = Program {
            file,
            help: [(Vec::new(), HELP.to_owned()), serve].into(),
        };
        assert_eq!(program.check(&["serve", "--config", "x"]), Ok(()));
        assert!(program.check(&["serve", "--nothing"]).is_err());
        assert!(program.check(&["server"]).is_err());
    }
}
