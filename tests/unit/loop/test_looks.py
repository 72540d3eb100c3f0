"""The part of a large pool that a round looks at: everything in its turn, the same part under any cut."""

from pathlib import Path

import numpy as np
import pytest

from app.core.block import Block
from app.features import Only, StoredShard, append, part_of
from app.loop.executors import LocalExecutor
from app.loop.looks import BITS, Look
from app.loop.propose import Plan, propose
from tests.unit.strategies.toys import ids_of, labelled, pool

NOTHING = np.empty(0, dtype=np.int64)


def stored(folder: Path, matrix: np.ndarray, cuts: int) -> list[StoredShard]:
    parts = np.array_split(np.arange(len(matrix)), cuts)
    return [StoredShard(folder, append(folder, ids_of(rows + 1), Block(matrix[rows]))) for rows in parts]


def test_every_item_is_looked_at_once_in_all_turns() -> None:
    blocks = np.arange(20_000)
    looks = [Look(1_280_000, 100_000, seed=7, number=number) for number in range(13)]

    seen = np.array([look.wanted(blocks) for look in looks])

    assert looks[0].turns == 13
    assert (seen.sum(axis=0) == 1).all()
    assert seen.sum(axis=1) == pytest.approx(20_000 / 13, rel=0.15)
    assert (looks[0].wanted(blocks) == Look(1_280_000, 100_000, 7, number=13).wanted(blocks)).all()


def test_fresh_items_are_looked_at_whatever_the_turn_up_to_half_as_many() -> None:
    blocks = np.arange(20_000)
    few = Look(1_280_000, 100_000, 7, 3, fresh_from=19_000 << BITS, fresh_rows=6_400)
    many = Look(1_280_000, 100_000, 7, 3, fresh_from=10_000 << BITS, fresh_rows=640_000)

    assert few.wanted(blocks)[19_000:].all()
    assert many.wanted(blocks).sum() == pytest.approx(20_000 / 13 + 50_000 / 64, rel=0.15)


def test_the_sample_stays_while_the_pool_grows() -> None:
    before, after = (Look(rows, 1, 7, 3).sampled(np.arange(20_000)) for rows in (1_000_000, 1_280_000))

    assert after.sum() == pytest.approx(512, rel=0.15)
    assert not (after & ~before).any()


@pytest.mark.parametrize("name", ["auto", "margin", "core_set", "typiclust"])
def test_a_round_over_a_part_chooses_the_same_under_any_cut_and_of_the_part_alone(tmp_path: Path, name: str) -> None:
    matrix = pool(6_000, 16, seed=5)
    look, best = Look(6_000, 1_500, seed=1, number=2), np.array([5, 77, 4_321])
    closed = np.arange(1, 6_001, 3)
    given = labelled(pool(30, 16, seed=1), [0, 1, 2] * 10)
    found = []
    for cuts in (1, 13):
        shards = stored(tmp_path / str(cuts), matrix, cuts)
        masked = [StoredShard(each.folder, each.info, Only(np.setdiff1d(np.arange(6_001), closed))) for each in shards]
        parts = [part_of(each, each.ids(), look.wanted, BITS, best) for each in masked]
        samples = [part_of(each, each.ids(), look.sampled, BITS, NOTHING) for each in masked]
        plan = Plan((1, 2, 3), False, "text", strategy=name, size=40, seed=3)
        with LocalExecutor(2) as executor:
            found.append(propose(given, parts, plan, executor, lambda *_: None, samples=samples, pool_rows=6_000))

    whole, cut = (each.ids[:, 0] for each in found)
    assert whole.tolist() == cut.tolist()
    assert (look.wanted(whole >> BITS) | np.isin(whole, best)).all()
    assert not np.isin(whole, closed).any()
    more = name != "core_set"  # it picks its batch before the pool is scored: there is no other candidate
    assert len(found[0].best) == len(np.unique(found[0].best)) >= 40 + more


def test_rows_that_do_not_rise_are_found_too(tmp_path: Path) -> None:
    items = np.random.default_rng(0).permutation(np.arange(1, 5_001))
    shard = StoredShard(tmp_path, append(tmp_path, ids_of(items), Block(pool(5_000, 4))))
    look = Look(5_000, 1_000, seed=1, number=0)

    rows = part_of(shard, shard.ids(), look.wanted, BITS, np.array([1, 4_999])).load()

    expected = np.arange(1, 5_001)
    expected = np.union1d(expected[look.wanted(expected >> BITS)], [1, 4_999])
    assert np.sort(rows.ids[:, 0]).tolist() == expected.tolist()
