"""Probabilities beside the rows of the feature store: the newest row of an item counts, and classes may have moved."""

from pathlib import Path

import numpy as np

from app.core.block import Block
from app.features import Given, GivenShard, StoredShard, append


def shard(folder: Path, items: list[int], values: list[list[float]], revision: int = 1) -> StoredShard:
    ids = np.array([(item, 0, revision) for item in items], dtype=np.int64)
    return StoredShard(folder, append(folder, ids, Block(np.array(values, dtype=np.float32))))


def identities(*items: int, revision: int = 1) -> np.ndarray:
    return np.array([(item, 0, revision) for item in items], dtype=np.int64)


def places(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def test_the_row_that_came_last_counts_and_unknown_items_have_none(tmp_path: Path) -> None:
    shards = [shard(tmp_path, [7, 3], [[0.1, 0.9], [0.2, 0.8]]), shard(tmp_path, [3, 5], [[0.6, 0.4], [0.5, 0.5]])]

    given = Given.read(shards, places(0, 1), several=False)
    found, known = given.of(identities(5, 4, 3, 7))

    assert len(given) == 3
    assert found.tolist() == [True, False, True, True]
    np.testing.assert_allclose(known, [[0.5, 0.5], [0.6, 0.4], [0.1, 0.9]], rtol=1e-6)


def test_what_was_said_of_other_content_is_not_said_of_this(tmp_path: Path) -> None:
    given = Given.read([shard(tmp_path, [3], [[0.2, 0.8]])], places(0, 1), several=False)

    assert given.has(identities(3, revision=2))[0].tolist() == [False]


def test_classes_that_became_one_are_added_and_ones_that_went_are_left_out(tmp_path: Path) -> None:
    stored = [shard(tmp_path, [1, 2], [[0.2, 0.3, 0.1, 0.4], [0, 0, 0, 1]])]

    merged = Given.read(stored, places(0, 1, 0, -1), several=False).of(identities(1, 2))[1]
    several = Given.read(stored, places(0, 1, 0, -1), several=True).of(identities(1, 2))[1]

    np.testing.assert_allclose(merged, [[0.5, 0.5], [0.5, 0.5]], rtol=1e-6)  # nothing left: an even guess
    np.testing.assert_allclose(several, [[0.2, 0.3], [0, 0]], rtol=1e-6)


def test_a_shard_of_the_pool_loads_only_what_was_spoken_of(tmp_path: Path) -> None:
    features = shard(tmp_path / "features", [1, 2, 3], [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    given = Given.read([shard(tmp_path / "said", [3, 1], [[0.3, 0.7], [0.9, 0.1]])], places(0, 1), several=False)

    rows = GivenShard(features, given).load()

    assert rows.ids[:, 0].tolist() == [1, 3]
    assert rows.block.given is not None
    np.testing.assert_allclose(rows.block.given, [[0.9, 0.1], [0.3, 0.7]], rtol=1e-6)
    np.testing.assert_allclose(rows.block.dense, [[1.0, 0.0], [0.6, 0.8]], rtol=1e-6)
