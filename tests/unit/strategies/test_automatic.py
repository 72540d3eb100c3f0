"""What `auto` becomes once there are labels: by the features, unless the project says otherwise."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from app.core.block import Block
from app.loop.executors import LocalExecutor
from app.loop.propose import Plan, propose
from app.loop.simulate import OpenRows
from app.strategies import OF_WORDS
from tests.unit.strategies.toys import labelled, pool


def order(words: bool, strategy: str, **parameters: Any) -> list[int]:
    matrix, given = pool(400, 6), labelled(pool(40, 6, seed=1), [0, 1, 2, 1] * 10)
    block = Block(matrix, csr_matrix(matrix) if words else None)
    if words:
        given = replace(given, block=Block(given.block.dense, csr_matrix(given.block.dense)))
    plan = Plan((1, 2, 3), False, "text", strategy=strategy, strategy_parameters=parameters, size=30, seed=3)
    with LocalExecutor(1) as executor:
        proposal = propose(given, [OpenRows(block, np.arange(400))], plan, executor, lambda _step, _fraction: None)
    return proposal.ids[:, 0].tolist()


@pytest.mark.parametrize(("words", "suited"), [(True, OF_WORDS), (False, {})])
def test_auto_looks_less_far_where_the_features_are_words(words: bool, suited: dict[str, Any]) -> None:
    assert order(words, "auto") == order(words, "uherding", **suited)
    assert order(words, "auto") != order(words, "uherding", own=2.0, reach=0.1)


def test_what_the_project_sets_itself_stays() -> None:
    usual = order(True, "uherding", own=0.5, reach=1.0)

    assert order(True, "auto", own=0.5, reach=1.0) == usual
    assert order(True, "auto") != usual
