"""The proposal that runs a strategy, and the first strategies against references."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from app.core.block import Block
from app.loop import scoring
from app.loop.executors import LocalExecutor
from app.loop.propose import Plan, propose
from app.loop.simulate import OpenRows
from app.strategies import keyed_hash
from tests.unit.strategies.toys import ids_of, labelled, pool, run


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


@pytest.mark.parametrize("name", ["entropy", "auto"])
def test_words_with_their_space_beside_them_give_the_same_order_under_any_cut(name: str) -> None:
    """The space is a dense product as well, and copies of a text must tie as they did in one piece."""
    rng = np.random.default_rng(7)
    words = csr_matrix((rng.random((600, 400)) < 0.02).astype(np.float32))
    texts = np.tile(np.arange(600), 5)
    block = Block(pool(600, 64, seed=3)[texts], csr_matrix(words[texts]))
    given = labelled(pool(90, 64, seed=1), [0, 1, 2] * 30)
    given = replace(given, block=block.take(np.arange(90)))

    whole = run(name, block, given, size=100, cuts=1)

    for cuts in (3, 13, 97):
        cut = run(name, block, given, size=100, cuts=cuts)
        assert cut.ids.tolist() == whole.ids.tolist()
        assert cut.scores.tolist() == whole.scores.tolist()


def test_near_duplicates_are_not_asked_one_after_the_other() -> None:
    matrix = np.repeat(pool(40, seed=2), 3, axis=0)
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)

    for name in ("margin", "entropy", "least_confident", "uherding", "coverage"):
        picked = run(name, matrix, given, size=20).ids[:, 0]

        assert len(set(((picked - 1) // 3).tolist())) == 20, name


@pytest.mark.parametrize("name", ["random", "core_set", "vote_entropy"])
def test_what_is_chosen_without_a_look_at_the_probabilities_has_them_all_the_same(name: str) -> None:
    matrix = pool(60)

    proposal = run(name, matrix, labelled(pool(9, seed=1), [0, 1, 2] * 3), cuts=3)

    assert proposal.model is not None
    expected = proposal.model.probabilities(Block(matrix[proposal.ids[:, 0] - 1]))
    assert proposal.probabilities == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("closed", [0.0, 0.5, 0.95])
def test_a_draw_is_of_the_lowest_hashes_however_many_rows_may_not_be_asked(
    monkeypatch: pytest.MonkeyPatch, closed: float
) -> None:
    monkeypatch.setattr(scoring, "SAMPLE_ROWS", 50)
    monkeypatch.setattr(scoring, "KEEPS", 50)
    matrix, open_rows = pool(4_000), np.flatnonzero(np.random.default_rng(0).random(4_000) >= closed)
    given, plan = labelled(pool(9, seed=1), [0, 1, 2] * 3), Plan((1, 2, 3), False, "text", "random", size=50, seed=3)

    class Shard(OpenRows):
        rows = 1_000  # as a file says it, closed rows with the others

    shards = [Shard(Block(matrix), part) for part in np.array_split(open_rows, 4)]
    with LocalExecutor(2) as executor:
        proposal = propose(given, shards, plan, executor, lambda _step, _fraction: None)

    ids = ids_of(open_rows + 1)
    assert proposal.ids.tolist() == ids[np.argsort(keyed_hash(ids, 3))[:50]].tolist()
    assert proposal.sample_ids.tolist() == ids[np.argsort(keyed_hash(ids, scoring.SAMPLE_KEY))[:50]].tolist()
