"""Cost-aware ranking: off unless asked, by the ratio, and said where it cannot run."""

import numpy as np
import pytest

from app.core.block import Block
from app.loop.executors import LocalExecutor
from app.loop.pricing import Pricing, by_cost
from app.loop.propose import Plan, Proposal, propose
from app.loop.simulate import OpenRows
from app.strategies import KINDS
from tests.unit.strategies.toys import labelled, pool, takes_several, values_for

ABLE = [name for name, kind in KINDS.items() if by_cost(kind)]


def priced(name: str, pricing: Pricing | None, size: int = 60) -> Proposal:
    plan = Plan((1, 2, 3), takes_several(name), "text", strategy=name, size=size, seed=3, values=values_for(name))
    shards = [OpenRows(Block(pool()), rows) for rows in np.array_split(np.arange(60), 3)]
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)
    with LocalExecutor(1) as executor:
        return propose(given, shards, plan, executor, lambda _step, _fraction: None, pricing=pricing)


@pytest.mark.parametrize("name", ABLE)
def test_items_that_take_long_come_later_and_equal_prices_change_nothing(name: str) -> None:
    plain = priced(name, None).ids[:, 0]
    slow = set(plain[:20].tolist())

    even = priced(name, Pricing(1.0, lambda ids: np.full(len(ids), 9.0)))
    dear = priced(name, Pricing(1.0, lambda ids: np.where(np.isin(ids[:, 0], list(slow)), 100.0, 1.0)))

    assert even.ids[:, 0].tolist() == plain.tolist()
    assert even.sentence.endswith("expected seconds to the power 1.")
    place = {item: rank for rank, item in enumerate(dear.ids[:, 0].tolist())}
    assert np.mean([place[item] for item in slow]) > 20  # their mean place was 9.5


def test_an_exponent_of_nothing_and_a_half_weigh_less_than_a_whole_one() -> None:
    slow = set(priced("margin", None).ids[:20, 0].tolist())

    def places(exponent: float) -> float:
        found = priced("margin", Pricing(exponent, lambda ids: np.where(np.isin(ids[:, 0], list(slow)), 1.1, 1.0)))
        return float(np.mean([found.ids[:, 0].tolist().index(item) for item in slow]))

    assert places(0) == pytest.approx(9.5)
    assert places(0) < places(0.5) < places(1)
    assert places(1) == places(7)  # capped


def test_where_it_cannot_run_the_order_is_as_without_it_and_the_sentence_says_why() -> None:
    lacking = priced("margin", Pricing(0.5, None, "12 of the 40 answers with a time that it needs"))
    whole = priced("core_set", Pricing(0.5, lambda ids: np.ones(len(ids))))

    assert lacking.ids.tolist() == priced("margin", None).ids.tolist()
    assert lacking.sentence.endswith("Not by cost: 12 of the 40 answers with a time that it needs.")
    assert whole.sentence.endswith("Not by cost: core_set does not rank items one by one.")
