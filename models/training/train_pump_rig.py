"""Trains version 1 of `pump-rig` and its leave-one-fault-group-out models, and gives version 2 the network for its second opinion.

Usage: python train_pump_rig.py [folder with SKAB]. Version 2 is not trained: its manifest is written by hand.
"""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path
from string import Template

import numpy as np

import autoencoder

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent
FEATURES, STEPS = 8, 32
# Rows from here on of the fault-free recording are for testing.
CLEAN_TEST = 4000
# A held-out unit's calibration is sometimes short: the network sees all lengths.
CALIBRATIONS = (100, 200, 300)
# The autoencoder's threshold is this many times what 1 of 100 healthy windows exceeds. It need not keep quiet alone.
FACTOR = 0.95
# Fitted by fit_probability.py to the leave-one-out scores of `evaluate`.
PROBABILITY = (HERE / "pump-rig.probability").read_text().split()


def runs(data: Path) -> list[tuple[Path, str, int]]:
    """File, fault group and onset row of each recording."""
    with open(data / "fault_classes.csv") as file:
        groups = [(row["file"], row["fault_class"]) for row in csv.DictReader(file)]
    found = []
    for name, group in groups:
        with open(data / name) as file:
            labels = [float(row["anomaly"]) for row in csv.DictReader(file, delimiter=";")]
        found.append((data / name, group, labels.index(1.0)))
    return found


def healthy(data: Path, left_out: str | None) -> list[str]:
    spec = []
    for path, group, onset in runs(data):
        spec += [f"{path}\t0\t{onset - 10}\t{c}" for c in CALIBRATIONS if group != left_out and onset > c + 100]
    clean = data / "anomaly-free" / "anomaly-free-first5600.csv"
    for first in range(0, CLEAN_TEST, 500):
        spec += [f"{clean}\t{first}\t{min(first + 1000, CLEAN_TEST)}\t{c}" for c in CALIBRATIONS]
    return spec


def fill(family: str, threshold: float, part: str, metrics: dict[str, float]) -> str:
    text = (HERE / "pump-rig.manifest.toml").read_text(encoding="utf-8")
    text = re.sub(r"^# Template.*\n", "", text)
    offset, slope, ceiling = PROBABILITY
    return Template(text).substitute(
        family=family, autoencoder_threshold=f"{threshold:.4f}", data_part=part,
        metrics="\n".join(f"{k} = {v}" for k, v in metrics.items()),
        probability_offset=offset, probability_slope=slope, probability_ceiling=ceiling,
    )


def make(folder: Path, family: str, data: Path, left_out: str | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part = "runs before their onset and rows 0 to 3,999 of the fault-free recording"
    if left_out:
        part += f", without the runs of group {left_out}"
    (folder / "manifest.toml").write_text(fill(family, 1.0, part, {}), encoding="utf-8")
    data_windows = autoencoder.windows(folder, healthy(data, left_out), FEATURES, STEPS)[::3]
    network, errors = autoencoder.train(data_windows, batches=2000)
    quantile = float(np.quantile(errors, 0.99))
    metrics = {"training_windows": float(len(errors)), "healthy_error_q99": round(quantile, 4)}
    (folder / "manifest.toml").write_text(fill(family, FACTOR * quantile, part, metrics), encoding="utf-8")
    autoencoder.export(network, folder, FEATURES, STEPS)
    print(f"{family}: {len(errors)} windows, 99 % of them below {quantile:.3f}", flush=True)


def second_opinion(trained: Path, folder: Path) -> None:
    """The network, its threshold and its golden windows into a folder with `[detector]`, whose golden lives are made again."""
    shutil.copyfile(trained / "model.onnx", folder / "model.onnx")
    own = (trained / "manifest.toml").read_text(encoding="utf-8")
    threshold = re.search(r"\[autoencoder\]\n(?:\w+ = .*\n)*?(threshold = .*)\n", own).group(1)
    manifest = folder / "manifest.toml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(re.sub(r"(\[autoencoder\]\n(?:\w+ = .*\n)*?)threshold = .*\n", rf"\g<1>{threshold}\n", text), encoding="utf-8")
    golden = folder / "golden.jsonl"
    lives = [line for line in golden.read_text().splitlines() if '"window"' not in line]
    golden.write_text("\n".join(lives) + "\n" + (trained / "golden.jsonl").read_text())
    command = ["cargo", "run", "-q", "-p", "hub-predict", "--example", "lives", "--", str(folder)]
    subprocess.run(command, check=True, cwd=autoencoder.ROOT)


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else autoencoder.ROOT.parent / "shared" / "data" / "skab"
    first = MODELS / "evaluation" / "pump-rig-1"
    make(first, "pump-rig", data, None)
    second_opinion(first, MODELS / "pump-rig")
    for group in sorted({group for _, group, _ in runs(data)}):
        folder = MODELS / "evaluation" / "pump-rig-loo" / group
        make(folder, f"pump-rig-loo-{group}", data, group)


if __name__ == "__main__":
    main()
