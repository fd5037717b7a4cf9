"""Thresholds that keep a budget of false alarms, from what healthy devices of a fleet have scored.

The unit of account is one device and month; its statistic is the highest score of the month, on a logarithmic scale.
Above a high value the excesses are taken to follow a generalised Pareto distribution (probability-weighted moments,
Hosking and Wallis 1987), whose shape is drawn towards that of all appliance models together. The tail begins where ten
times the budget is exceeded, as far as there are months for it: a fleet is a mixture of quiet devices and of some with
old damage, and a tail that begins among the quiet ones says nothing of the others.
"""

import numpy as np

# Months in the tail: so many times the budget, at least the second, at most the third as a share.
TAIL_TIMES, TAIL_LEAST, TAIL_SHARE = 10, 30, 0.05
SHAPES = (-0.5, 0.6)
# The pooled shape weighs as much as this many excesses.
POOL = 50
# A model with fewer months takes the fleet's level, this much higher, and may not call.
MONTHS_LEAST, MARGIN = 200, float(np.log(1.15))
# Devices are drawn again so often; the level is the one that this share of the draws stays below.
DRAWS, BOUND = 60, 0.8


def excesses(months: np.ndarray, budget: float) -> tuple[float, np.ndarray]:
    most = max(TAIL_LEAST, int(TAIL_SHARE * len(months)))
    count = min(max(TAIL_LEAST, int(TAIL_TIMES * budget * len(months))), most, len(months) // 4)
    highest = np.partition(months, -count - 1)[-count - 1 :]
    highest.sort()
    return float(highest[0]), highest[1:] - highest[0]


def moments(above: np.ndarray) -> tuple[float, float]:
    """Shape by the excesses alone, and their mean."""
    mean = float(above.mean())
    weighted = float(np.mean(np.linspace(1, 0, len(above)) * above))
    spread = mean - 2 * weighted
    return (float(np.clip(2 - mean / spread, *SHAPES)) if spread > 0 else 0.0), mean


def level(months: np.ndarray, budget: float, pooled: float) -> float:
    """Score that a healthy device-month reaches with probability `budget`."""
    start, above = excesses(months, budget)
    own, mean = moments(above)
    shape = (len(above) * own + POOL * pooled) / (len(above) + POOL)
    reach = max(len(above) / len(months) / budget, 1.0)
    growth = np.log(reach) if abs(shape) < 1e-6 else (reach**shape - 1) / shape
    return start + mean * (1 - shape) * growth


def bounded(months, device, budget: float, pooled: float, generator) -> float:
    """The level that suffices in most draws of devices: errs to fewer alarms."""
    device = np.unique(device, return_inverse=True)[1]
    count = device.max() + 1
    drawn = []
    for _ in range(DRAWS):
        times = np.bincount(generator.integers(0, count, count), minlength=count)
        drawn.append(level(np.repeat(months, times[device]), budget, pooled))
    return float(np.quantile(drawn, BOUND))


def thresholds(months, device, model, models: int, budget: float, seed: int) -> np.ndarray:
    """Level of each appliance model. `device` and `model` name those of each healthy month."""
    generator = np.random.default_rng(seed)
    large = [one for one in range(models) if (model == one).sum() >= MONTHS_LEAST]
    tails = [excesses(months[model == one], budget)[1] for one in large]
    pooled = float(np.average([moments(tail)[0] for tail in tails], weights=[len(tail) for tail in tails]))
    found = np.full(models, bounded(months, device, budget, pooled, generator) + MARGIN)
    for one in large:
        here = model == one
        found[one] = bounded(months[here], device[here], budget, pooled, generator)
    return found
