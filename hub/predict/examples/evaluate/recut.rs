//! Recordings of the pump rig, cut again: the onset lies anywhere, and there are as many streams without a fault, so that no clock
//! passes for a detector.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use hub_core::profile::ApplianceProfile;
use hub_predict::{Row, read_rows};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::pump_rig::{fault_runs, labels};

const SEED: u64 = 1;
/// Streams with the fault of each recorded run: the whole run, then cuts.
const CUTS: usize = 4;
/// Rows before an onset at the least: some to calibrate, some to watch. A run with fewer is left out.
const BEFORE: usize = 330;
/// The end of a stream is cut by fewer rows than this.
const END: usize = 120;
/// Rows between a fault's onset and the end of the stream that is the run before it.
const APART: usize = 5;
/// Length of a stream of the fault-free recording, and rows from the start of one to the next.
const PIECE: (usize, usize) = (950, 150);
/// Ends the name of the stream that is a run before its fault.
const BEFORE_IT: &str = ", before";

pub struct Stream {
    /// Streams of one run overlap: they count as one.
    pub run: String,
    pub fault_class: String,
    pub rows: Vec<Row>,
    /// First and last anomalous row.
    pub anomaly: Option<(usize, usize)>,
    /// Model that never saw this run's fault group.
    pub model: PathBuf,
}

impl Stream {
    /// What was recorded in one go.
    pub fn recording(&self) -> &str {
        self.run.trim_end_matches(BEFORE_IT)
    }
}

pub fn streams(data: &Path, models: &Path, profile: &ApplianceProfile) -> anyhow::Result<Vec<Stream>> {
    let read = |name: &str| -> anyhow::Result<Vec<Row>> {
        let path = data.join(name);
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(read_rows(file, profile)
            .with_context(|| format!("cannot read {}", path.display()))?
            .rows)
    };
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut streams = Vec::new();
    for (name, group) in fault_runs(data)? {
        let labels = labels(&data.join(&name))?;
        let onset = labels.iter().position(|l| *l).context("a run without a fault")?;
        if onset < BEFORE {
            continue;
        }
        let rows = read(&name)?;
        let model = models.join("evaluation/pump-rig-loo").join(&group);
        for cut in 0..CUTS {
            let most = (onset - BEFORE).max(1);
            let first = if cut == 0 { 0 } else { rng.random_range(0..most) };
            let end = rows.len() - rng.random_range(0..END);
            let last = labels[..end]
                .iter()
                .rposition(|l| *l)
                .context("a cut before the fault")?;
            streams.push(Stream {
                run: name.clone(),
                fault_class: group.clone(),
                rows: rows[first..end].to_vec(),
                anomaly: Some((onset - first, last - first)),
                model: model.clone(),
            });
        }
        streams.push(Stream {
            run: format!("{name}{BEFORE_IT}"),
            fault_class: "none".into(),
            rows: rows[..onset - APART].to_vec(),
            anomaly: None,
            model,
        });
    }
    let clean = read("anomaly-free/anomaly-free-first5600.csv")?;
    let (length, apart) = PIECE;
    streams.extend((0..=clean.len() - length).step_by(apart).map(|first| Stream {
        run: format!("fault-free {}", first / length),
        fault_class: "none".into(),
        rows: clean[first..first + length].to_vec(),
        anomaly: None,
        model: models.join("evaluation/pump-rig-1"),
    }));
    Ok(streams)
}
