"""Fits score → probability. Usage: evaluate … --scores scores.csv, then python fit_probability.py scores.csv

The probability wanted is that of a fault given that a stream's held score has *reached* a level. So every stream gives
one sample for each level up to its highest held score, and a logistic function of the level's logarithm is fitted to
them, both kinds of stream weighing alike; then the odds are moved to the prevalence expected in the field. The ceiling is the rule of succession
over the streams whose score reached 1: n examples cannot support more.
"""

import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
# Around the threshold, where it matters; far below it both kinds reach every level.
LEVELS = np.exp(np.linspace(np.log(0.6), np.log(1.5), 60))
# Share of units with a fault while they are watched. The rig's recordings are the mix they are.
PREVALENCE = {"washing-machine": 0.05, "pump-rig": 0.5}


def fit(score: np.ndarray, fault: np.ndarray, prevalence: float) -> tuple[float, float, float]:
    positives, negatives = fault.sum(), (~fault).sum()
    target = fault.astype(float)
    stream, level = np.nonzero(score[:, None] >= LEVELS[None, :])
    design = np.stack([np.ones(len(level)), np.log(LEVELS[level])], axis=1)
    weight = np.where(fault, 0.5 / positives, 0.5 / negatives)[stream]
    weights = np.zeros(2)
    for _ in range(500):
        p = 1 / (1 + np.exp(-design @ weights))
        hessian = design.T @ (design * (weight * p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        weights += np.clip(np.linalg.solve(hessian, design.T @ (weight * (target[stream] - p))), -0.5, 0.5)
    reached = score >= 1
    ceiling = ((reached & fault).sum() + 1) / (reached.sum() + 2)
    return float(weights[0] + np.log(prevalence / (1 - prevalence))), float(weights[1]), float(ceiling)


def main() -> None:
    with open(sys.argv[1]) as file:
        rows = list(csv.DictReader(file))
    for family in sorted({row["family"] for row in rows}):
        of = [row for row in rows if row["family"] == family]
        score = np.array([float(row["held_score"]) for row in of])
        fault = np.array([row["fault"] == "1" for row in of])
        offset, slope, ceiling = fit(score, fault, PREVALENCE[family])
        (HERE / f"{family}.probability").write_text(f"{offset:.3f} {slope:.3f} {min(ceiling, 0.99):.3f}\n")
        at = [round(float(1 / (1 + np.exp(-(offset + slope * np.log(s))))), 3) for s in (0.5, 0.8, 1, 1.2, 1.5, 2)]
        print(family, f"{fault.sum()} faults, {(~fault).sum()} without;", offset, slope, ceiling, "p at 0.5 … 2:", at)


if __name__ == "__main__":
    main()
