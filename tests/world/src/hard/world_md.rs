//! `docs/world.md`, written from the constants: `UPDATE_EXPECT=1 cargo test -p tests-world world_md` after a change.

use super::fault::FaultKind;
use super::figure::{self, Figure};
use super::quantity::Quantity;
use super::{Effect, VERSION, fridge, washing_machine};
use expect_test::expect_file;
use std::fmt::Write;
use std::path::Path;

const OPENING: &str = "What `tests/world/src/hard` draws, written from its constants by a test. \
Each effect can be switched off (`Effects`), and each unit's `Life` tells which were at work when and what broke. \
A change of any output needs another `VERSION`; a test pins the output. Sources are named where there is one; what is assumed says so.\n\n\
A single value is fixed. A range is drawn evenly unless it says otherwise. Effects are the names in reports of false alarms; \
the other parts cannot be switched.\n";

const FAULTS: &str = "Amplitude 1 is the median at failure. `Fleet::amplitude` is a factor on it: at 1 drain pump wear, bearing, \
heater and gasket have half of their amplitude in the first world (`tests_world::FaultKind`), at 0.5 a quarter, at 0.25 an eighth. \
The other changes, and all durations, are assumed. Weights are assumed too, in the order of washing-machine failures in \
Tecchio, Ardente, Mathieux 2019 (11,000 diagnoses). A change is a share of the quantity; of heater cut-outs, failed starts and \
current noise a share of time, starts and current; of a leak mm/min.\n";

#[test]
fn world_md_tells_every_constant() {
    let mut page = format!("# The hard world, version {VERSION}\n\n{OPENING}\n");
    page.push_str("| effect or part | quantity | range | source |\n| --- | --- | --- | --- |\n");
    for figure in figure::all() {
        let Figure { of, what, source, .. } = figure;
        writeln!(page, "| {of} | {what} | {} | {source} |", range(&figure)).unwrap();
    }
    page.push_str("\n## Firmware and batches\n\n");
    page.push_str("Greatest change by a wave of firmware, and parts that a supplier may change; all assumed.\n\n");
    page.push_str("| appliance | firmware | parts |\n| --- | --- | --- |\n");
    for (appliance, reach, parts) in [
        (
            "washing machine",
            washing_machine::FIRMWARE,
            washing_machine::PARTS.as_slice(),
        ),
        ("fridge", fridge::FIRMWARE, fridge::PARTS.as_slice()),
    ] {
        let reach: Vec<_> = reach
            .iter()
            .map(|(quantity, most)| format!("{} ±{most}", words(*quantity)))
            .collect();
        let parts: Vec<_> = parts.iter().map(|quantity| words(*quantity)).collect();
        writeln!(page, "| {appliance} | {} | {} |", reach.join(", "), parts.join(", ")).unwrap();
    }
    writeln!(page, "\n## Faults\n\n{FAULTS}").unwrap();
    page.push_str("| fault | moves at failure | days from onset to failure | weight |\n| --- | --- | --- | --- |\n");
    for kind in FaultKind::ALL {
        let moves: Vec<_> = kind
            .moves()
            .iter()
            .map(|(quantity, change)| format!("{} {change:+}", words(*quantity)))
            .collect();
        let moves = if moves.is_empty() {
            "nothing".to_owned()
        } else {
            moves.join(", ")
        };
        let (days, share) = (range(&kind.days()), kind.share());
        writeln!(page, "| {} | {moves} | {days} | {share} |", kind.name()).unwrap();
    }
    expect_file!["../../../../docs/world.md"].assert_eq(&page);
}

/// `DrainRate` is read as "drain rate".
fn words(quantity: Quantity) -> String {
    let name = format!("{quantity:?}");
    let spaced = name.chars().flat_map(|c| {
        let space = c.is_uppercase().then_some(' ');
        space.into_iter().chain(c.to_lowercase())
    });
    spaced.collect::<String>().trim_start().to_owned()
}

fn range(figure: &Figure) -> String {
    if figure.low == figure.high {
        format!("{}", figure.low)
    } else {
        format!("{} to {}", figure.low, figure.high)
    }
}

/// Each constant of the sources is in the list, and each effect has a range or is acted on without one.
#[test]
fn no_constant_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/hard");
    let folders = [root.clone(), root.join("washing_machine"), root.join("fridge")];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
    let defined: usize = paths
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let lines = text.lines().map(|line| line.trim_start_matches("pub(super) "));
            lines
                .filter(|line| line.starts_with("const ") && line.contains(": Figure ="))
                .count()
        })
        .sum();
    assert_eq!(figure::all().len(), defined);
    let figures = figure::all();
    for effect in Effect::ALL {
        // The change of a run by its programme, and the day's openings, have their ranges with the household.
        let told = figures.iter().any(|figure| figure.of == effect.name());
        assert!(told || effect == Effect::Openings, "{}", effect.name());
        assert!(figures.iter().all(|figure| figure.low <= figure.high));
    }
}
