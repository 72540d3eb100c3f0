"""Shards that are fetched from an address: the same rows, once, whole or not at all, within the room that there is."""

import sys
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from app.core.block import Block
from app.core.settings import Settings
from app.features import AllBut, CopiedShard, CopyFault, StoredShard, append, check_address
from app.features.copied import cache
from app.services.engines import check_installed, shards_for

fsspec = pytest.importorskip("fsspec")
PLENTY = 10**9


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def written(folder: Path, number: int = 0, sparse: bool = False) -> StoredShard:
    rng = np.random.default_rng(number)
    ids = np.zeros((50, 3), dtype=np.int64)
    ids[:, 0], ids[:, 2] = 50 * number + np.arange(50) + 1, 1
    matrix = csr_matrix((rng.random((50, 30)) < 0.1).astype(np.float32)) if sparse else None
    info = append(folder, ids, Block(rng.normal(size=(50, 8)).astype(np.float32), matrix))
    return StoredShard(folder, info, AllBut(np.array([50 * number + 3])))


def address_of(folder: Path) -> str:
    """A copy of a folder in memory, as an object store would hold it."""
    address = f"memory://{uuid4().hex}/3/ngrams-1"
    store, path = fsspec.url_to_fs(address)
    store.makedirs(path)
    for file in folder.iterdir():
        store.put_file(str(file), f"{path}/{file.name}")
    return address


def elsewhere(shard: StoredShard, address: str, room: int = PLENTY) -> CopiedShard:
    """The shard as a machine has it that does not have the folder."""
    return CopiedShard(StoredShard(Path("/nowhere"), shard.info, shard.keep), address, room)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_fetched_shard_has_the_same_rows_and_is_fetched_once(tmp_path: Path, sparse: bool) -> None:
    shard = written(tmp_path / "features", sparse=sparse)
    address = address_of(tmp_path / "features")
    there = elsewhere(shard, address)

    for _ in range(2):
        found, expected = there.load(), shard.load()
        assert found.ids.tobytes() == expected.ids.tobytes()
        assert len(found.ids) == 49 == there.rows - 1
        assert found.block.dense.tobytes() == expected.block.dense.tobytes()
        if sparse:
            assert found.block.sparse is not None
            assert expected.block.sparse is not None
            assert (found.block.sparse != expected.block.sparse).nnz == 0
        store, path = fsspec.url_to_fs(address)
        if store.exists(path):
            store.rm(path, recursive=True)  # the second time nothing is asked of it
    mask = there.mapped()[1]
    assert mask is not None
    assert mask.sum() == 49


def test_where_the_data_folder_is_nothing_is_fetched(tmp_path: Path) -> None:
    shard = written(tmp_path / "features")

    rows = CopiedShard(shard, "memory://nothing/there", PLENTY).load()

    assert rows.block.dense.tobytes() == shard.load().block.dense.tobytes()
    assert not cache().exists()


def test_a_copy_that_lacks_a_file_or_holds_other_bytes_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "features"
    lacking, other = written(folder), written(folder, 1)
    (folder / f"{lacking.info.name}.dense.npy").unlink()
    np.save(folder / f"{other.info.name}.dense.npy", np.zeros((50, 8), dtype=np.float32))
    address = address_of(folder)

    with pytest.raises(CopyFault, match=rf"{address} has no {lacking.info.name}.dense.npy: bring the copy"):
        elsewhere(lacking, address).load()
    with pytest.raises(CopyFault, match="holds other bytes than were written"):
        elsewhere(other, address).load()
    with pytest.raises(CopyFault, match="has no"):
        elsewhere(other, "memory://nothing/there").load()
    assert list(cache().rglob("*.npy")) == []
    assert list(cache().glob("*.tmp")) == []


def test_what_was_used_longest_ago_makes_room_and_is_fetched_again(tmp_path: Path) -> None:
    folder = tmp_path / "features"
    shards = [written(folder, number) for number in range(3)]
    address = address_of(folder)
    files = [folder / f"{shards[0].info.name}.{part}.npy" for part in ("ids", "dense")]
    size = sum(file.stat().st_size for file in files)
    held = elsewhere(shards[0], address, 2 * size).load().block.dense

    for number in (1, 2):
        elsewhere(shards[number], address, 2 * size).load()

    names = {each.name for each in cache().glob("*/*/")}
    assert names == {shards[1].info.name, shards[2].info.name}
    assert held.tobytes() == shards[0].load().block.dense.tobytes()  # whoever reads one goes on
    again = elsewhere(shards[0], address, 1).load()
    assert again.block.dense.tobytes() == shards[0].load().block.dense.tobytes()
    assert {each.name for each in cache().glob("*/*/")} == {shards[0].info.name}


def test_a_missing_library_and_a_wrong_address_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="one as s3://bucket/features"):
        check_address("bucket/features")
    with pytest.raises(ValueError, match="nonsense"):
        check_address("nonsense://bucket/features")
    check_address("memory://bucket/features")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(CopyFault, match=r"pip install 'labelwise\[dask,buckets\]'"):
        elsewhere(written(tmp_path / "features"), "memory://bucket/features").load()
    with pytest.raises(CopyFault, match=r"pip install 'labelwise\[dask,buckets\]'"):
        check_installed(
            Settings(data=tmp_path, dask_scheduler="tcp://1.1.1.1:1", shards_address="memory://a", _env_file=None)
        )


def test_shards_have_their_address_where_a_cluster_is_to_fetch_them(tmp_path: Path) -> None:
    folder = tmp_path / "features" / "3" / "ngrams-1"
    shard = written(folder)
    given = {"dask_scheduler": "tcp://1.1.1.1:1", "shards_address": "s3://bucket/features/", "shards_cache_bytes": 7}

    [copied] = shards_for(Settings(data=tmp_path, **given, _env_file=None), folder, [shard])
    [plain] = shards_for(Settings(data=tmp_path, shards_address="s3://bucket/f", _env_file=None), folder, [shard])

    assert copied == CopiedShard(shard, "s3://bucket/features/3/ngrams-1", 7)
    assert plain is shard
