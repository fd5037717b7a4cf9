"""Trains `washing-machine` on the simulator. Usage: python train_washing_machine.py"""

import re
import subprocess
import tempfile
from pathlib import Path
from string import Template

import numpy as np

import autoencoder

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "washing-machine"
FEATURES, STEPS = 8, 16
# Of the evaluation's fleets none has this seed.
SEED, DEVICES, DAYS = 11, 60, 60
CALIBRATIONS = (42, 60)
# The autoencoder's threshold is this many times what 1 of 100 healthy windows exceeds. It need not keep quiet alone.
FACTOR = 1.0
# Fitted by fit_probability.py to the scores of `evaluate` on a fleet of its own.
PROBABILITY = (HERE / "washing-machine.probability").read_text().split()


def fill(threshold: float, metrics: dict[str, float]) -> str:
    text = re.sub(r"^# Template.*\n", "", (HERE / "washing-machine.manifest.toml").read_text(encoding="utf-8"))
    offset, slope, ceiling = PROBABILITY
    return Template(text).substitute(
        autoencoder_threshold=f"{threshold:.4f}",
        metrics="\n".join(f"{k} = {v}" for k, v in metrics.items()),
        probability_offset=offset, probability_slope=slope, probability_ceiling=ceiling,
    )


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "manifest.toml").write_text(fill(1.0, {}), encoding="utf-8")
    with tempfile.TemporaryDirectory() as fleet:
        subprocess.run(
            ["cargo", "run", "-q", "-p", "tests-world", "--example", "fleet", "--", "--out", fleet, "--devices",
             str(DEVICES), "--days", str(DAYS), "--seed", str(SEED), "--faulty", "0"],
            check=True, cwd=autoencoder.ROOT,
        )
        spec = [f"{path}\t0\t1000000\t{c}" for path in sorted(Path(fleet).glob("*.csv")) for c in CALIBRATIONS]
        data = autoencoder.windows(FOLDER, spec, FEATURES, STEPS)
    network, errors = autoencoder.train(data, batches=2000)
    quantile = float(np.quantile(errors, 0.99))
    metrics = {"training_windows": float(len(errors)), "healthy_error_q99": round(quantile, 4)}
    (FOLDER / "manifest.toml").write_text(fill(FACTOR * quantile, metrics), encoding="utf-8")
    autoencoder.export(network, FOLDER, FEATURES, STEPS)
    print(f"washing-machine: {len(errors)} windows, 99 % of them below {quantile:.3f}")


if __name__ == "__main__":
    main()
