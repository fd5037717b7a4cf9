"""Judges the hydraulic rig's discriminant on combinations of states that it never saw, beside extra trees on the same folds.

Usage: python evaluate_hydraulic.py [folder with the hydraulic data]. Exit code 1 where a bar is missed.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import f1_score

import hydraulic
import results

FOLDS, SEEDS = 5, (0, 1, 2)
# A view that is certain must not outvote the other two.
LOWEST_LOG_POSTERIOR = -20.0
MODELS = ("discriminant", "discriminants of three views", "extra trees")


def folds(combination: np.ndarray, seed: int) -> np.ndarray:
    """Fold of each cycle; all cycles of a combination are in one."""
    count = combination.max() + 1
    return (np.random.default_rng(seed).permutation(count) % FOLDS)[combination]


def predict(rig: hydraulic.Rig, train: np.ndarray, test: np.ndarray, seed: int) -> dict[tuple[str, str], np.ndarray]:
    """States that each model names for the test cycles, by model and component."""
    views = [view(rig.cycles) for view in (hydraulic.raw, hydraulic.summary, hydraulic.differences)]
    whitenings = [hydraulic.whiten(view[train], rig.combination[train]) for view in views]
    named = {}
    for component, states in rig.states.items():
        fitted = [hydraulic.discriminant(w, view[train], states[train]) for w, view in zip(whitenings, views)]
        each = [one.log_posteriors(view[test]) for one, view in zip(fitted, views)]
        classes = fitted[0].classes
        named["discriminant", component] = classes[each[0].argmax(1)]
        together = sum(np.maximum(one, LOWEST_LOG_POSTERIOR) for one in each)
        named["discriminants of three views", component] = classes[together.argmax(1)]
        trees = ExtraTreesClassifier(150, random_state=seed, n_jobs=1).fit(views[1][train], states[train])
        named["extra trees", component] = trees.predict(views[1][test])
    return named


def macro_f1(rig: hydraulic.Rig, seed: int) -> dict[tuple[str, str], float]:
    fold = folds(rig.combination, seed)
    named = {(model, component): np.zeros(len(fold), int) for model in MODELS for component in rig.states}
    for held_out in range(FOLDS):
        test = fold == held_out
        for key, states in predict(rig, ~test, test, seed).items():
            named[key][test] = states
    return {key: f1_score(rig.states[key[1]], states, average="macro") for key, states in named.items()}


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else results.ROOT.parent / "shared" / "data" / "hydraulic"
    rig = hydraulic.load(data)
    scores = [macro_f1(rig, seed) for seed in SEEDS]
    lines = [
        f"{len(rig.combination)} cycles in {rig.combination.max() + 1} combinations of states; {FOLDS} folds by combination, so that a "
        f"tested combination was never seen; macro-F1 with seeds {', '.join(map(str, SEEDS))}. The discriminant is the "
        "model in `hydraulic-rig/`; bars are on its worst seed.", "",
        f"| model | {' | '.join(rig.states)} |", "| --- |" + " --- |" * len(rig.states),
    ]
    for model in MODELS:
        cells = [" / ".join(f"{score[model, component]:.3f}" for score in scores) for component in rig.states]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    bars = results.Bars()
    ours = {component: min(score["discriminant", component] for score in scores) for component in rig.states}
    gain = {c: min(score["discriminant", c] - score["extra trees", c] for score in scores) for c in rig.states}
    bars.at_least("valve, macro-F1 above extra trees", gain["valve"], 0.3)
    bars.at_least("accumulator, macro-F1 above extra trees", gain["accumulator"], -0.02)
    bars.at_least("cooler, macro-F1", ours["cooler"], 0.97)
    bars.at_least("pump, macro-F1", ours["pump"], 0.97)
    sys.exit(results.write("hydraulic-rig", "laboratory", hydraulic.files(data), lines, bars))


if __name__ == "__main__":
    main()
