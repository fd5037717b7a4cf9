//! Evaluation of the models on recorded and simulated appliances.
//!
//! `evaluate --data ../shared/data/skab --models models [--only pump-rig|washing-machine|hard|budgets|skab|tracebase]
//! [--scores FILE] [--calibration ROWS] [--machines NUMBER] [--threads NUMBER]`. Ends with one line a bar,
//! `bar NAME VALUE BOUND held|missed`, and fails if one is missed.
#![expect(clippy::print_stdout, reason = "a report on standard output")]

mod bar;
mod budgets;
mod generic;
mod hard;
mod pump_rig;
mod recut;
mod scores;
mod tracebase;
mod washing_machine;

use std::path::PathBuf;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let mut data = PathBuf::from("../shared/data/skab");
    let mut models = PathBuf::from("models");
    let mut calibration = 200;
    let mut size = hard::Size::default();
    let (mut only, mut score_file) = (None, None::<PathBuf>);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let Some(value) = arguments.next() else {
            bail!("{name} needs a value")
        };
        match name.as_str() {
            "--data" => data = value.into(),
            "--models" => models = value.into(),
            "--only" => only = Some(value),
            "--calibration" => calibration = value.parse()?,
            "--machines" => size.machines = value.parse()?,
            "--threads" => size.threads = value.parse::<u64>()?.clamp(1, 2),
            "--scores" => score_file = Some(value.into()),
            _ => bail!(
                "unknown argument {name}: --data, --models, --only, --scores, --calibration, --machines or --threads"
            ),
        }
    }
    let (mut bars, mut scores) = (Vec::new(), Vec::new());
    let wanted = |family: &str| only.as_deref().is_none_or(|o| o == family);
    if wanted("washing-machine") {
        bars.extend(washing_machine::evaluate(&models, &mut scores)?);
    }
    if wanted("hard") {
        bars.extend(hard::evaluate(&models, &size)?);
    }
    if wanted("pump-rig") {
        if data.is_dir() {
            bars.extend(pump_rig::evaluate(&data, &models, &mut scores, calibration)?);
        } else {
            println!("pump-rig skipped: the recorded data are not at {}", data.display());
        }
    }
    if wanted("skab") {
        if data.is_dir() {
            bars.extend(generic::evaluate(&data, &models)?);
        } else {
            println!("skab skipped: the recorded data are not at {}", data.display());
        }
    }
    let power = data.with_file_name("tracebase");
    if wanted("tracebase") {
        if power.is_dir() {
            tracebase::evaluate(&power)?;
        } else {
            println!("tracebase skipped: the recorded data are not at {}", power.display());
        }
    }
    if wanted("budgets") {
        bars.extend(budgets::evaluate());
    }
    if let Some(path) = score_file {
        scores::write(&path, &scores)?;
    }
    bars.iter().for_each(|bar| println!("{bar}"));
    if bars.iter().all(bar::Bar::held) {
        Ok(())
    } else {
        bail!("a bar was missed")
    }
}
