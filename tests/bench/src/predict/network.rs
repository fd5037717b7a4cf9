//! The network alone: windows a second given to it one, eight and 64 at a time, beside onnxruntime on one thread with the same file
//! and the same windows. The hub's network runs eight windows at a time whatever it is given: one is filled up with seven that are
//! empty, and 64 are eight runs of eight. onnxruntime runs what it is given as one batch.

use super::{Plan, pump, timed};
use crate::bar::median;
use anyhow::{Context, Result, ensure};
use hub_predict::{Detector, Model, Pending, Reconstruction, Window};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::Command;
use tests_hub::clients;
use tests_hub::hub::project;

/// Windows given together: to the hub's network as runs of eight, to onnxruntime as one batch.
const BATCHES: [usize; 3] = [1, 8, 64];
/// Part of a number by which two libraries may differ.
const APART_MAX: f32 = 1e-4;

/// What the peer tells.
#[derive(Deserialize)]
struct Peer {
    version: String,
    /// Windows a second, by batch.
    rates: BTreeMap<usize, f64>,
    /// What it makes of the first windows.
    errors: Vec<Vec<f32>>,
}

pub(super) fn measure(plan: Plan, model: &Model) -> Result<()> {
    let windows = windows(model, plan.windows)?;
    let windows: Vec<&Window> = windows.iter().collect();
    let mut seconds = BATCHES.map(|_| Vec::new());
    let mut made = Vec::new();
    for _ in 0..plan.rounds {
        for (batch, seconds) in BATCHES.into_iter().zip(&mut seconds) {
            let (all, took) = timed(|| reconstructed(model, &windows, batch))?;
            ensure!(
                made.is_empty() || all == made,
                "{batch} windows at a time give other numbers"
            );
            made = all;
            seconds.push(took);
        }
    }
    let peer = peer(plan, model, &windows, &made)?;
    for (batch, seconds) in BATCHES.into_iter().zip(seconds) {
        let rate = windows.len() as f64 / median(seconds);
        let beside = peer.as_ref().and_then(|peer| {
            let own = peer.rates.get(&batch)?;
            Some(format!(
                ", onnxruntime {} on one thread in batches of {batch} {own:.0}, {:.2} of it",
                peer.version,
                rate / own
            ))
        });
        println!(
            "network, {batch} windows given at a time, in runs of 8: {rate:.0} windows a second{}",
            beside.unwrap_or_default()
        );
    }
    Ok(())
}

/// Steps of a window of its network.
fn window_of(model: &Model) -> Result<usize> {
    let autoencoder = model.manifest().autoencoder.as_ref();
    Ok(autoencoder.context("the model has no network")?.window)
}

/// So many windows as a detector gives them.
fn windows(model: &Model, count: usize) -> Result<Vec<Window>> {
    let calibration = model.manifest().baseline.calibration;
    let lost = usize::try_from(calibration)? + window_of(model)?;
    let mut detector = Detector::new(model);
    let mut windows = Vec::with_capacity(count);
    for row in pump(model, count + lost) {
        let steps = detector.prepare(model, &row);
        windows.extend(steps.iter().filter_map(Pending::window).cloned());
    }
    windows.truncate(count);
    ensure!(windows.len() == count, "{} windows, not {count}", windows.len());
    Ok(windows)
}

fn reconstructed(model: &Model, windows: &[&Window], batch: usize) -> Result<Vec<Reconstruction>> {
    let mut made = Vec::with_capacity(windows.len());
    for windows in windows.chunks(batch) {
        made.extend(model.reconstruct(windows)?);
    }
    Ok(made)
}

/// onnxruntime with the same windows, if it is installed.
fn peer(plan: Plan, model: &Model, windows: &[&Window], made: &[Reconstruction]) -> Result<Option<Peer>> {
    let Some(installed) = clients::found("onnxruntime") else {
        println!("onnxruntime is left out: it is not in target/clients; `make bench-predict` installs it");
        return Ok(None);
    };
    let mut file = tempfile::NamedTempFile::new()?;
    for value in windows.iter().flat_map(|window| window.scaled()) {
        std::io::Write::write_all(&mut file, &value.to_le_bytes())?;
    }
    let manifest = model.manifest();
    let answer = Command::new(installed.join("bin/python"))
        .arg(project().join("tests/clients/onnxruntime_peer.py"))
        .arg(model.folder().join("model.onnx"))
        .arg(file.path())
        .args([manifest.features.len(), window_of(model)?, plan.rounds].map(|number| number.to_string()))
        .args(BATCHES.map(|batch| batch.to_string()))
        .output()
        .context("cannot start onnxruntime's Python")?;
    let said = String::from_utf8_lossy(&answer.stderr);
    ensure!(answer.status.success(), "onnxruntime failed: {said}");
    let peer: Peer = serde_json::from_slice(&answer.stdout).context("onnxruntime's answer")?;
    ensure!(!peer.errors.is_empty(), "onnxruntime gave nothing");
    for (theirs, ours) in peer.errors.iter().zip(made) {
        let apart = theirs
            .iter()
            .zip(&ours.errors)
            .map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
        let apart = apart.fold(0.0, f32::max);
        ensure!(apart <= APART_MAX, "onnxruntime gives other numbers: {apart} apart");
    }
    Ok(Some(peer))
}
