"""No strategy holds the pool."""

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest

from app.core.block import Block, Rows
from app.loop import scoring
from app.loop.executors import LocalExecutor
from app.loop.propose import Plan, propose
from app.strategies import farthest
from tests.unit.strategies.test_contract import NAMES
from tests.unit.strategies.toys import ids_of, labelled, pool, takes_several, values_for


@dataclass(frozen=True)
class Made:
    """A shard that is made when its turn comes, so that no array of the pool is there."""

    number: int
    rows: int = 1_000

    def load(self) -> Rows:
        matrix = pool(self.rows, 64, seed=self.number)
        return Rows(ids_of(np.arange(self.rows) + self.number * self.rows), Block(matrix))

    def mapped(self) -> tuple[Rows, None]:
        return self.load(), None


@pytest.mark.parametrize("name", NAMES)
def test_memory_does_not_grow_with_the_pool(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "SAMPLE_ROWS", 100)
    monkeypatch.setattr(farthest, "NEAR_ROWS", 100)
    monkeypatch.setattr(scoring, "kept_by", lambda _strategy, _size: 100)
    given = labelled(pool(9, 64, seed=1), [0, 1, 2] * 3)
    plan = Plan((1, 2, 3), takes_several(name), "text", strategy=name, size=5, seed=1, values=values_for(name))
    peaks = []
    for shards in (3, 3, 19):
        with LocalExecutor(1) as executor:
            tracemalloc.start()
            propose(given, [Made(number) for number in range(shards)], plan, executor, lambda _step, _fraction: None)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    more = 16 * 1_000 * 64 * 4  # bytes of the sixteen shards more
    assert peaks[2] - peaks[1] < more / 4
