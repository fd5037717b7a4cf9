"""Cycles of the hydraulic rig, and the discriminant that tells the state of its four components.

The valve moves the shape of a cycle by less than warming oil does. Both are told apart by the covariance *within* a
combination of states, where only oil, warmth and noise differ: whitened by it, what is left between the combinations
is the components. All steps are linear, so the whole is one product of 600 values with a matrix.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SENSORS, SECONDS = ["CE", "CP", "SE", "TS1", "TS2", "TS3", "TS4", "VS1", "FS1", "FS2"], 60
COMPONENTS = {"cooler": "cooler_pct", "valve": "valve_pct", "pump": "pump_leak", "accumulator": "accumulator_bar"}
# Share of the mean variance that is added to every direction, for both covariances.
SHRINKAGE = 0.001
# Directions kept between combinations: the steps of all components together (2 + 3 + 2 + 3).
DIRECTIONS = 10


@dataclass
class Rig:
    cycles: np.ndarray
    """(cycle, sensor, second)"""
    states: dict[str, np.ndarray]
    """Label of each cycle, by component."""
    combination: np.ndarray
    """Number of each cycle's combination of states."""


def files(data: Path) -> list[Path]:
    return [data / "cycles.csv.gz", data / "labels.csv"]


def load(data: Path) -> Rig:
    readings, labels = files(data)
    with gzip.open(readings, "rt") as file:
        rows = np.genfromtxt(file, delimiter=",", names=True)
    state = np.genfromtxt(labels, delimiter=",", names=True)
    values = np.stack([rows[name] for name in SENSORS], axis=1)
    cycles = values.reshape(len(state), SECONDS, len(SENSORS)).transpose(0, 2, 1)
    states = {name: state[column].astype(int) for name, column in COMPONENTS.items()}
    together = np.stack(list(states.values()), axis=1)
    return Rig(cycles, states, np.unique(together, axis=0, return_inverse=True)[1].ravel())


@dataclass
class Whitening:
    """Values to directions: (values - mean) @ matrix."""

    mean: np.ndarray
    matrix: np.ndarray


def whiten(values: np.ndarray, combination: np.ndarray) -> Whitening:
    mean, scale = values.mean(0), values.std(0) + 1e-9
    scaled = (values - mean) / scale
    members = [scaled[combination == one] for one in np.unique(combination)]
    within = shrunk(np.concatenate([one - one.mean(0) for one in members]))
    variance, vectors = np.linalg.eigh(within)
    whitening = vectors / np.sqrt(variance)
    # Each combination counts by its cycles; `scaled` has mean zero, so its centre is the origin.
    between = np.array([np.sqrt(len(one)) * one.mean(0) for one in members]) @ whitening
    directions = np.linalg.svd(between, full_matrices=False)[2][:DIRECTIONS]
    return Whitening(mean, (whitening @ directions.T) / scale[:, None])


def shrunk(centred: np.ndarray) -> np.ndarray:
    covariance = centred.T @ centred / len(centred)
    size = len(covariance)
    return (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / size * np.eye(size)


@dataclass
class Discriminant:
    """Values to logits of one component's states: (values - mean) @ matrix + offset."""

    classes: np.ndarray
    mean: np.ndarray
    matrix: np.ndarray
    offset: np.ndarray

    def log_posteriors(self, values: np.ndarray) -> np.ndarray:
        return log_softmax((values - self.mean) @ self.matrix + self.offset)


def discriminant(whitening: Whitening, values: np.ndarray, states: np.ndarray) -> Discriminant:
    """Linear discriminant of the states, on the directions that the whitening keeps."""
    seen = (values - whitening.mean) @ whitening.matrix
    classes, index = np.unique(states, return_inverse=True)
    means = np.array([seen[index == c].mean(0) for c in range(len(classes))])
    prior = np.bincount(index) / len(index)
    weights = np.linalg.solve(shrunk(seen - means[index]), means.T)
    offset = np.log(prior) - 0.5 * np.sum(means.T * weights, axis=0)
    return Discriminant(classes, whitening.mean, whitening.matrix @ weights, offset)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    highest = logits.max(1, keepdims=True)
    return logits - highest - np.log(np.exp(logits - highest).sum(1, keepdims=True))


def raw(cycles: np.ndarray) -> np.ndarray:
    return cycles.reshape(len(cycles), -1)


def differences(cycles: np.ndarray) -> np.ndarray:
    """From second to second."""
    return raw(np.diff(cycles, axis=2))


def summary(cycles: np.ndarray) -> np.ndarray:
    """17 figures a sensor: mean, deviation, lowest, highest, rise, and mean and deviation of each sixth."""
    sixths = cycles.reshape(*cycles.shape[:2], 6, SECONDS // 6)
    whole = [cycles.mean(2), cycles.std(2), cycles.min(2), cycles.max(2), cycles[:, :, -1] - cycles[:, :, 0]]
    return np.concatenate([*whole, raw(sixths.mean(3)), raw(sixths.std(3))], axis=1)
