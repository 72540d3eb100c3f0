"""What `auto` promises, measured: `python -m benchmarks.targets digits|cold|rare|guard|slow|quick [--seeds 30]`.

digits: labels to 90 % accuracy as a share of those of random and of margin, the audit share charged.
cold:   accuracy at 2 labels a class against random, and whether every class was seen within 3 labels a class.
rare:   labels until 90 % of the positives of a class of 0.5 % are found, as a share of those that random needs.
guard:  what the no-harm guard wins back of a choice that asks only what the model is sure of.
slow:   labels to 90 % of full accuracy on the sets that need more than the 600 of the curves, as a share of random's;
        a run ends where it gets there. Finished runs are kept in benchmarks/out/slow.
quick:  the same where random needs at most four rounds of 20, in rounds of 5: else a round is a quarter of the way.
Paired seeds, no initial labels, rounds of 20 (cold: 10). One process; a digits run takes a second or a few.
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.random import Generator

from app.core.arrays import Floats, Indices
from app.evaluation.curves import label_ratio, labels_to, paired
from app.loop.executors import LocalExecutor, one_thread
from app.loop.serving import audit_reserved
from app.loop.sets import Dataset
from app.loop.simulate import ROUND_SIZE, Conditions, Replay, Run, simulate
from app.strategies import AUTO, KINDS, Candidates, ScoredRows
from app.strategies.automatic import Automatic
from benchmarks.datasets import dataset
from benchmarks.generated import digits, rare
from benchmarks.simulate import remembered_full

RIGHT = 0.9
FOUND = 0.9
RARE_LABELS = 1_400
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Race:
    """Sets on which `auto` and random are to get to 90 % of full accuracy, and with how many labels at most."""

    name: str
    sets: tuple[str, ...]
    labels: int
    round_size: int

    @property
    def output(self) -> Path:
        """Where finished runs are kept."""
        return HERE / "out" / self.name

    @property
    def results(self) -> Path:
        """Every accuracy of every run, in the repository."""
        return HERE / "results" / f"{self.name}.csv"


SLOW = Race("slow", ("letter", "banking77", "sst2", "trec"), 2_000, ROUND_SIZE)
QUICK = Race("quick", ("satellite", "spambase", "shuttle", "breast_cancer", "overlap"), 600, 5)


def main() -> None:
    """Measure one promise and print its table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("what", choices=list(PROMISES))
    given.add_argument("--seeds", type=int, default=30)
    given.add_argument("--first-seed", type=int, default=200)
    given.add_argument("--write", action="store_true", help="of `slow` and `quick`: every accuracy of every kept run")
    options = given.parse_args()
    PROMISES[options.what](range(options.first_seed, options.first_seed + options.seeds))
    for race in (SLOW, QUICK):
        if options.write and options.what == race.name:
            write(race)


def labels_on_digits(seeds: range) -> None:
    """Labels to 90 % right of the held-out digits."""
    data = digits()
    found = {
        name: [simulate(data, name, seed, labels=400).labels_to(RIGHT) for seed in seeds]
        for name in (AUTO, "margin", "random")
    }
    print("| strategy | median labels to 90 % | of random's (95 %) | of margin's (95 %) |\n|---|---|---|---|")
    for name, labels in found.items():
        middle = np.median([math.inf if each is None else each for each in labels])
        print(f"| {name} | {middle:.0f} | {_ratio(labels, found['random'])} | {_ratio(labels, found['margin'])} |")


def _ratio(mine: list[int | None], other: list[int | None]) -> str:
    ratio = label_ratio(mine, other, 400)
    return f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else "-"


def cold_start(seeds: range) -> None:
    """Accuracy at 2 labels a class and classes seen within 3 of them."""
    data = digits()
    classes = len(data.classes)
    runs = {
        name: [simulate(data, name, seed, labels=3 * classes, round_size=10) for seed in seeds]
        for name in (AUTO, "random")
    }
    right = {name: [run.accuracy[run.labels.index(2 * classes)] for run in each] for name, each in runs.items()}
    gain = paired(right[AUTO], right["random"])
    print("| strategy | accuracy at 20 labels | every class seen within 30 labels |\n|---|---|---|")
    for name, each in runs.items():
        seen = np.mean([len(set(data.labels[run.order[: 3 * classes]])) == classes for run in each])
        print(f"| {name} | {100 * np.mean(right[name]):.1f} % | {100 * seen:.0f} % of {len(seeds)} seeds |")
    print(f"\npoints over random: {100 * gain['mean']:+.1f} ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})")


def rare_class(seeds: range) -> None:
    """Labels until 90 % of the positives are found; those of chance are the expectation, exactly."""
    data = rare()
    rows = len(data.labels)
    print("| seed | positives | asked about by choice | labels to 90 % of them | of chance's | labels to 90 % of all |")
    print("|---|---|---|---|---|---|")
    for seed in seeds:
        positive = data.labels == 1
        free = positive & ~np.array([audit_reserved(seed, key, 0.1) for key in data.keys])
        run = simulate(data, AUTO, seed, labels=RARE_LABELS)
        some, every = (_labels_until(run, marked) for marked in (free, positive))
        wanted, count = math.ceil(FOUND * int(free.sum())), int(free.sum())
        by_chance = wanted * (rows + 1) / (count + 1)
        share = f"{some / by_chance:.2f}" if some else "-"
        print(f"| {seed} | {int(positive.sum())} | {count} | {_said(some)} | {share} | {_said(every)} |", flush=True)


def _labels_until(run: Run, marked: Any) -> int | None:
    """Labels until nine tenths of the marked rows are among them; None where they never are."""
    found = np.cumsum(marked[np.array(run.order)])
    enough = np.flatnonzero(found >= math.ceil(FOUND * int(marked.sum())))
    return int(enough[0]) + 1 if enough.size else None


def _said(labels: int | None) -> str:
    return str(labels) if labels else f"> {RARE_LABELS}"


@dataclass(frozen=True)
class Sure(Automatic):
    """Asks what the model is surest of: a choice that does harm, under the guard of `auto`."""

    def score(self, shard: ScoredRows, state: Any) -> Floats:
        """The highest probability (n,)."""
        assert shard.probabilities is not None
        return np.asarray(shard.probabilities.max(axis=1), dtype=np.float32)

    def choose(self, candidates: Candidates, k: int, state: Any, rng: Generator) -> Indices:
        return candidates.best(k)


def harm_undone(seeds: range) -> None:
    """A harmful choice with the guard and without it, beside random; 600 labels of the digits."""
    data = digits()
    random = [simulate(data, "random", seed, labels=600) for seed in seeds]
    usual = [simulate(data, AUTO, seed, labels=600) for seed in seeds]
    with patch.dict(KINDS, {AUTO: Sure}):
        bare = [simulate(data, AUTO, seed, labels=600, parameters={"guard": False}) for seed in seeds]
        watched = [simulate(data, AUTO, seed, labels=600) for seed in seeds]
    print("| choice | accuracy at 600 labels | mean accuracy against random | guard up |\n|---|---|---|---|")
    arms = {"random": random, "auto": usual, "sure, without the guard": bare, "sure, with it": watched}
    for name, runs in arms.items():
        against = paired([run.mean_accuracy for run in runs], [run.mean_accuracy for run in random])
        last = np.mean([run.accuracy[-1] for run in runs])
        up = sum(bool(run.guarded) for run in runs)
        points = f"{100 * against['mean']:+.1f} ({100 * against['low']:+.1f} to {100 * against['high']:+.1f})"
        print(f"| {name} | {100 * last:.1f} % | {points} | {up} of {len(runs)} |")


def raced(race: Race, seeds: range) -> None:
    """Labels to 90 % of what the learner reaches with every label of the pool."""
    print(f"| set | full | {AUTO}, median labels to 90 % of it | random | of random's (95 %) |\n|---|---|---|---|---|")
    for name in race.sets:
        data = dataset(name)
        full = remembered_full(data, AUTO, race.output)
        pairs = [[_reached(race, data, each, seed, RIGHT * full) for each in (AUTO, "random")] for seed in seeds]
        mine, other = (list(each) for each in zip(*pairs, strict=True))
        ratio = label_ratio(mine, other, race.labels)
        share = f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else "-"
        medians = " | ".join(
            f"{np.median([each or math.inf for each in found]):.0f} ({found.count(None)} of {len(found)} never)"
            for found in (mine, other)
        )
        print(f"| {name} | {full:.3f} | {medians} | {share} |", flush=True)


def write(race: Race) -> None:
    """The kept runs, one row a round."""
    rows = ["set,strategy,seed,labels,accuracy"]
    for file in sorted(race.output.glob("*-*-*.json")):
        name, strategy, seed = file.stem.rsplit("-", 2)
        if seed.isdecimal():
            curve = json.loads(file.read_text())
            points = zip(curve["labels"], curve["accuracy"], strict=True)
            rows += [f"{name},{strategy},{seed},{labels},{accuracy:.4f}" for labels, accuracy in points]
    race.results.write_text("\n".join(rows) + "\n")


def _reached(race: Race, data: Dataset, strategy: str, seed: int, target: float) -> int | None:
    """The labels at which a run first gets to the target; None where it does not with those of the race.

    A kept run that ended at a lower target is run again.
    """
    file = race.output / f"{data.name}-{strategy}-{seed}.json"
    kept = json.loads(file.read_text()) if file.exists() else None
    if kept is None or (max(kept["accuracy"]) < target and kept["labels"][-1] < race.labels):
        run = Run(data.name, strategy, seed)
        replay = Replay(data, run, Conditions(labels=race.labels, round_size=race.round_size))
        with one_thread(), LocalExecutor(1) as executor:
            while not replay.step(executor) and max(run.accuracy, default=0.0) < target:
                pass
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"labels": run.labels, "accuracy": run.accuracy}))
    curve = json.loads(file.read_text())
    return labels_to(curve["labels"], curve["accuracy"], target)


PROMISES: dict[str, Callable[[range], None]] = {
    "digits": labels_on_digits,
    "cold": cold_start,
    "rare": rare_class,
    "guard": harm_undone,
    SLOW.name: partial(raced, SLOW),
    QUICK.name: partial(raced, QUICK),
}


if __name__ == "__main__":
    main()
