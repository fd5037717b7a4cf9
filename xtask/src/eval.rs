//! `xtask eval`: every evaluation that can run here, then the page of results. What cannot run keeps the figures that it wrote last.

use crate::results;
use crate::run::{cargo, run};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::process::Command;

/// Where recorded data are, from the root.
const DATA: &str = "../shared/data";
/// Python with what `models/training/README.md` installs.
const PYTHON: &str = "models/training/.venv/bin/python";
/// Programs of the families that are for evaluation only, and the folder of their data.
const PROGRAMS: [(&str, &str); 3] = [
    ("evaluate_hydraulic.py", "hydraulic"),
    ("evaluate_turbofan.py", "cmapss"),
    ("evaluate_hdd.py", "hdd"),
];

/// Runs all evaluations but the long one, or that one alone, and writes the page; also where a bar was missed. Fails at the end if any was.
pub fn eval(long: bool) -> Result<()> {
    let workspace = Workspace::load()?;
    let root = &workspace.workspace_root;
    run(&mut cargo(&[
        "build",
        "--quiet",
        "--release",
        "--workspace",
        "--example",
        "evaluate",
    ]))?;
    let mut evaluate = Command::new(workspace.target_directory.join("release/examples/evaluate"));
    evaluate
        .current_dir(root)
        .args(["--figures", "models/evaluation/figures"]);
    if long {
        evaluate.args(["--only", "long"]);
    }
    let mut missed = Vec::new();
    if run(&mut evaluate).is_err() {
        missed.push("evaluate");
    }
    if !long {
        for (program, folder) in PROGRAMS {
            let (python, data) = (root.join(PYTHON), root.join(DATA).join(folder));
            if !python.is_file() || !data.is_dir() {
                println!(
                    "{program} skipped, its figures stay: it needs {PYTHON} (models/training/README.md) and {DATA}/{folder}"
                );
                continue;
            }
            let script = root.join("models/training").join(program);
            if run(Command::new(python).arg(script).arg(data)).is_err() {
                missed.push(program);
            }
        }
    }
    results::results()?;
    if !missed.is_empty() {
        bail!("failed, or missed a bar: {}", missed.join(", "));
    }
    Ok(())
}
