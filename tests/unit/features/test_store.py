"""The feature store: what is written is read back, newest rows count, and a crash leaves the old state or the new."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from app.core.block import Block
from app.features import DamagedShard, ShardInfo, StoredShard, append, gather, newest, remove, sweep, without


def identities(items: list[int], revision: int = 1) -> Any:
    return np.array([(item, 0, revision) for item in items], dtype=np.int64).reshape(-1, 3)


def block_of(rows: int, *, sparse: bool = False, value: float | None = None) -> Block:
    rng = np.random.default_rng(rows)
    dense = rng.normal(size=(rows, 4)).astype(np.float32)
    if value is not None:
        dense[:] = value
    matrix = csr_matrix(random_array((rows, 50), density=0.1, rng=rng, dtype=np.float32)) if sparse else None
    return Block(dense, matrix)


def opened(folder: Path, *infos: ShardInfo) -> list[StoredShard]:
    return [StoredShard(folder, info) for info in infos]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_a_shard_is_read_back_as_it_was_written(tmp_path: Path, rows: int, sparse: bool) -> None:
    block, ids = block_of(rows, sparse=sparse), identities(list(range(1, rows + 1)))

    info = append(tmp_path, ids, block)
    read = StoredShard(tmp_path, info).load()

    assert info.rows == rows
    assert info.bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    np.testing.assert_array_equal(read.ids, ids)
    np.testing.assert_array_equal(read.block.dense, block.dense)
    assert (read.block.sparse is not None) == sparse
    if read.block.sparse is not None and block.sparse is not None:
        assert abs(read.block.sparse - block.sparse).nnz == 0


def test_rows_that_are_no_candidates_are_left_out(tmp_path: Path) -> None:
    info = append(tmp_path, identities([1, 2, 3]), block_of(3, sparse=True))

    read = StoredShard(tmp_path, info, keep=lambda ids: ids[:, 0] != 2).load()

    assert read.ids[:, 0].tolist() == [1, 3]
    assert len(read.block) == 2


def test_what_is_not_finite_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not finite"):
        append(tmp_path, identities([1]), block_of(1, value=float("nan")))
    with pytest.raises(ValueError, match="2 identities for 1 rows"):
        append(tmp_path, identities([1, 2]), block_of(1))

    assert list(tmp_path.iterdir()) == []


def test_only_the_newest_row_of_an_item_is_a_candidate(tmp_path: Path) -> None:
    first = append(tmp_path, identities([1, 2, 3]), block_of(3, value=1))
    second = append(tmp_path, identities([4, 5]), block_of(2, value=2))
    changed = append(tmp_path, identities([2, 5], revision=2), block_of(2, value=3))

    rows = [shard.load() for shard in newest(opened(tmp_path, first, second, changed))]

    assert [part.ids[:, 0].tolist() for part in rows] == [[1, 3], [4], [2, 5]]
    assert rows[2].block.dense[:, 0].tolist() == [3, 3]


def test_gathering_gives_the_wanted_rows_in_order_and_says_which_are_missing(tmp_path: Path) -> None:
    first = append(tmp_path, identities([1, 2, 3]), block_of(3, value=1))
    second = append(tmp_path, identities([2], revision=2), block_of(1, value=2))
    again = append(tmp_path, identities([3]), block_of(1, value=3))

    wanted = np.array([(3, 0, 1), (9, 0, 1), (2, 0, 2), (2, 0, 1)])
    found, block = gather(opened(tmp_path, first, second, again), wanted)

    assert found.tolist() == [True, False, True, True]
    assert block.dense[:, 0].tolist() == [3, 2, 1]


def test_gathering_from_nothing_gives_nothing(tmp_path: Path) -> None:
    found, block = gather([], identities([1]))

    assert found.tolist() == [False]
    assert len(block) == 0


def test_erasure_writes_a_shard_without_the_item(tmp_path: Path) -> None:
    info = append(tmp_path, identities([1, 2, 3]), block_of(3, sparse=True))

    smaller = without(StoredShard(tmp_path, info), np.array([2]))
    assert smaller is not None
    remove(tmp_path, info.name)

    assert StoredShard(tmp_path, smaller).load().ids[:, 0].tolist() == [1, 3]
    assert without(StoredShard(tmp_path, smaller), np.array([2])) is None
    assert sweep(tmp_path, [smaller.name]) == 0


class Crash(BaseException):
    """The process ends here; nothing of ours may catch it."""


@dataclass
class Countdown:
    """Lets `left` file operations happen, then ends the process; the last write may be half done."""

    left: int
    torn: bool
    done: list[str] = field(default_factory=list)

    def before(self, operation: str) -> None:
        if len(self.done) == self.left:
            raise Crash
        self.done.append(operation)


@contextmanager
def dying(countdown: Countdown) -> Iterator[None]:
    """Run with every file operation of the store counted."""
    fsync, rename, save = os.fsync, Path.replace, np.save

    def counted_fsync(handle: int) -> None:
        countdown.before("fsync")
        fsync(handle)

    def counted_rename(path: Path, target: Path) -> Path:
        countdown.before("rename")
        return rename(path, target)

    def counted_save(file: Any, array: Any, **options: Any) -> None:
        if countdown.torn and len(countdown.done) == countdown.left:
            file.write(b"half an arr")
            file.flush()
        countdown.before("write")
        save(file, array, **options)

    with (
        patch("os.fsync", counted_fsync),
        patch.object(Path, "replace", counted_rename),
        patch("numpy.save", counted_save),
    ):
        yield


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 20), st.booleans(), st.booleans())
def test_a_crash_at_any_file_operation_leaves_the_old_state_or_the_new(left: int, torn: bool, sparse: bool) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "features"
        manifest = [append(folder, identities([1, 2]), block_of(2, sparse=sparse))]
        before = {file.name: file.read_bytes() for file in folder.iterdir()}

        countdown = Countdown(left, torn)
        try:
            with dying(countdown):
                info = append(folder, identities([3]), block_of(1, sparse=sparse))
            manifest.append(info)  # the row is written only when `append` has come back
        except Crash:
            sweep(folder, [each.name for each in manifest])
            assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
            return

        assert sweep(folder, [each.name for each in manifest]) == 0
        assert [shard.load().ids[:, 0].tolist() for shard in opened(folder, *manifest)] == [[1, 2], [3]]
        assert countdown.done[-1] == "fsync"  # of the folder, after every file had its name


@pytest.mark.parametrize("left", [0, 5, 60, 128, 200, -1])
def test_a_file_that_was_cut_is_damaged_wherever_it_was_cut(tmp_path: Path, left: int) -> None:
    info = append(tmp_path, identities(list(range(40))), block_of(40))
    file = tmp_path / f"{info.name}.dense.npy"
    file.write_bytes(file.read_bytes()[:left])

    with pytest.raises(DamagedShard):
        StoredShard(tmp_path, info).load()


@pytest.mark.parametrize("sign", [b"(", b"\0", b"=", b"\xff"])
def test_a_file_whose_head_is_no_python_any_more_is_damaged(tmp_path: Path, sign: bytes) -> None:
    """numpy reads the head as Python, and raised what nobody expected."""
    info = append(tmp_path, identities(list(range(40))), block_of(40))
    file = tmp_path / f"{info.name}.ids.npy"
    file.write_bytes(file.read_bytes().replace(b"}", sign, 1))

    with pytest.raises(DamagedShard):
        StoredShard(tmp_path, info).load()


def test_a_file_of_objects_is_never_mapped_and_other_forms_of_numbers_are_read(tmp_path: Path) -> None:
    info = append(tmp_path, identities([1, 2]), block_of(2))
    file = tmp_path / f"{info.name}.dense.npy"
    np.save(file, np.array([[object()] * 4] * 2, dtype=object), allow_pickle=True)

    with pytest.raises(DamagedShard):
        StoredShard(tmp_path, info).load()

    with file.open("wb") as opened_file:  # as a newer numpy may write it, and in the other order
        np.lib.format.write_array(opened_file, np.asfortranarray(np.eye(2, 4, dtype=np.float32)), version=(2, 0))
    assert StoredShard(tmp_path, info).load().block.dense.tolist() == np.eye(2, 4).tolist()
