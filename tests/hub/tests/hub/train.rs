//! docs/train.md, step by step, with a fridge of six channels that nobody wrote code for: from recordings to a family that finds a fault.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use tests_hub::hub::program;
use tests_world::hard::{Effect, Effects, FaultKind, Faults, Fleet, Fridge};

/// The page, as its readers have it.
const DOCS: &str = include_str!("../../../../docs/train.md");
/// Channels of the world's fridge that the maker's has, by their place there.
const CHANNELS: [usize; 6] = [0, 1, 2, 3, 4, 5];
const DAYS: u32 = 130;
/// The worn one is sound until this day.
const ONSET_DAY: f64 = 70.0;

/// The first block of the page in this language.
fn block(language: &str, number: usize) -> String {
    let opening = format!("```{language}\n");
    let blocks = DOCS.split(&opening).skip(1);
    let block = blocks.map(|rest| rest.split("```").next().unwrap());
    block.map(str::to_owned).nth(number).unwrap()
}

/// A recording as the maker's device writes it.
fn csv(fridge: Fridge) -> String {
    let names = &tests_world::profiles::fridge().channels;
    let heading: Vec<&str> = CHANNELS.iter().map(|place| names[*place].name.as_str()).collect();
    let mut text = format!("timestamp,{}\n", heading.join(","));
    for row in fridge {
        let values = row
            .sample
            .values
            .iter()
            .filter(|(id, _)| CHANNELS.contains(&(usize::from(*id) - 1)));
        let values: Vec<String> = values.map(|(_, value)| format!("{value:.3}")).collect();
        writeln!(text, "{},{}", row.sample.at, values.join(",")).unwrap();
    }
    text
}

fn fleet(seed: u64) -> Fleet {
    Fleet {
        effects: Effects::NONE.with(Effect::Season),
        ..Fleet::new(seed, "2026-01-05T00:00:00Z".parse().unwrap(), DAYS)
    }
}

/// Runs a line of the page in a folder: paths in it are of that folder.
fn run(folder: &Path, line: &str) -> String {
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        if let Some(pattern) = word.strip_suffix("/*.csv") {
            let mut files: Vec<String> = std::fs::read_dir(folder.join(pattern))
                .unwrap()
                .map(|entry| entry.unwrap().path().display().to_string())
                .collect();
            files.sort();
            words.extend(files);
        } else if word.contains('/') || word.contains(".csv") || word == "appliances" {
            let is_named = word
                .rsplit_once('/')
                .is_some_and(|(_, version)| version.parse::<u32>().is_ok());
            words.push(if is_named {
                word.to_owned()
            } else {
                folder.join(word).display().to_string()
            });
        } else {
            words.push(word.to_owned());
        }
    }
    let done = Command::new(program()).args(&words[1..]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{line}\n{said}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
    said
}

#[test]
fn a_fridge_that_nobody_wrote_code_for_is_watched_by_the_page_alone() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    for made in ["appliances/profiles", "recordings"] {
        std::fs::create_dir_all(folder.join(made)).unwrap();
    }
    std::fs::write(folder.join("appliances/profiles/cool-6.toml"), block("toml", 0)).unwrap();
    for number in 0..10 {
        let file = folder.join(format!("recordings/f-{number}.csv"));
        std::fs::write(file, csv(fleet(7).fridge(number))).unwrap();
    }
    let worn = Fleet {
        faults: Faults::One {
            kind: FaultKind::CondenserFan,
            onset_day: ONSET_DAY,
        },
        amplitude: 1.5,
        ..fleet(8)
    };
    let worn = csv(worn.fridge(3));
    for file in ["recordings/f-worn.csv", "f-worn.csv"] {
        std::fs::write(folder.join(file), &worn).unwrap();
    }
    std::fs::write(folder.join("faults.csv"), block("csv", 0)).unwrap();
    for line in block("sh", 0).replace("\\\n", " ").lines() {
        run(folder, line);
    }
    let card = std::fs::read_to_string(folder.join("appliances/cool-6/CARD.md")).unwrap();
    for said in [
        "11 devices",
        "1 with a known fault",
        "(simulated)",
        "1 of 1 found",
        "freed of room_temperature_c",
    ] {
        assert!(card.contains(said), "{said} is not in\n{card}");
    }
    let scored = std::fs::read_to_string(folder.join("scored.csv")).unwrap();
    let alarm = scored
        .lines()
        .skip(1)
        .find(|line| line.split(',').nth(2) == Some("1"))
        .unwrap();
    let at: jiff::Timestamp = alarm.split(',').next().unwrap().parse().unwrap();
    let day = at.duration_since(fleet(8).start).as_secs_f64() / 86_400.0;
    assert!(day > ONSET_DAY, "it is found behind its beginning: {alarm}");
    let listed = run(folder, "forecall model list --models appliances");
    let served = listed.lines().find(|line| line.starts_with("served")).unwrap();
    assert!(served.contains("cool-6/1"), "{listed}");
}
