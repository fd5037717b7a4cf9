//! `forecall try`: a maker's own export, before there is a hub.

mod data;
mod found;
mod page;
mod pieces;
mod plot;
mod watched;
mod words;

use super::score::is_same;
use crate::terminal::{log, say};
use anyhow::{Context, Result, bail, ensure};
use hub_core::language::Language;
use hub_predict::trial::report::FORMAT;
use hub_predict::trial::{Report, try_export};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use words::{Words, number};

/// Tries an export of your own devices, without hub, account, training or profile: what the data are like, what would be watched
/// and what not, and what would have been opened when. Writes report.html and report.json; fails if nothing could be watched.
#[derive(Debug, clap::Args)]
pub struct Try {
    /// CSV with a column for the device, one for the time, and any channels; docs/try.md.
    export: PathBuf,
    /// CSV with a column for the device and one for the date of each service.
    #[arg(long)]
    services: Option<PathBuf>,
    /// Channel that tells running from idle: rows in which it is low are left out.
    #[arg(long)]
    running: Option<String>,
    /// Folder for the report; made if it is not there.
    #[arg(long, default_value = "forecall-report")]
    out: PathBuf,
    /// Language of the report: en or zh-CN.
    #[arg(long, default_value = "en", value_parser = language)]
    lang: Language,
}

/// Files of the report.
const HTML: &str = "report.html";
const JSON: &str = "report.json";
/// Bytes of a file within which it says what it is.
const MARKED_WITHIN: u64 = 1_024;

fn language(tag: &str) -> Result<Language, String> {
    let known = Language::ALL
        .into_iter()
        .find(|language| language.tag().eq_ignore_ascii_case(tag));
    known.ok_or_else(|| "write en or zh-CN".to_owned())
}

impl Try {
    /// Carries the command out.
    pub fn run(self) -> Result<()> {
        log("warn");
        let services = self.services.as_deref().map(open).transpose()?;
        let name = self.export.file_name().unwrap_or_default().to_string_lossy();
        let report = try_export(&name, open(&self.export)?, services, self.running.as_deref())
            .with_context(|| format!("{} was not tried", self.export.display()))?;
        let words = Words { language: self.lang };
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot make the folder {}", self.out.display()))?;
        let json = serde_json::to_vec_pretty(&report).context("the report cannot be written as JSON")?;
        for name in [HTML, JSON] {
            self.check(name)?;
        }
        let html = self.write(HTML, page::page(&words, &report).as_bytes())?;
        let json = self.write(JSON, &json)?;
        for line in summary(&words, &report) {
            say(line);
        }
        let written = [
            ("html", html.display().to_string()),
            ("json", json.display().to_string()),
        ];
        say(words.filled("said-written", &written));
        if report.watched().next().is_none() {
            bail!(
                "nothing of {} could be watched: {} says why",
                self.export.display(),
                html.display()
            );
        }
        Ok(())
    }

    /// Neither an input nor a file that is no report is written over.
    fn check(&self, name: &str) -> Result<()> {
        let (file, part) = self.places(name);
        let inputs = || std::iter::once(&self.export).chain(&self.services);
        for written in [&part, &file] {
            let kind = written.symlink_metadata().map(|found| found.file_type());
            ensure!(
                !inputs().any(|input| is_same(input, written)),
                "{} is an input itself; name another folder with --out",
                written.display()
            );
            ensure!(
                kind.map_or(true, |kind| kind.is_file()) && (written == &part || is_ours(&file)?),
                "{} is there already and is no report of a trial; name another folder with --out",
                written.display()
            );
        }
        Ok(())
    }

    /// Writes a file of the report, beside first and then into its place.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let (file, part) = self.places(name);
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot replace {}", part.display()));
            }
            _ => {}
        }
        let written = File::create_new(&part).and_then(|mut file| file.write_all(bytes));
        written.with_context(|| format!("cannot write {}", part.display()))?;
        std::fs::rename(&part, &file).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// The file, and the one beside it.
    fn places(&self, name: &str) -> (PathBuf, PathBuf) {
        (self.out.join(name), self.out.join(format!("{name}.part")))
    }
}

/// Whether a file is a report of a trial, by its first bytes, or is not there.
fn is_ours(file: &Path) -> Result<bool> {
    let cannot = || format!("cannot read {}", file.display());
    let opened = match File::open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        opened => opened.with_context(cannot)?,
    };
    let mut bytes = Vec::new();
    opened
        .take(MARKED_WITHIN)
        .read_to_end(&mut bytes)
        .with_context(cannot)?;
    let beginning = String::from_utf8_lossy(&bytes);
    let marks = [
        format!("\"format\": \"{FORMAT}\""),
        format!("name=\"generator\" content=\"{FORMAT}\""),
    ];
    Ok(marks.iter().any(|mark| beginning.contains(mark)))
}

fn open(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(BufReader::new(file))
}

/// What came of it, in a few lines.
fn summary(words: &Words, report: &Report) -> Vec<String> {
    let refused: usize = report.quality.refused.iter().map(|refusal| refusal.count).sum();
    let openings: usize = report.devices.iter().map(|device| device.openings.len()).sum();
    let devices = || report.devices.len().to_string();
    let read = [
        ("rows", report.quality.rows_read.to_string()),
        ("devices", devices()),
        ("refused", refused.to_string()),
    ];
    let watched = [
        ("watched", report.watched().count().to_string()),
        ("devices", devices()),
        ("channels", report.watched_channels().count().to_string()),
        ("period", words.span(report.step.period_s)),
    ];
    let opened = [
        ("count", openings.to_string()),
        ("months", number(report.rates.device_months)),
    ];
    let mut lines = vec![
        words.filled("said-read", &read),
        words.filled("said-watched", &watched),
        words.filled("said-opened", &opened),
    ];
    if let Some(services) = &report.services {
        let lead = services.lead_days_median.map_or_else(|| words.t("none"), number);
        let values = [
            ("found", services.found.count.to_string()),
            ("of", services.found.of.to_string()),
            ("lead", lead),
            ("without", services.without_service.to_string()),
        ];
        lines.push(words.filled("said-services", &values));
    }
    lines.push(words.t("never-rings"));
    lines
}

#[cfg(test)]
mod tests;
