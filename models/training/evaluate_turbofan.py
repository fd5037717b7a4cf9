"""Judges a net that tells the cycles left of turbofan engines, beside LightGBM on the same features and folds.

Usage: python evaluate_turbofan.py [folder with C-MAPSS]. Exit code 1 where a bar is missed.

Each engine is judged by models that saw none of it, at every cycle from the 20th to its last. The features stream: a
sensor needs three moving averages and the mean of its first cycles, nothing of its past beside.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
from scipy.signal import lfilter

import perceptron
import results

# Bar on the error, as a multiple of LightGBM's.
FLEETS = {"FD001": 1.05, "FD002": 1.08, "FD003": 1.05, "FD004": 1.05}
FOLDS = 5
# More cycles left than this are called this many: nothing shows yet.
HEALTHY = 125
FIRST = 20
AVERAGES = (0.2, 0.08, 0.03)
# Two nets are averaged. Half of what they learn is the truth, half what LightGBM says of the same engines.
NETS, HIDDEN, NOISE, STEPS, TAUGHT = 2, (64, 32), 0.2, 6000, 0.5
# Of the training engines, every second cycle: neighbours are alike.
STRIDE = 2
# The range's two ends are taken from residuals in these bins of the predicted cycles left.
BINS, ENDS = [15, 30, 50, 70, 90, 110], (10, 90)
# An engine is reported when fewer than 40 cycles are predicted for 3 cycles running; of use with 10 left.
REPORT_BELOW, HOLD, USEFUL = 40, 3, 10


@dataclass
class Fleet:
    engine: np.ndarray
    cycle: np.ndarray
    regime: np.ndarray
    sensors: np.ndarray

    def left(self) -> np.ndarray:
        last = np.zeros(self.engine.max() + 1)
        np.maximum.at(last, self.engine, self.cycle)
        return last[self.engine] - self.cycle


def files(data: Path) -> list[Path]:
    return sorted(data.glob("train_FD00*.txt.gz"))


def load(file: Path) -> Fleet:
    rows = np.loadtxt(file)
    engine = np.unique(rows[:, 0], return_inverse=True)[1]
    # Altitude, speed and throttle take at most six values together.
    settings = np.round(rows[:, 2:5] / [5, 0.1, 20])
    return Fleet(engine, rows[:, 1], np.unique(settings, axis=0, return_inverse=True)[1].ravel(), rows[:, 5:])


def scaled(fleet: Fleet, train: np.ndarray) -> np.ndarray:
    """Sensors by the mean and deviation that their regime has among the training rows; constant ones are left out."""
    values = np.zeros_like(fleet.sensors)
    for regime in np.unique(fleet.regime):
        here = fleet.regime == regime
        mean, deviation = fleet.sensors[here & train].mean(0), fleet.sensors[here & train].std(0)
        deviation = np.maximum(deviation, 3e-4 * np.abs(mean) + 1e-9)
        values[here] = np.clip((fleet.sensors[here] - mean) / deviation, -6, 6)
    return values[:, values[train].std(0) > 0.3]


def features(values: np.ndarray, engine: np.ndarray) -> np.ndarray:
    """One row for each row of `values`; those before the 20th cycle of an engine have no meaning."""
    return np.concatenate([of_engine(values[engine == one]) for one in np.unique(engine)])


def of_engine(values: np.ndarray) -> np.ndarray:
    fast, middle, slow = (average(values, share) for share in AVERAGES)
    age = np.arange(1, len(values) + 1)[:, None]
    start = values[:FIRST].mean(0)
    return np.hstack([fast, middle, middle - slow, middle - start, age / 100, np.minimum(age, 60) / 60])


def average(values: np.ndarray, share: float) -> np.ndarray:
    """Exponential average whose weights sum to one from the first cycle on."""
    weight = lfilter([1], [1, share - 1], np.ones(len(values)))
    return lfilter([1], [1, share - 1], values, axis=0) / weight[:, None]


def trees(inputs: np.ndarray, targets: np.ndarray) -> lightgbm.LGBMRegressor:
    return lightgbm.LGBMRegressor(
        n_estimators=400, learning_rate=0.03, num_leaves=15, min_child_samples=40, subsample=0.7, subsample_freq=1,
        colsample_bytree=0.4, reg_lambda=5, n_jobs=1, random_state=0, verbose=-1,
    ).fit(inputs, targets)


def predict(fleet: Fleet, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cycles left as the nets and LightGBM say, for every row, by models that saw none of its engine."""
    truth = np.minimum(fleet.left(), HEALTHY)
    net, peer = np.zeros(len(truth)), np.zeros(len(truth))
    for held_out in range(FOLDS):
        test = fold == held_out
        inputs = features(scaled(fleet, ~test), fleet.engine)
        learn = ~test & (fleet.cycle >= FIRST) & (fleet.cycle % STRIDE == 0)
        forest = trees(inputs[learn], truth[learn])
        peer[test] = forest.predict(inputs[test])
        mean, deviation = inputs[learn].mean(0), inputs[learn].std(0)
        inputs = np.clip((inputs - mean) / deviation, -4, 4)
        said = forest.predict(inputs[learn] * deviation + mean)
        targets = ((1 - TAUGHT) * truth[learn] + TAUGHT * said) / HEALTHY - 0.5
        nets = [perceptron.train(inputs[learn], targets, HIDDEN, NOISE, STEPS, seed) for seed in range(NETS)]
        net[test] = (np.mean([one(inputs[test]) for one in nets], axis=0) + 0.5) * HEALTHY
    return net, peer


def ranges(said: np.ndarray, truth: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the 80 % range of every row, from residuals of the other folds."""
    place = np.digitize(said, BINS)
    low, high = np.zeros(len(said)), np.zeros(len(said))
    for held_out in range(FOLDS):
        for one in range(len(BINS) + 1):
            here, test = place == one, fold == held_out
            residuals = (truth - said)[here & ~test]
            if len(residuals):
                low[here & test], high[here & test] = np.percentile(residuals, ENDS)
    return said + low, said + high


@dataclass
class Reports:
    """`found` of `engines` were reported with `USEFUL` cycles or more left and not while healthy."""

    engines: int
    found: int
    early: int
    healthy_cycles: int
    median_left: float


def reports(said: np.ndarray, left: np.ndarray, engine: np.ndarray) -> Reports:
    at = []
    for one in np.unique(engine):
        mine = engine == one
        below = np.convolve(said[mine] < REPORT_BELOW, np.ones(HOLD))[: mine.sum()] == HOLD
        at.append(left[mine][below.argmax()] if below.any() else -1.0)
    at = np.array(at)
    early = at >= HEALTHY
    found = (at >= USEFUL) & ~early
    healthy_cycles = int((left >= HEALTHY).sum())
    return Reports(len(at), int(found.sum()), int(early.sum()), healthy_cycles, float(np.median(at[found])))


def error(said: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((np.clip(said, 0, HEALTHY) - truth) ** 2)))


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else results.ROOT.parent / "shared" / "data" / "cmapss"
    bars = results.Bars()
    lines = [
        f"Every cycle from the {FIRST}th of every engine, {FOLDS} folds by engine; {HEALTHY} cycles left and more count as "
        f"{HEALTHY}. Reported: fewer than {REPORT_BELOW} predicted for {HOLD} cycles; found: reported with {USEFUL} or more "
        f"left and fewer than {HEALTHY}.", "",
        "| fleet | engines | RMSE of the net | of LightGBM | ratio | 80 % range covers | mean width | found | early | "
        "healthy cycles | median left at the report | LightGBM: found, early |", "| --- |" + " --- |" * 11,
    ]
    covered, found = [], []
    for file, (name, bound) in zip(files(data), FLEETS.items(), strict=True):
        fleet = load(file)
        fold = (np.random.default_rng(0).permutation(fleet.engine.max() + 1) % FOLDS)[fleet.engine]
        net, peer = predict(fleet, fold)
        judged = fleet.cycle >= FIRST
        left, engine, fold = fleet.left()[judged], fleet.engine[judged], fold[judged]
        net, peer, truth = net[judged], peer[judged], np.minimum(left, HEALTHY)
        low, high = ranges(net, truth, fold)
        inside = (low <= truth) & (truth <= high)
        covered.append(inside)
        report, other = reports(net, left, engine), reports(peer, left, engine)
        found.append(report)
        ratio = error(net, truth) / error(peer, truth)
        lines.append(
            f"| {name} | {report.engines} | {error(net, truth):.2f} | {error(peer, truth):.2f} | {ratio:.3f} | "
            f"{inside.mean():.1%} | {np.mean(high - low):.1f} | {report.found} | {report.early} | {report.healthy_cycles} | "
            f"{report.median_left:.0f} | {other.found}, {other.early} |"
        )
        print(lines[-1], flush=True)
        bars.at_most(f"{name}, RMSE over LightGBM's", ratio, bound)
    everywhere = 100 * np.concatenate(covered).mean()
    bars.at_least("80 % range covers, % of all cycles", everywhere, 75)
    bars.at_most("80 % range covers, % of all cycles", everywhere, 85)
    bars.at_least("found, % of engines", 100 * sum(r.found for r in found) / sum(r.engines for r in found), 98)
    healthy_cycles = sum(r.healthy_cycles for r in found)
    early = sum(r.early for r in found) / healthy_cycles
    bars.at_most("reported early, per 1,000 healthy cycles", 1000 * early, 0.5)
    right, wrong = sum(r.found for r in found), sum(r.early for r in found)
    row = results.Found(
        "net", right, sum(r.engines for r in found), wrong, f"{healthy_cycles} healthy cycles", right / max(right + wrong, 1)
    )
    sys.exit(results.write("turbofan", "simulated", files(data), lines, bars, (row,)))


if __name__ == "__main__":
    main()
