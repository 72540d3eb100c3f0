"""What the figures of a round claim, measured: `python -m benchmarks.evaluation WHAT [--projects 1000]`.

coverage: do all intervals of a project hold the truth, at every peek? One learner that stays, and one that changes.
projects: the same in whole simulated projects, where `auto` chooses and a round's learner is judged by cross-fitting.
naive:    the accuracy on actively chosen labels beside that of the audit share and the truth.
active:   chosen audit items that are weighed, beside random ones that are counted: coverage, and answers for a width.
powered:  the same with the learner's own expectation of the audit items without an answer.
limits:   the least answers for a width that any choice by the learner's own expectation can do with, on real sets.
saved:    does "labels saved" hold what fresh items say, and does it stay silent where there is nothing to learn?
Seeds are the numbers of the projects. One process; a project of `projects`, `naive` or `saved` takes seconds.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats
from app.core.block import Block
from app.evaluation.intervals import share
from app.evaluation.metrics import hits
from app.evaluation.saved import LEVEL as SAVED_LEVEL
from app.evaluation.saved import Saved, first_as_good, needed
from app.evaluation.sequence import at_look, hedged, level_of
from app.loop.counterfactual import compared, look, sizes_of
from app.loop.evaluate import FEWEST_AUDIT, cross_fit
from app.loop.executors import LocalExecutor, one_thread
from app.loop.guarding import folds_of, right
from app.loop.propose import Labelled, Plan
from app.loop.sets import Dataset
from app.loop.simulate import Conditions, Replay, Run
from app.strategies import AUTO
from benchmarks import audits
from benchmarks.datasets import dataset
from benchmarks.generated import GENERATED

PEEKS = (10, 25, 50, 100, 200, 300)
POOL = 5_000
ROUNDS = 30
FRESH_A_ROUND = 6  # audit answers of a round until 60, then two: as a project has them


def main() -> None:
    """Measure one claim and print its table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("what", choices=[*CLAIMS, "saved"])
    given.add_argument("--projects", type=int, default=1_000)
    given.add_argument("--labels", type=int, default=600, help="of a project of `saved`")
    given.add_argument("--sets", default=",".join(SAVED_SETS), help="of `saved`")
    given.add_argument("--audit-share", type=float, default=0.1, help="of a project of `saved`")
    options = given.parse_args()
    projects = range(options.projects)
    with one_thread():
        if options.what == "saved":
            labels_saved(options.sets.split(","), projects, options.labels, options.audit_share)
        else:
            CLAIMS[options.what](projects)


def coverage(projects: range) -> None:
    """The two constructions against Wilson's interval, which is made for one look."""
    print("A learner that stays, pool of 5,000, a peek after each of 300 answers:\n")
    print("| accuracy | sequence holds | Wilson's holds |" + "".join(f" width at {n} |" for n in PEEKS))
    print("|---|---|---|" + "---|" * len(PEEKS))
    for accuracy in (0.6, 0.85, 0.97):
        _standing(accuracy, projects)
    print("\nA learner that changes every round, 30 rounds, audit answers as a project has them:\n")
    print("| how it changes | all rounds hold | Wilson's hold | mean width (Wilson's) at round 1 | 10 | 30 |")
    print("|---|---|---|---|---|---|")
    for name, change in CHANGES.items():
        _changing(name, change, projects)


def _standing(accuracy: float, projects: range) -> None:
    held, once = 0, 0
    widths = np.zeros((2, len(PEEKS)))
    for project in projects:
        rng = np.random.default_rng([1, project])
        pool = rng.random(POOL) < accuracy
        truth = float(pool.mean())
        hits = rng.permutation(pool)[: PEEKS[-1]].astype(np.float64)
        lows, highs = hedged(hits, population=POOL)
        plain = [share(float(right), n) for n, right in enumerate(np.cumsum(hits), 1)]
        held += bool(((lows <= truth) & (truth <= highs)).all())
        once += all(each is not None and each.low <= truth <= each.high for each in plain)
        for i, n in enumerate(PEEKS):
            each = plain[n - 1]
            assert each is not None
            widths[:, i] += highs[n - 1] - lows[n - 1], each.high - each.low
    mean = widths / len(projects)
    cells = " | ".join(f"{mean[0, i]:.3f} ({mean[1, i]:.3f})" for i in range(len(PEEKS)))
    print(f"| {accuracy:.2f} | {_percent(held, projects)} | {_percent(once, projects)} | {cells} |", flush=True)


def audit_answers(round_number: int) -> int:
    """How many audit answers a project has in its round 1, 2, ...: six a round until 60, then two."""
    return min(FRESH_A_ROUND * round_number, 60 + 2 * max(0, round_number - 10))


def _rising(difficulty: Doubles, round_number: int, rng: Generator) -> Doubles:
    """Learns: items fall one by one, the easy ones first."""
    return (difficulty < 0.9 - 0.5 * math.exp(-round_number / 8)).astype(np.float64)


def _restless(difficulty: Doubles, round_number: int, rng: Generator) -> Doubles:
    """As good, but each time right about other items: the rounds' errors hang together the least."""
    return (rng.random(len(difficulty)) < 0.9 - 0.5 * math.exp(-round_number / 8)).astype(np.float64)


def _falling(difficulty: Doubles, round_number: int, rng: Generator) -> Doubles:
    """Gets worse: what a sequence for one mean would not notice for long."""
    return (difficulty < 0.5 + 0.4 * math.exp(-round_number / 8)).astype(np.float64)


CHANGES: dict[str, Callable[[Doubles, int, Generator], Doubles]] = {
    "learns": _rising,
    "as good on other items each time": _restless,
    "gets worse": _falling,
}


def _changing(name: str, change: Callable[[Doubles, int, Generator], Doubles], projects: range) -> None:
    held, once = 0, 0
    widths = np.zeros((3, 2))
    for project in projects:
        rng = np.random.default_rng([2, project])
        difficulty, order = rng.random(POOL), rng.permutation(POOL)
        inside = np.ones(2, dtype=np.bool_)
        for number in range(1, ROUNDS + 1):
            right = change(difficulty, number, rng)
            bands = _bands(right[order[: audit_answers(number)]].astype(np.float32), number, POOL)
            inside &= _hold(bands, float(right.mean()))
            if number in (1, 10, ROUNDS):
                widths[(1, 10, ROUNDS).index(number)] += bands[:, 1] - bands[:, 0]
        held, once = held + bool(inside[0]), once + bool(inside[1])
    cells = " | ".join(f"{mine:.3f} ({plain:.3f})" for mine, plain in widths / len(projects))
    print(f"| {name} | {_percent(held, projects)} | {_percent(once, projects)} | {cells} |", flush=True)


def _bands(hits: Floats, look: int, population: int | None) -> Doubles:
    """Ends (2, 2) of our interval and of Wilson's."""
    mine, plain = at_look(hits, look, population), share(float(hits.sum()), len(hits))
    assert mine is not None
    assert plain is not None
    return np.array([[mine.low, mine.high], [plain.low, plain.high]])


def _hold(bands: Doubles, truth: float) -> Any:
    return (bands[:, 0] <= truth) & (truth <= bands[:, 1])


SETS = ("digits", "breast_cancer", "overlap")
SAVED_SETS = ("digits", "breast_cancer", "overlap", "mnist", "trec", "no signal")
LABELS = 300


def projects_whole(projects: range) -> None:
    """The truth of a round is its learner's accuracy on the rows held out of the set."""
    print("| set | audit answers | rounds | all hold | lower ends hold | Wilson's hold | off by, first half | second |")
    print("|---|---|---|---|---|---|---|---|")
    for name in SETS:
        data = GENERATED[name]()
        for apart in (False, True):
            _whole(name, data, projects, Conditions(labels=LABELS, apart=apart))


def _whole(name: str, data: Dataset, projects: range, conditions: Conditions) -> None:
    kept = []
    for project in projects:
        rows = [_peek(data, *each) for each in _judged_rounds(data, AUTO, project, conditions)]
        kept.append(np.array(rows))
    shares = [_percent(sum(bool(each[:, i].all()) for each in kept), projects) for i in (0, 1, 2)]
    off = [np.mean([each[half(len(each)), 3].mean() for each in kept]) for half in (_first, _second)]
    points = " | ".join(f"{100 * each:+.1f} points" for each in off)
    rounds = np.mean([len(each) for each in kept])
    used = "apart" if conditions.apart else "taught"
    print(f"| {name} | {used} | {rounds:.0f} | {' | '.join(shares)} | {points} |", flush=True)


def _first(rounds: int) -> slice:
    return slice(0, rounds // 2)


def _second(rounds: int) -> slice:
    return slice(rounds // 2, None)


def _judged_rounds(
    data: Dataset, strategy: str, seed: int, conditions: Conditions
) -> Iterator[tuple[Labelled, Plan, float]]:
    """What each round with a model and audit answers learned from, and the truth about its learner."""
    parameters = {"guard": False} if strategy == AUTO else {}
    replay = Replay(data, Run(data.name, strategy, seed), conditions, parameters)
    with LocalExecutor(1) as executor:
        over = False
        while not over:
            labelled, plan = replay.state()
            rounds = len(replay.run.accuracy)
            over = replay.step(executor)
            if len(replay.run.accuracy) > rounds and labelled.audit.sum() >= FEWEST_AUDIT and _taught(labelled):
                yield labelled, plan, replay.run.accuracy[-1]


def _taught(labelled: Labelled) -> bool:
    return bool((labelled.targets.sum(axis=0) > 0).sum() > 1)


def _peek(data: Dataset, labelled: Labelled, plan: Plan, truth: float) -> tuple[float, float, float, float]:
    """Whether our interval, its lower end and Wilson's interval hold, and how far off the estimate is."""
    if plan.apart:
        hit = right(labelled.take(~labelled.audit), labelled.take(labelled.audit), plan)
    else:
        held, said = cross_fit(labelled, folds_of(labelled, plan), plan)
        hit = hits(said, labelled.targets[held], False)
    bands = _bands(hit, len(labelled) // 20, len(data.pool))
    inside = _hold(bands, truth)
    return float(inside[0]), float(bands[0, 0] <= truth), float(inside[1]), float(hit.mean()) - truth


def naive(projects: range) -> None:
    """Cross-fitted accuracy on chosen answers and on audit answers, in points off the held-out truth."""
    print("| set | strategy | labels | truth | on chosen answers (off by) | on audit answers (off by) |")
    print("|---|---|---|---|---|---|")
    for name in SETS:
        data = GENERATED[name]()
        for strategy in ("margin", AUTO):
            rows = []
            for seed in projects:
                *_, (labelled, plan, truth) = _judged_rounds(data, strategy, seed, Conditions(labels=200))
                rows.append((truth, *(_judged_by(labelled, plan, arm) for arm in (False, True))))
            truth, chosen, audit = np.mean(rows, axis=0)
            print(
                f"| {name} | {strategy} | 200 | {truth:.3f} | {chosen:.3f} ({100 * (chosen - truth):+.1f} points) "
                f"| {audit:.3f} ({100 * (audit - truth):+.1f} points) |",
                flush=True,
            )


def labels_saved(names: list[str], projects: range, labels: int, audit_share: float) -> None:
    """What is known at the end of projects, and whether each look's interval holds what fresh items say.

    `these`: of the learners that were compared, on the held-out rows; `any`: of random labels drawn anew from the pool
    instead, five times each size, which is what the sentence is read as.
    """
    print("| set | can tell | looks with an interval | of these hold | of any | all of a project | median interval |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        data = _no_signal() if name == "no signal" else dataset(name)
        ended: list[Saved] = []
        held: list[list[tuple[bool, bool]]] = []
        for project in projects:
            found, saved = _looks_of(data, project, Conditions(labels=labels, audit_share=audit_share))
            held, ended = [*held, found], [*ended, saved]
        told = [each for each in ended if each.tells]
        cells = [_percent(len(told), projects)]
        if name != "no signal":  # whatever the held-out rows say of its learners is chance
            looks = [each for found in held for each in found]
            cells += [
                str(len(looks)),
                *(f"{100 * np.mean([each[i] for each in looks]):.1f} %" for i in (0, 1) if looks),
            ]
            cells.append(_percent(sum(all(these for these, _ in found) for found in held), projects))
        ends = [
            [end for each in told if (end := getattr(each, side)) is not None] for side in ("low", "high", "labels")
        ]
        if all(ends):
            low, high, of = (float(np.median(each)) for each in ends)
            cells.append(f"{low:.0f} to {high:.0f} of {of:.0f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _looks_of(data: Dataset, project: int, conditions: Conditions) -> tuple[list[tuple[bool, bool]], Saved]:
    """Whether each interval that a look gave holds, of these learners and of any; and what is known at last."""
    saved = Saved()
    held: list[tuple[bool, bool]] = []
    for number, (labelled, plan, _) in enumerate(_judged_rounds(data, AUTO, project, conditions), 1):
        looks, saved = saved.looks, look(saved, labelled, plan, number)
        found = compared(labelled, plan) if saved.looks > looks else None
        if found is None:
            continue
        least, most = needed(found, level_of(saved.looks, SAVED_LEVEL))
        if least or most is not None:
            truth = compared(labelled, plan, _held_out(data))
            assert truth is not None
            both = (truth, replace(truth, random=_any_random(data, labelled, plan, found.labels, project)))
            these, of_any = (_inside(first_as_good(each), least, most) for each in both)
            held.append((these, of_any))
    return held, saved


def _inside(truth: float | None, least: float, most: float | None) -> bool:
    """Whether the first ratio that is as good lies above the one and not above the other."""
    return (most is None or (truth is not None and truth <= most)) and (truth is None or truth > least)


def _any_random(data: Dataset, labelled: Labelled, plan: Plan, labels: int, project: int) -> Floats:
    """How right learners of labels drawn from the whole pool are on the held-out rows, the mean over the same sizes."""
    rng = np.random.default_rng([3, project, labels])
    rows = Labelled(
        np.zeros((len(data.pool), 3), dtype=np.int64),
        data.pool,
        data.targets,
        np.ones(len(data.pool)),
        np.zeros(len(data.pool), dtype=np.bool_),
    )
    judges, by_size = _held_out(data), []
    for size in sizes_of(labels):
        drawn = [rng.choice(len(data.pool), size, replace=False) for _ in range(5)]
        by_size.append(np.mean([right(rows.take(each), judges, plan) for each in drawn], axis=0))
    return np.asarray(np.mean(by_size, axis=0), dtype=np.float32)


def _held_out(data: Dataset) -> Labelled:
    return Labelled(
        np.zeros((len(data.test), 3), dtype=np.int64),
        data.test,
        data.test_targets,
        np.ones(len(data.test)),
        np.zeros(len(data.test), dtype=np.bool_),
    )


def _no_signal() -> Dataset:
    """Two classes drawn by a coin: nothing can be learned."""
    rng = np.random.default_rng(4)
    dense = rng.standard_normal((3_000, 16)).astype(np.float32)
    block = Block(dense / np.linalg.norm(dense, axis=1, keepdims=True))
    truth = rng.integers(0, 2, 3_000)
    pool, test = np.arange(2_000), np.arange(2_000, 3_000)
    return Dataset("no_signal", "text", ("a", "b"), block.take(pool), truth[pool], block.take(test), truth[test])


def _judged_by(labelled: Labelled, plan: Plan, audit: bool) -> float:
    rows = np.flatnonzero(labelled.audit == audit)
    folds = np.array_split(np.random.default_rng(plan.seed).permutation(rows), 5)
    held, said = cross_fit(labelled, folds, plan)
    return float((said.argmax(axis=1) == labelled.targets[held].argmax(axis=1)).mean())


def _percent(count: int, projects: range) -> str:
    return f"{100 * count / len(projects):.1f} %"


CLAIMS: dict[str, Callable[[range], None]] = {
    "coverage": coverage,
    "projects": projects_whole,
    "naive": naive,
    "active": audits.active,
    "powered": audits.powered,
    "limits": audits.limits,
}

if __name__ == "__main__":
    main()
