"""That `auto` does no harm, by simulation, and that the guard notices a choice that does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from sklearn.datasets import load_breast_cancer, load_digits

from app.core.arrays import Floats, Indices
from app.core.block import Block
from app.evaluation.guard import Guard
from app.learners import LEARNERS
from app.loop.executors import LocalExecutor
from app.loop.guarding import first_of_each, folds_of, guarded, twin
from app.loop.outcome import HARMLESS, harm, paired_difference
from app.loop.propose import Labelled, Plan, propose
from app.loop.sets import Dataset
from app.loop.simulate import OpenRows, Run, simulate
from app.strategies import AUTO, KINDS, Candidates, ScoredRows
from app.strategies.automatic import Automatic
from benchmarks.constant import Constant
from tests.unit.strategies.toys import labelled as labels_of
from tests.unit.strategies.toys import pool

OFF = {"guard": False}
PLAN = Plan((0, 1), False, "table", learner="ridge", seed=1)


@dataclass(frozen=True)
class Sure(Automatic):
    """Asks what the model is surest of, and so learns nothing from most of its answers."""

    def score(self, shard: ScoredRows, state: Any) -> Floats:
        assert shard.probabilities is not None
        return np.asarray(shard.probabilities.max(axis=1), dtype=np.float32)

    def choose(self, candidates: Candidates, k: int, state: Any, rng: Generator) -> Indices:
        return candidates.best(k)


@pytest.fixture(scope="module")
def sets() -> list[Dataset]:
    """Digits, and a table of two classes on which there is little to gain."""
    return [
        cut("digits", *load_digits(return_X_y=True), 1_200),
        cut("cells", *load_breast_cancer(return_X_y=True), 400),
    ]


def cut(name: str, matrix: Any, truth: Any, pool: int) -> Dataset:
    matrix = (matrix - matrix.mean(axis=0)) / (matrix.std(axis=0) + 1)
    rows = Block((matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32))
    order = np.random.default_rng(0).permutation(len(truth))
    first, rest = order[:pool], order[pool:]
    names = tuple(str(number) for number in range(truth.max() + 1))
    return Dataset(name, "table", names, rows.take(first), truth[first], rows.take(rest), truth[rest])


def runs(
    data: Dataset,
    strategy: str,
    seeds: Sequence[int],
    labels: int,
    parameters: dict[str, Any] | None = None,
    learner: str = AUTO,
) -> list[Run]:
    return [simulate(data, strategy, seed, labels=labels, parameters=parameters, learner=learner) for seed in seeds]


def low(of: list[Run], other: list[Run]) -> float:
    return paired_difference(of + other, AUTO)["low"]


@pytest.mark.night
def test_auto_is_never_worse_than_random_on_either_set(sets: list[Dataset]) -> None:
    for data in sets:
        found = runs(data, AUTO, range(4), 100)
        random = runs(data, "random", range(4), 100)
        assert harm(found + random, AUTO, data) == ""
        assert low(found, random) >= HARMLESS
        assert not any(run.guarded for run in found)


def test_the_proof_fails_with_a_learner_of_constant_scores(
    sets: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LEARNERS, Constant.name, Constant)
    for data, guess in zip(sets, ("11.4 %", "61.5 %"), strict=True):
        found = [run for name in (AUTO, "random") for run in runs(data, name, range(4), 100, learner=Constant.name)]

        assert low(found[:4], found[4:]) >= HARMLESS  # the bound alone would let it pass
        assert harm(found, AUTO, data).startswith("the learner knows no more than a constant answer"), data.name
        assert guess in harm(found, AUTO, data)
    assert harm([], AUTO, sets[0]) == "no seed has runs of both auto and random"


def test_under_a_learner_of_constant_scores_auto_covers_the_pool_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEARNERS, Constant.name, Constant)
    given, shards = answered(), [OpenRows(Block(pool(80)), np.arange(80))]
    asked = [replace(PLAN, learner=name, size=9) for name in ("ridge", Constant.name)]

    with LocalExecutor(1) as executor:
        usual, blind = (propose(given, shards, plan, executor, lambda _step, _share: None) for plan in asked)

    assert usual.strategy == "uherding"
    assert (blind.strategy, blind.fallback) == ("coverage", None)
    assert blind.sentence == "Covering the pool: the model says the same of every item."


def test_a_learner_of_constant_scores_neither_raises_the_guard_nor_lowers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEARNERS, Constant.name, Constant)
    plan = replace(PLAN, learner=Constant.name)

    found = twin(labelled(chosen_right=False), plan)

    assert found is not None
    assert (found.tells, found.won, found.lost) == (False, 0, 0)
    for guard in (Guard(), Guard(raised=True, streak=2)):
        assert guarded(found, plan, guard) == guard
    assert not guarded(replace(found, tells=True), plan, Guard(raised=True, streak=2)).raised


@pytest.mark.night
def test_a_harmful_choice_fails_the_same_bound_and_the_guard_wins_a_part_of_it_back(
    sets: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    digits, seeds = sets[0], (2, 3)
    random = runs(digits, "random", seeds, 600)
    monkeypatch.setitem(KINDS, AUTO, Sure)

    bare, watched = runs(digits, AUTO, seeds, 600, OFF), runs(digits, AUTO, seeds, 600)

    assert low(bare, random) < HARMLESS
    assert "points behind random" in harm(bare + random, AUTO, digits)
    assert not any(run.guarded for run in bare)
    assert all(run.guarded for run in watched)
    by_chance, lost, kept = (np.mean([run.accuracy[-1] for run in arm]) for arm in (random, bare, watched))
    assert lost < kept < by_chance
    assert kept - lost >= 0.25 * (by_chance - lost)


def labelled(chosen_right: bool) -> Labelled:
    """Two hundred answers in order, two of five of them audits; the chosen ones are right or all of one class."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    rows = np.eye(2, 6)[truth] + 0.5 * rng.standard_normal((200, 6))
    audit = np.arange(200) % 5 < 2
    targets = np.eye(2, dtype=np.float32)[truth if chosen_right else np.where(audit, truth, 0)]
    ids = np.zeros((200, 3), dtype=np.int64)
    return Labelled(ids, Block(rows.astype(np.float32)), targets, np.ones(200), audit, ~audit, 7 + np.arange(200))


def answered() -> Labelled:
    """A few answers in a space of five columns."""
    return labels_of(pool(9, seed=1), [0, 1] * 4 + [0], 2)


def judged(answers: Labelled) -> Guard:
    """The guard after rounds of twenty of the answers."""
    guard = Guard()
    for count in range(20, len(answers) + 1, 20):
        guard = guarded(twin(answers.take(np.arange(count)), PLAN), PLAN, guard)
    return guard


def test_labels_that_teach_nothing_raise_the_guard_and_good_ones_leave_it_down() -> None:
    assert judged(labelled(chosen_right=False)).raised
    assert judged(labelled(chosen_right=True)) == Guard(judged=80)


def test_a_twin_is_taught_by_equally_many_labels_the_first_of_either_kind_and_never_by_its_judges() -> None:
    answers = labelled(chosen_right=True)
    shuffled = answers.take(np.random.default_rng(1).permutation(200))
    outside = np.ones(200, dtype=np.bool_)
    outside[folds_of(shuffled, PLAN)[0]] = False

    by_chance, by_choice = first_of_each(shuffled, outside)
    found = twin(shuffled, PLAN)

    assert found is not None
    assert found.labels == 64 == len(by_chance) == len(by_choice)
    assert len(found.random) == len(found.chosen) == 80
    assert shuffled.audit[by_chance].all()
    assert not shuffled.audit[by_choice].any()
    assert outside[by_chance].all()
    order = shuffled.order
    assert order is not None
    assert sorted(order[by_choice]) == sorted(order[~shuffled.audit])[:64]


def test_only_auto_is_guarded_and_only_while_its_guard_is_on() -> None:
    assert not Plan((0, 1), False, "table", strategy_parameters=OFF).guarded
    assert not Plan((0, 1), False, "table", strategy="margin").guarded
    assert PLAN.guarded
