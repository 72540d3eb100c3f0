"""The product of wishes against the plain rule, each wish alone, and what is said where one cannot be had."""

from typing import Any

import numpy as np
import pytest

from app.core.arrays import Doubles, Floats, Indices
from app.core.block import Block
from app.loop.needs import Aims
from app.loop.propose import Proposal
from app.strategies import Need, make_strategy
from app.strategies.pool.product import shares
from app.strategies.pool.uncertainty import margin_uncertainty
from tests.unit.strategies.toys import clustered, labelled, pool, run

EXAMPLES = pool(2, 6, seed=9)
KEYS = "a, b"


def worths(rows: int) -> Doubles:
    """A number of each item from 1, some below nought; every seventh has none."""
    numbers = np.random.default_rng(4).normal(2, 2, rows + 1)
    numbers[::7] = np.nan
    return numbers


def aims(rows: int, told: str = "") -> Aims:
    def weights(ids: Indices) -> Doubles:
        return worths(rows)[ids[:, 0]]

    return Aims(EXAMPLES, weights, told)


@pytest.mark.parametrize(
    "wishes",
    [
        {"threshold": 0.4},
        {"similarity": 2.0, "like": KEYS},
        {"weight": 1.0, "by": "views", "uncertainty": 0.0},
        {"density": 1.5, "balance": 2.0, "diversity": 0.5},
        {
            "threshold": 0.2,
            "similarity": 0.5,
            "like": KEYS,
            "weight": 0.7,
            "by": "views",
            "density": 0.3,
            "balance": 1.0,
        },
    ],
)
def test_the_batch_is_the_plain_product(wishes: dict[str, Any]) -> None:
    matrix, given = (
        clustered(np.random.default_rng(1), 70, 6, 4, 0.6),
        labelled(pool(9, 6, seed=1), [0] * 5 + [1, 1, 2, 2]),
    )

    proposal = run("product", matrix, given, size=8, cuts=3, aims=aims(70), **wishes)

    assert proposal.model is not None
    p = proposal.model.probabilities(Block(matrix)).astype(np.float64)
    strength = {"uncertainty": 1.0, "diversity": 1.0, "density": 0.0, "balance": 0.0, "similarity": 0.0, "weight": 0.0}
    strength |= {name: value for name, value in wishes.items() if name in strength}
    numbers = [max(0.0, float(np.nan_to_num(each))) for each in worths(70)[1:]]
    picked: list[int] = []
    for row in proposal.ids[:, 0] - 1:
        worth = []
        for i in range(70):
            first, second = sorted(p[i], reverse=True)[:2]
            doubt, asked = 1 - first + second, [*given.block.dense, *(matrix[j] for j in picked)]
            wish = {
                "uncertainty": doubt,
                "diversity": min(max(1 - max(float(matrix[i] @ each) for each in asked), 0), 1),
                "density": max(float(np.mean(matrix @ matrix[i])), 0),
                "balance": float(p[i] @ [3 / 6, 1, 1]),
                "similarity": max(*(float(matrix[i] @ each) for each in EXAMPLES), 0),
                "weight": numbers[i] / max(numbers),
            }
            product = np.prod([value ** strength[name] for name, value in wish.items()])
            worth.append(product if doubt >= wishes.get("threshold", 0) else 0.0)
        assert worth[row] == pytest.approx(max(worth[i] for i in range(70) if i not in picked), abs=2e-6)
        picked.append(int(row))
    assert len(set(picked)) == 8
    assert worth[picked[-1]] > 0


def test_what_is_below_the_threshold_or_has_no_weight_comes_last() -> None:
    matrix, given = pool(40, 6), labelled(pool(9, 6, seed=1), [0, 1, 2] * 3)

    def doubts(proposal: Proposal) -> Floats:
        assert proposal.probabilities is not None
        return margin_uncertainty(proposal.probabilities)

    middle = float(np.median(doubts(run("margin", matrix, given, size=40))))
    sure = doubts(run("product", matrix, given, size=40, diversity=0.0, uncertainty=0.0, threshold=middle)) >= middle
    light = run("product", matrix, given, size=40, diversity=0.0, weight=1.0, by="views", aims=aims(40))
    heavy = np.nan_to_num(worths(40)[light.ids[:, 0]]) > 0

    for able in (sure, heavy):
        assert 3 < able.sum() < 37
        assert able[: able.sum()].all()


def test_examples_draw_the_batch_to_where_they_lie() -> None:
    rng = np.random.default_rng(0)
    here, there = np.eye(6)[0], np.eye(6)[1]
    matrix = np.concatenate([0.2 * rng.normal(size=(30, 6)) + here, 0.2 * rng.normal(size=(170, 6)) + there])
    matrix = (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
    given = labelled(pool(9, 6, seed=1), [0, 1, 2] * 3)
    wanted = Aims(np.array([here], dtype=np.float32))

    proposal = run("product", matrix, given, size=15, aims=wanted, similarity=10.0, like="one")

    assert (proposal.ids[:, 0] <= 30).all()


def test_a_wish_that_cannot_be_had_is_said_and_not_left_out() -> None:
    matrix, given = pool(30), labelled(pool(9, seed=1), [0, 1, 2] * 3)
    alike, weighed = {"similarity": 1.0, "like": KEYS}, {"weight": 1.0, "by": "views"}

    def told(aims: Aims | None, **wishes: Any) -> tuple[str | None, str]:
        proposal = run("product", matrix, given, aims=aims, **wishes)
        return proposal.fallback, proposal.sentence

    assert told(None, **alike) == (
        "random: none of the example items is here with features",
        "product needs example items.",
    )
    assert told(Aims(), **weighed)[0] == "random: the metadata of the items is not here"
    fallback, sentence = told(Aims(weights=lambda ids: np.full(len(ids), np.nan)), **weighed)
    assert fallback is None
    assert sentence.endswith("No candidate has a weight above nought.")
    some = Aims(pool(1), None, " Of 2 example items 1 could not be read.")
    assert told(some, **alike)[1].endswith("Of 2 example items 1 could not be read.")
    assert "example items" not in told(some)[1]  # no wish of it


def test_needs_follow_the_wishes() -> None:
    assert not {Need.EXAMPLES, Need.WEIGHTS} & make_strategy("product", {"like": KEYS, "by": "views"}).needs
    both = make_strategy("product", {"like": KEYS, "by": "views", "similarity": 1.0, "weight": 1.0})
    assert both.needs >= {Need.EXAMPLES, Need.WEIGHTS, Need.PROBABILITIES, Need.FEATURES}


def test_weights_are_shares_of_the_greatest() -> None:
    assert shares(np.array([np.nan, -3.0, 0.0, 2.0, 8.0])).tolist() == [0, 0, 0, 0.25, 1]
    assert shares(np.array([np.nan, -1.0])).tolist() == [0, 0]
