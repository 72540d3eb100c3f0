"""Contracts of every query strategy, and of the proposal that runs it."""

import numpy as np
import pytest

from app.core.block import Block
from app.loop.executors import LocalExecutor
from app.loop.propose import Labelled, Plan, Proposal, propose
from app.loop.simulate import _Open as Part
from app.strategies import AUTO, POOL_STRATEGIES

NAMES = [AUTO, *POOL_STRATEGIES]


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def pool(rows: int = 60, features: int = 5, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(rows, features)))


def labelled(matrix: np.ndarray, classes: list[int], columns: int = 3) -> Labelled:
    rows = len(classes)
    ids = np.array([[1000 + i, 0, 1] for i in range(rows)], dtype=np.int64).reshape(-1, 3)
    targets = np.eye(columns, dtype=np.float32)[classes].reshape(rows, columns)
    return Labelled(ids, Block(matrix[:rows]), targets, np.ones(rows), np.zeros(rows, dtype=bool))


def run(
    name: str, matrix: np.ndarray, given: Labelled, size: int = 10, cuts: int = 1, seed: int = 3, threads: int = 2
) -> Proposal:
    block = Block(matrix)
    shards = [Part(block, rows) for rows in np.array_split(np.arange(len(matrix)), cuts)]
    plan = Plan((1, 2, 3), False, "text", strategy=name, size=size, seed=seed)
    with LocalExecutor(threads) as executor:
        return propose(given, shards, plan, executor, lambda _step, _fraction: None)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_holds_k_different_items_of_the_pool_and_repeats_itself(name: str) -> None:
    matrix = pool()
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)

    first, again = run(name, matrix, given), run(name, matrix, given)

    picked = first.ids[:, 0].tolist()
    assert len(set(picked)) == 10
    assert set(picked) <= set(range(60))
    assert picked == again.ids[:, 0].tolist()
    assert first.fallback is None


@pytest.mark.parametrize("name", NAMES)
def test_the_choice_does_not_depend_on_how_the_pool_is_cut_or_on_threads(name: str) -> None:
    matrix = pool(200)
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)

    whole = run(name, matrix, given, cuts=1, threads=1).ids[:, 0]

    for cuts in (2, 7, 50):
        assert run(name, matrix, given, cuts=cuts, threads=3).ids[:, 0].tolist() == whole.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_shard_whose_items_are_all_answered_changes_nothing(name: str) -> None:
    matrix, given = pool(7), labelled(pool(9, seed=1), [0, 1, 2] * 3)

    whole, with_empty_shards = run(name, matrix, given, size=5), run(name, matrix, given, size=5, cuts=9)

    assert whole.ids.tolist() == with_empty_shards.ids.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_small_and_strange_pools_are_served(name: str) -> None:
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)

    assert run(name, pool(1), given).ids.shape == (1, 3)
    assert run(name, pool(4), given, size=100).ids.shape == (4, 3)
    assert run(name, pool(0), given).ids.shape == (0, 3)
    alike = run(name, np.repeat(pool(1), 30, axis=0), given)
    assert len(set(alike.ids[:, 0].tolist())) == 10
    zeros = run(name, np.zeros((12, 5), dtype=np.float32), given)
    assert len(set(zeros.ids[:, 0].tolist())) == 10


@pytest.mark.parametrize("name", NAMES)
def test_without_two_classes_the_round_says_what_it_did_instead(name: str) -> None:
    for given, why in ((labelled(pool(3), [0, 0, 0]), "only one class so far"), (labelled(pool(0), []), "no labels")):
        proposal = run(name, pool(), given)

        assert len(proposal.ids) == 10
        if name in ("random", "coverage"):
            assert proposal.fallback is None
        elif name == AUTO:
            assert proposal.strategy == "coverage"
            assert why in proposal.sentence
        else:
            assert proposal.strategy == "random"
            assert why in (proposal.fallback or "")


@pytest.mark.parametrize("name", NAMES)
def test_features_that_are_not_finite_are_refused(name: str) -> None:
    broken = labelled(np.full((9, 5), np.nan, dtype=np.float32), [0, 1, 2] * 3)

    with pytest.raises(ValueError, match="not finite"):
        run(name, pool(), broken)


def test_uncertainty_strategies_agree_with_an_independent_library() -> None:
    skactiveml = pytest.importorskip("skactiveml.pool")
    matrix = pool(40)
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)
    for name, method in (("margin", "margin_sampling"), ("entropy", "entropy"), ("least_confident", "least_confident")):
        proposal = run(name, matrix, given, size=40)
        assert proposal.model is not None
        probabilities = proposal.model.probabilities(Block(matrix))
        utilities = skactiveml._uncertainty_sampling.uncertainty_scores(probabilities.astype(float), method=method)

        ours = proposal.ids[:, 0] - 1  # ids begin at 1, rows at 0
        assert np.all(np.diff(utilities[ours]) <= 1e-6)


def test_coverage_is_the_greedy_maximum_when_the_sample_is_the_pool() -> None:
    matrix = pool(30)
    proposal = run("coverage", matrix, labelled(pool(0), []), size=6)

    similarity = matrix @ matrix.T
    radius = 0.5 * np.median(1 - similarity)
    kernel = np.exp((similarity - 1) / radius)
    covered = np.zeros(30)
    expected = []
    for _ in range(6):
        gains = np.maximum(kernel - covered, 0).sum(axis=1)
        expected.append(int(gains.argmax()))
        covered = np.maximum(covered, kernel[expected[-1]])
    assert (proposal.ids[:, 0] - 1).tolist() == expected


@pytest.mark.parametrize("name", ["margin", "uherding"])
def test_a_wide_and_long_pool_gives_the_same_order_under_any_cut(name: str) -> None:
    """Products of float32 end in other bits under another cut; the order must not show it."""
    matrix = pool(6_000, 96, seed=5)
    given = labelled(pool(90, 96, seed=1), [0, 1, 2] * 30)

    whole = run(name, matrix, given, size=100, cuts=1).ids[:, 0]

    for cuts in (3, 11):
        assert run(name, matrix, given, size=100, cuts=cuts).ids[:, 0].tolist() == whole.tolist()


def test_near_duplicates_are_not_asked_one_after_the_other() -> None:
    matrix = np.repeat(pool(40, seed=2), 3, axis=0)
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)

    for name in ("margin", "entropy", "least_confident", "uherding", "coverage"):
        picked = run(name, matrix, given, size=20).ids[:, 0]

        assert len(set(((picked - 1) // 3).tolist())) == 20, name
