"""What replays say together: curves with bands, labels saved, who beats whom, and whether anybody won."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.evaluation.curves import band, label_ratio, paired, paired_interval, share_of_wins
from app.evaluation.metrics import hits
from app.loop.named import BASELINE
from app.loop.sets import Dataset
from app.loop.simulate import Run

FEWEST_SEEDS = 5  # below these no winner is named: three have shown one method better and worse than chance
TARGET_SHARE = 0.9  # of the accuracy with every label: the target unless another one is asked for
LEVEL = 0.05
HARMLESS = -0.005  # of the mean accuracy over the curve: what a strategy may be behind random


@dataclass(frozen=True)
class Target:
    """The accuracy that labels are counted to; `full` is that of a model of every label, where it is known."""

    accuracy: float
    full: float | None = None

    @classmethod
    def of(cls, full: float, wanted: float | None) -> "Target":
        """The wanted accuracy, or nine tenths of the full one."""
        return cls(TARGET_SHARE * full if wanted is None else wanted, full)


def outcome(runs: Sequence[Run], strategies: Sequence[str], target: Target, budget: int) -> dict[str, Any]:
    """All of it as plain data; of unfinished simulations with the runs that are there.

    Every figure is of the seeds that all strategies which did not refuse have finished, so that it is paired.
    Cost: 2,000 bootstrap draws a strategy.
    """
    refused = {run.strategy: run.refused for run in runs if run.refused}
    able = [each for each in strategies if each not in refused]
    table = {each: {run.seed: run for run in runs if run.strategy == each} for each in able}
    seeds = sorted(set.intersection(*(set(found) for found in table.values()))) if able else []
    by_strategy = {each: [table[each][seed] for seed in seeds] for each in able}
    means = {each: [run.mean_accuracy for run in own] for each, own in by_strategy.items()}
    return {
        "seeds": len(seeds),
        "target": {"accuracy": round(target.accuracy, 4), "full": target.full and round(target.full, 4)},
        "strategies": [
            {"strategy": each, "refused": refused[each]}
            if each in refused
            else {"strategy": each, "refused": None}
            | _figures(by_strategy[each], by_strategy.get(BASELINE, []), target, budget)
            for each in strategies
        ],
        "beats": {"strategies": able, "shares": [[share_of_wins(means[i], means[j]) for j in able] for i in able]},
        "verdict": verdict(means),
    }


def _figures(own: Sequence[Run], baseline: Sequence[Run], target: Target, budget: int) -> dict[str, Any]:
    if not own:
        return {"curve": []}
    versus: dict[str, float] = paired([run.mean_accuracy for run in own], [run.mean_accuracy for run in baseline])
    reached = [run.labels_to(target.accuracy) for run in own]
    ratio = label_ratio(reached, [run.labels_to(target.accuracy) for run in baseline], budget)
    rounds = sum(run.rounds for run in own)
    peaks = [run.peak_bytes for run in own if run.peak_bytes is not None]
    is_baseline = own[0].strategy == BASELINE
    return {
        "curve": curve(own),
        "mean_accuracy": _rounded(np.mean([run.mean_accuracy for run in own])),
        "last_accuracy": _rounded(np.mean([run.accuracy[-1] for run in own])),
        "labels_to_target": median_labels(own, own[0].strategy, target.accuracy),
        "reached": sum(n is not None for n in reached),
        "ratio": None if is_baseline else ratio and {key: _rounded(value) for key, value in ratio.items()},
        "difference": None if is_baseline or not baseline else {key: _rounded(value) for key, value in versus.items()},
        "audit_labels": _rounded(np.mean([run.audit_labels for run in own])),
        "seconds": _rounded(np.mean([run.seconds for run in own])),
        "choosing_seconds": _rounded(sum(run.choosing for run in own) / max(1, rounds)),
        "peak_bytes": max(peaks) if peaks else None,
    }


def curve(runs: Sequence[Run]) -> list[dict[str, float]]:
    """Mean accuracy at each number of labels, with the lowest and the highest seed; as far as all runs go."""
    length = min(len(run.labels) for run in runs)
    if length == 0:
        return []
    mean, low, high = band([run.accuracy[:length] for run in runs])
    return [
        {"labels": n, "accuracy": _rounded(a), "low": _rounded(b), "high": _rounded(c)}
        for n, a, b, c in zip(runs[0].labels, mean, low, high, strict=False)
    ]


def verdict(means: dict[str, list[float]]) -> dict[str, Any]:
    """Who won, with why in one sentence; nobody unless the best one is ahead of every other beyond chance.

    `means` holds the mean accuracy over the curve of each strategy, seed by seed. Ahead is who is so in a paired
    t-interval of 95 %, widened for the number of strategies that the best one was chosen from (Bonferroni).
    """
    seeds = min((len(values) for values in means.values()), default=0)
    if len(means) < 2:
        return _nobody("fewer than two strategies could run")
    if seeds < FEWEST_SEEDS:
        return _nobody(f"{seeds} of the {FEWEST_SEEDS} seeds that a comparison needs at least are done")
    best, *others = sorted(means, key=lambda each: -float(np.mean(means[each])))
    ahead = {each: paired_interval(means[best], means[each], LEVEL / len(others)) for each in others}
    if not_ahead := [each for each in others if ahead[each][1] <= 0]:
        near = not_ahead[0]
        words = f"{best} has the best curve, but it is ahead of {near} by {_points(ahead[near])}, which may be chance"
        return _nobody(words + (_from_random(ahead[BASELINE]) if BASELINE in others and near != BASELINE else ""))
    second = others[0]
    more = f", and ahead of random by {_points(ahead[BASELINE])}" if BASELINE in others[1:] else ""
    text = (
        f"On the mean of its curve {best} is ahead of {second} by {_points(ahead[second])}{more}, over {seeds} seeds."
    )
    return {"winner": best, "text": text}


def _from_random(interval: tuple[float, float, float]) -> str:
    chance = "may be chance too" if interval[1] <= 0 else "is more than chance"
    return f"; of random by {_points(interval)}, which {chance}"


def _nobody(why: str) -> dict[str, Any]:
    return {"winner": None, "text": f"Cannot tell: {why}."}


def _points(interval: tuple[float, float, float]) -> str:
    mean, low, high = (100 * value for value in interval)
    return f"{mean:.1f} points ({low:.1f} to {high:.1f})"


def _rounded(value: Any) -> float:
    return round(float(value), 4)


def paired_difference(runs: Sequence[Run], strategy: str, baseline: str = BASELINE) -> dict[str, float]:
    """Mean difference of the curves' mean accuracy over paired seeds, with a bootstrap 95 % interval."""
    mine = {run.seed: run.mean_accuracy for run in runs if run.strategy == strategy}
    other = {run.seed: run.mean_accuracy for run in runs if run.strategy == baseline}
    seeds = sorted(mine.keys() & other.keys())
    return paired([mine[seed] for seed in seeds], [other[seed] for seed in seeds])


def harm(runs: Sequence[Run], strategy: str, dataset: Dataset) -> str:
    """Why the runs do not show that a strategy does no harm; empty where they do.

    The lower 95 % bound of its difference to random has to be -0.005 or more, and one of the two has to end above who
    gives every held-out row the same answer, the best one there is. A learner of constant scores has the same curve
    whatever is asked, so that a difference of nought shows nothing of the strategy.
    """
    apart = paired_difference(runs, strategy)
    if not apart["seeds"]:
        return f"no seed has runs of both {strategy} and {BASELINE}"
    truth = dataset.test_targets
    guess = float(hits(np.broadcast_to(truth.mean(axis=0), truth.shape), truth, dataset.multiple).mean())
    ends = [[run.accuracy[-1] for run in runs if run.strategy == each] for each in (strategy, BASELINE)]
    if not any(paired(each, [guess] * len(each))["low"] > 0 for each in ends):
        return f"the learner knows no more than a constant answer, which is right for {100 * guess:.1f} %"
    if apart["low"] < HARMLESS:
        return f"{strategy} may be {-100 * apart['low']:.1f} points behind random"
    return ""


def ratio_to(runs: Sequence[Run], strategy: str, target: float, budget: int) -> dict[str, float | int] | None:
    """Labels to an accuracy as a share of what random needs, with a bootstrap 95 % interval over the seeds."""
    mine = [run.labels_to(target) for run in runs if run.strategy == strategy]
    other = [run.labels_to(target) for run in runs if run.strategy == BASELINE]
    return label_ratio(mine, other, budget)


def median_labels(runs: Sequence[Run], strategy: str, target: float) -> float | None:
    """The median labels to an accuracy over the seeds; None where half of them never reach it."""
    found = [run.labels_to(target) or np.inf for run in runs if run.strategy == strategy]
    middle = float(np.median(np.array(found, dtype=float))) if found else np.inf
    return None if np.isinf(middle) else middle
