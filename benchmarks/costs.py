"""Does weighing items by their expected seconds save time? `python -m benchmarks.costs [--seeds 10] [--labels 400]`.

Made texts of very different length (log-normal, 8 to 400 words) of four classes. In the set `even` every text has three
words of its class, however long it is: a long one is slow and hard to learn from. In `rich` every tenth word is one: a
long one is slow and tells more. An answer takes 1.5 s and 0.25 s a word, times log-normal chance (sd 0.4), and one in
fifty is a pause of minutes. Times are learned from the run's own log, as a project does. `auto` and `margin` run with
the exponents 0, 0.5 and 1; the same seeds, rounds of 20. Told: hours until the accuracy on 1,000 held-out texts is 80 %
of what all labels of the pool give, and the accuracy at the hours that the exponent 0 took for half of its labels.
"""

import argparse
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.core.arrays import Doubles, Indices
from app.core.block import Block
from app.evaluation.costs import FEWEST, Times, later, learned, timed
from app.featurizers import make_featurizer
from app.learners import make_learner
from app.loop.executors import LocalExecutor, one_thread
from app.loop.pricing import Pricing
from app.loop.propose import Labelled, Plan, propose
from app.loop.simulate import OpenRows

CLASSES, POOL, TEST, ROUND, REACHED = 4, 2_000, 1_000, 20, 0.8
EXPONENTS = (0.0, 0.5, 1.0)


@dataclass
class Texts:
    """Vectors, labels and words of the pool and of the held-out texts."""

    block: Block
    labels: Indices
    words: Doubles
    test: Block
    test_labels: Indices


@dataclass
class Way:
    """What a run had after each round: labels, hours, accuracy."""

    labels: list[int]
    hours: list[float]
    accuracy: list[float]


def main() -> None:
    """Simulate and print a table a set."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--seeds", type=int, default=10)
    given.add_argument("--labels", type=int, default=400)
    given.add_argument("--sets", default="even,rich")
    given.add_argument("--strategies", default="auto,margin")
    options = given.parse_args()
    with one_thread():
        for name in options.sets.split(","):
            print(f"\n{name}, {options.seeds} seeds, {options.labels} labels\n")
            print(
                "| strategy | exponent | hours to the target | of exponent 0 | labels to it | accuracy at equal hours |"
            )
            print("|---|---|---|---|---|---|")
            made = [texts(name, seed) for seed in range(options.seeds)]
            for strategy in options.strategies.split(","):
                _table(strategy, made, options.labels)


def texts(name: str, seed: int) -> Texts:
    """A set of made texts with their vectors, as a project gives them."""
    rng = np.random.default_rng([seed, 1])
    count = POOL + TEST
    labels = rng.integers(0, CLASSES, count)
    words = np.clip(np.exp(rng.normal(3.7, 0.9, count)), 8, 400).astype(np.int64)
    common = [f"word{number}" for number in range(3_000)]
    own = [[f"sign{each}x{number}" for number in range(60)] for each in range(CLASSES)]
    weights = 1 / np.arange(1, len(common) + 1)
    made = []
    for label, length in zip(labels, words, strict=True):
        telling = 3 if name == "even" else max(1, int(length) // 10)
        fill = rng.choice(len(common), int(length) - telling, p=weights / weights.sum())
        mixed = [common[each] for each in fill]
        # One telling word in four is of another class, so that a single one proves nothing.
        of = np.where(rng.random(telling) < 0.25, rng.integers(0, CLASSES, telling), label)
        mixed += [own[each][rng.integers(60)] for each in of]
        made.append(" ".join(np.array(mixed)[rng.permutation(len(mixed))]))
    featurizer = make_featurizer("ngrams", {})
    state = featurizer.fit(made[:POOL])
    block, test = featurizer.transform(made[:POOL], state), featurizer.transform(made[POOL:], state)
    return Texts(block, labels[:POOL], words[:POOL].astype(np.float64), test, labels[POOL:])


def run(data: Texts, strategy: str, exponent: float, seed: int, budget: int) -> Way:
    """One simulated project without an audit share, from no label on."""
    clock = np.random.default_rng([seed, 2])
    truth = 1.5 + 0.25 * data.words  # seconds
    taken = truth * np.exp(clock.normal(0, 0.4, POOL)) + (clock.random(POOL) < 0.02) * 300
    order: list[int] = []
    way = Way([], [], [])
    with LocalExecutor(1) as executor:
        while len(order) < budget:
            rows = np.array(order, dtype=np.int64)
            given = _labelled(data, rows)
            left = np.setdiff1d(np.arange(POOL), rows)
            plan = Plan(
                tuple(range(1, CLASSES + 1)), False, "text", strategy=strategy, size=ROUND, seed=seed + len(rows)
            )
            pricing = _pricing(data, rows, taken, exponent)
            shards = [OpenRows(data.block, left)]
            found = propose(given, shards, plan, executor, lambda _step, _fraction: None, pricing=pricing)
            order += [int(item) - 1 for item in found.ids[:, 0]]
            rows = np.array(order, dtype=np.int64)
            way.labels.append(len(rows))
            way.hours.append(float(truth[rows].sum()) / 3_600)  # the pauses are nobody's work
            way.accuracy.append(_accuracy(data, rows))
    return way


def _pricing(data: Texts, rows: Indices, taken: Doubles, exponent: float) -> Pricing:
    real, seconds = timed(taken[rows]) if len(rows) else (np.zeros(0, dtype=np.bool_), np.zeros(0))
    given = Times(seconds[real], 6 * data.words[rows][real], np.ones(int(real.sum()), dtype=np.int64))
    found = later(given)
    if found is None or not found.tells:
        return Pricing(exponent, None, f"{len(given)} of {FEWEST} answers")
    model = learned(given)
    return Pricing(exponent, lambda ids: model.seconds(6 * data.words[ids[:, 0] - 1]))


def _labelled(data: Texts, rows: Indices) -> Labelled:
    ids = np.zeros((len(rows), 3), dtype=np.int64)
    ids[:, 0], ids[:, 2] = rows + 1, 1
    targets = np.eye(CLASSES, dtype=np.float32)[data.labels[rows]].reshape(len(rows), CLASSES)
    return Labelled(ids, data.block.take(rows), targets, np.ones(len(rows)), np.zeros(len(rows), dtype=np.bool_))


def _accuracy(data: Texts, rows: Indices) -> float:
    given = _labelled(data, rows)
    learner = make_learner("auto", {}, given.block, CLASSES)
    model = learner.fit(given.block, given.targets, given.weights, multiple=False, seed=0)
    return float((model.probabilities(data.test).argmax(axis=1) == data.test_labels).mean())


def _table(strategy: str, made: list[Texts], budget: int) -> None:
    ways = {each: [run(data, strategy, each, seed, budget) for seed, data in enumerate(made)] for each in EXPONENTS}
    full = [_accuracy(data, np.arange(POOL)) for data in made]
    for exponent in EXPONENTS:
        reached = [_to(way, REACHED * top) for way, top in zip(ways[exponent], full, strict=True)]
        plain = [_to(way, REACHED * top) for way, top in zip(ways[0.0], full, strict=True)]
        ratio = [a[0] / b[0] for a, b in zip(reached, plain, strict=True) if math.isfinite(a[0] + b[0])]
        at = [float(np.interp(own.hours[len(own.hours) // 2], way.hours, way.accuracy))
              for way, own in zip(ways[exponent], ways[0.0], strict=True)]  # fmt: skip
        said: list[Any] = [
            _median([each[0] for each in reached]),
            _spread(ratio),
            _median([each[1] for each in reached]),
        ]
        print(
            f"| {strategy} | {exponent:g} | {said[0]} | {said[1]} | {said[2]} | {100 * np.mean(at):.1f} % |", flush=True
        )


def _to(way: Way, target: float) -> tuple[float, float]:
    """Hours and labels after which the accuracy is first reached; infinite where it never is."""
    for hours, labels, accuracy in zip(way.hours, way.labels, way.accuracy, strict=True):
        if accuracy >= target:
            return hours, float(labels)
    return math.inf, math.inf


def _median(values: list[float]) -> str:
    middle = float(np.median(values))
    return f"{middle:.2f}" if middle < 10 else f"{middle:.0f}" if math.isfinite(middle) else "not reached"


def _spread(ratios: list[float]) -> str:
    if not ratios:
        return "–"
    low, middle, high = np.quantile(ratios, (0.1, 0.5, 0.9))
    return f"{middle:.2f} ({low:.2f} to {high:.2f}, {len(ratios)} runs)"


if __name__ == "__main__":
    main()
