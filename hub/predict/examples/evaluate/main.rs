//! Evaluation of the models on recorded and simulated appliances.
//!
//! `evaluate --data ../shared/data/skab --models models [--only PART] [--figures FOLDER] [--scores FILE] [--calibration ROWS]
//! [--machines NUMBER] [--threads NUMBER] [--write-model FOLDER]`. Parts are `washing-machine`, `hard`, `fridge`, `firmware`, `first`, `pump-rig`, `skab`,
//! `tracebase`, `budgets`, `breaker`, and `long`, which runs only where it is asked for. Ends with one line a bar, `bar NAME VALUE BOUND
//! held|missed`, and fails if one is missed. With `--figures` each part is written to a file, from which `cargo xtask results`
//! makes the page of results. With `--write-model` parts `hard` and `fridge` write what they learned of named faults as a model folder, below one that
//! has `profiles/`: ask for one of them.
#![expect(clippy::print_stdout, reason = "a report on standard output")]

mod bar;
mod breaker;
mod budgets;
mod generic;
mod hard;
mod part;
mod pump_rig;
mod recut;
mod scores;
mod tracebase;
mod washing_machine;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use hard::{Fridges, WashingMachines};
use part::Part;
use scores::Score;

/// Part that takes too long to run with the others.
const LONG: &str = "long";
const PARTS: [&str; 11] = [
    "washing-machine",
    "hard",
    "fridge",
    "firmware",
    "first",
    "pump-rig",
    "skab",
    "tracebase",
    "budgets",
    "breaker",
    LONG,
];

struct Arguments {
    /// The recordings of the pump rig; other recorded data lie in folders beside it.
    data: PathBuf,
    models: PathBuf,
    only: Option<String>,
    figures: Option<PathBuf>,
    scores: Option<PathBuf>,
    calibration: u32,
    size: hard::Size,
    write_model: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = arguments()?;
    let machines = WashingMachines::new(&arguments.models, &arguments.size);
    let fridges = Fridges::new(&arguments.models, &arguments.size);
    let (mut missed, mut bars, mut scores) = (false, Vec::new(), Vec::new());
    for name in PARTS {
        if arguments.only.as_deref().map_or(name == LONG, |only| only != name) {
            continue;
        }
        let Some(part) = evaluate(name, &arguments, (&machines, &fridges), &mut scores)? else {
            println!(
                "{name} skipped: the recorded data are not beside {}",
                arguments.data.display()
            );
            continue;
        };
        if let Some(folder) = &arguments.figures {
            part.write(folder, arguments.data.parent().unwrap_or(Path::new("")))?;
        }
        missed |= !part.bars.iter().all(bar::Bar::held);
        bars.extend(part.bars);
    }
    if let Some(path) = &arguments.scores {
        scores::write(path, &scores)?;
    }
    bars.iter().for_each(|bar| println!("{bar}"));
    if missed {
        bail!("a bar was missed")
    }
    Ok(())
}

/// None where recorded data are needed and are not there.
fn evaluate(
    name: &str,
    arguments: &Arguments,
    (machines, fridges): (&WashingMachines<'_>, &Fridges<'_>),
    scores: &mut Vec<Score>,
) -> anyhow::Result<Option<Part>> {
    let Arguments { data, models, size, .. } = arguments;
    let power = data.with_file_name("tracebase");
    let part = match name {
        "washing-machine" => washing_machine::evaluate(models, scores)?,
        "hard" => {
            // Before it is judged: a folder that is refused is told at once.
            if let Some(out) = &arguments.write_model {
                machines.write(out)?;
            }
            machines.evaluate()?
        }
        "fridge" => {
            if let Some(out) = &arguments.write_model {
                fridges.write(out)?;
            }
            fridges.evaluate()?
        }
        "firmware" => machines.firmware()?,
        "first" => hard::first(models, size)?,
        "pump-rig" if data.is_dir() => pump_rig::evaluate(data, models, scores, arguments.calibration)?,
        "skab" if data.is_dir() => generic::evaluate(data, models)?,
        "tracebase" if power.is_dir() => tracebase::evaluate(&power)?,
        "budgets" => budgets::evaluate(),
        "breaker" => breaker::evaluate(),
        LONG => machines.long()?,
        _ => return Ok(None),
    };
    Ok(Some(part))
}

fn arguments() -> anyhow::Result<Arguments> {
    let mut read = Arguments {
        data: PathBuf::from("../shared/data/skab"),
        models: PathBuf::from("models"),
        only: None,
        figures: None,
        scores: None,
        calibration: 200,
        size: hard::Size {
            units: None,
            threads: 2,
        },
        write_model: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--data" => read.data = value.into(),
            "--models" => read.models = value.into(),
            "--only" if PARTS.contains(&value.as_str()) => read.only = Some(value),
            "--only" => bail!("no part {value}; there are {}", PARTS.join(", ")),
            "--figures" => read.figures = Some(value.into()),
            "--calibration" => read.calibration = value.parse()?,
            "--machines" => read.size.units = Some(value.parse()?),
            "--threads" => read.size.threads = value.parse::<u64>()?.clamp(1, 2),
            "--scores" => read.scores = Some(value.into()),
            "--write-model" => read.write_model = Some(value.into()),
            _ => bail!(
                "unknown argument {name}: --data, --models, --only, --figures, --scores, --calibration, --machines, --threads or --write-model"
            ),
        }
    }
    let is_one = matches!(read.only.as_deref(), Some("hard" | "fridge"));
    if read.write_model.is_some() && !is_one {
        bail!("--write-model writes what one of them learned: add --only hard or --only fridge");
    }
    Ok(read)
}
