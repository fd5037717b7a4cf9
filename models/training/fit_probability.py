"""Fits score → probability. Usage: evaluate … --scores scores.csv, then python fit_probability.py scores.csv

Platt's logistic calibration with his smoothed targets (Platt, "Probabilistic outputs for support vector machines",
1999) on the logarithm of the highest held score of each stream. The ceiling is the rule of succession over the streams
whose score reached 1: n examples cannot support more.
"""

import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


def fit(score: np.ndarray, fault: np.ndarray) -> tuple[float, float, float]:
    x = np.log(np.clip(score, 0.05, 20.0))
    positives, negatives = fault.sum(), (~fault).sum()
    target = np.where(fault, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.stack([np.ones_like(x), x], axis=1)
    weights = np.zeros(2)
    for _ in range(200):
        p = 1 / (1 + np.exp(-design @ weights))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + 1e-6 * np.eye(2)
        weights += np.clip(np.linalg.solve(hessian, design.T @ (target - p)), -1, 1)
    reached = score >= 1
    ceiling = ((reached & fault).sum() + 1) / (reached.sum() + 2)
    return float(weights[0]), float(weights[1]), float(ceiling)


def main() -> None:
    with open(sys.argv[1]) as file:
        rows = list(csv.DictReader(file))
    for family in sorted({row["family"] for row in rows}):
        of = [row for row in rows if row["family"] == family]
        score = np.array([float(row["held_score"]) for row in of])
        fault = np.array([row["fault"] == "1" for row in of])
        offset, slope, ceiling = fit(score, fault)
        (HERE / f"{family}.probability").write_text(f"{offset:.3f} {slope:.3f} {min(ceiling, 0.99):.3f}\n")
        at = [round(float(1 / (1 + np.exp(-(offset + slope * np.log(s))))), 3) for s in (0.5, 0.8, 1, 1.2, 1.5, 2)]
        print(family, f"{fault.sum()} faults, {(~fault).sum()} without;", offset, slope, ceiling, "p at 0.5 … 2:", at)


if __name__ == "__main__":
    main()
