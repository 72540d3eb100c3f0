"""That `auto` does no harm, by simulation, and that the guard notices a choice that does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from sklearn.datasets import load_breast_cancer, load_digits

from app.core.arrays import Floats, Indices
from app.core.block import Block
from app.evaluation.guard import Guard
from app.loop.guarding import first_of_each, folds_of, guarded, twin
from app.loop.outcome import paired_difference
from app.loop.propose import Labelled, Plan
from app.loop.sets import Dataset
from app.loop.simulate import Run, simulate
from app.strategies import AUTO, KINDS, Candidates, ScoredRows
from app.strategies.automatic import Automatic

HARMLESS = -0.005
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
    data: Dataset, strategy: str, seeds: Sequence[int], labels: int, parameters: dict[str, Any] | None = None
) -> list[Run]:
    return [simulate(data, strategy, seed, labels=labels, parameters=parameters) for seed in seeds]


def low(of: list[Run], other: list[Run]) -> float:
    return paired_difference(of + other, AUTO)["low"]


def test_auto_is_never_worse_than_random_on_either_set(sets: list[Dataset]) -> None:
    for data in sets:
        found = runs(data, AUTO, range(4), 100)
        assert low(found, runs(data, "random", range(4), 100)) >= HARMLESS, data.name
        assert not any(run.guarded for run in found)


def test_a_harmful_choice_fails_the_same_bound_and_the_guard_wins_a_part_of_it_back(
    sets: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    digits, seeds = sets[0], (2, 3)
    random = runs(digits, "random", seeds, 600)
    monkeypatch.setitem(KINDS, AUTO, Sure)

    bare, watched = runs(digits, AUTO, seeds, 600, OFF), runs(digits, AUTO, seeds, 600)

    assert low(bare, random) < HARMLESS
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
