"""What learning curves of several seeds say together: labels to a target, paired differences, who beats whom."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import stdtrit

from app.core.arrays import Doubles

BOOTSTRAP = 2_000
LEVEL = 0.05


def labels_to(labels: Sequence[int], accuracy: Sequence[float], target: float) -> int | None:
    """The first number of labels at which the accuracy is reached; None when it never is."""
    return next((n for n, a in zip(labels, accuracy, strict=True) if a >= target), None)


def band(curves: Sequence[Sequence[float]]) -> tuple[Doubles, Doubles, Doubles]:
    """Mean, lowest and highest value at each point (p,) of equally long curves."""
    table = np.array(curves, dtype=np.float64)
    return table.mean(axis=0), table.min(axis=0), table.max(axis=0)


def paired(mine: Sequence[float], other: Sequence[float], seed: int = 0) -> dict[str, float]:
    """Mean difference over paired runs with its bootstrap 95 % interval; not a number for no pairs."""
    differences = np.array(mine, dtype=np.float64) - np.array(other, dtype=np.float64)
    if differences.size == 0:
        return {"mean": float("nan"), "low": float("nan"), "high": float("nan"), "seeds": 0}
    draws = np.random.default_rng(seed).choice(differences, (BOOTSTRAP, differences.size)).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return {"mean": float(differences.mean()), "low": float(low), "high": float(high), "seeds": differences.size}


def paired_interval(mine: Sequence[float], other: Sequence[float], level: float = LEVEL) -> tuple[float, float, float]:
    """Mean difference over paired runs with its t-interval at 1 - `level`: (mean, low, high); two pairs at least."""
    differences = np.array(mine, dtype=np.float64) - np.array(other, dtype=np.float64)
    mean = float(differences.mean())
    error = float(differences.std(ddof=1)) / differences.size**0.5
    half = float(stdtrit(differences.size - 1, 1 - level / 2)) * error
    return mean, mean - half, mean + half


def share_of_wins(mine: Sequence[float], other: Sequence[float]) -> float | None:
    """On which share of paired runs the first is above the second; a tie is no win. None for no pairs."""
    pairs = list(zip(mine, other, strict=True))
    return sum(a > b for a, b in pairs) / len(pairs) if pairs else None


def label_ratio(
    mine: Sequence[int | None], other: Sequence[int | None], budget: int, seed: int = 0
) -> dict[str, float | int] | None:
    """Median labels to a target divided by the baseline's median, with a bootstrap 95 % interval over the seeds.

    A run that never reaches the target counts as the whole budget, which is kind to whichever side is slower, so
    `censored` and `censored_baseline` say how many there were. None where half of `mine` never reach it.
    """
    reached = [n for n in mine if n is not None]
    if not mine or not other or 2 * len(reached) <= len(mine):
        return None
    own = np.array([budget if n is None else n for n in mine], dtype=np.float64)
    base = np.array([budget if n is None else n for n in other], dtype=np.float64)
    rng = np.random.default_rng(seed)
    draws = np.median(rng.choice(own, (BOOTSTRAP, own.size)), axis=1) / np.median(
        rng.choice(base, (BOOTSTRAP, base.size)), axis=1
    )
    low, high = np.quantile(draws, [0.025, 0.975])
    return {
        "value": float(np.median(own) / np.median(base)),
        "low": float(low),
        "high": float(high),
        "censored": len(mine) - len(reached),
        "censored_baseline": sum(n is None for n in other),
    }


def penalty_matrix(
    results: Mapping[str, Mapping[str, Sequence[float]]], strategies: Sequence[str]
) -> list[list[float]]:
    """Entry (i, j) is the share of sets on which strategy i beats strategy j by a paired t-test at the 5 % level.

    `results[set][strategy]` holds one number a seed, in the same order of seeds.

    Source: Ash, Zhang, Krishnamurthy, Langford, Agarwal. Deep Batch Active Learning by Diverse, Uncertain Gradient
    Lower Bounds. ICLR 2020.
    """
    size = len(strategies)
    wins = np.zeros((size, size))
    for values in results.values():
        for i, mine in enumerate(strategies):
            for j, other in enumerate(strategies):
                wins[i, j] += i != j and _beats(values[mine], values[other])
    return [[float(value) for value in row] for row in wins / max(len(results), 1)]


def _beats(mine: Sequence[float], other: Sequence[float]) -> bool:
    differences = np.array(mine, dtype=np.float64) - np.array(other, dtype=np.float64)
    if differences.size < 2:
        return False
    error = float(differences.std(ddof=1)) / differences.size**0.5
    critical = float(stdtrit(differences.size - 1, 1 - LEVEL / 2))
    return bool(differences.mean() > critical * error)
