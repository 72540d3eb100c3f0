"""The same round on a Dask cluster of this machine; tests/proofs kills its processes."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import Settings
from app.features import CopiedShard, StoredShard
from app.loop import cluster
from app.loop.cluster import ClusterUnavailable, DaskExecutor
from app.loop.executors import LocalExecutor
from app.services import engines
from app.services.engines import engine
from app.strategies import AUTO, POOL_STRATEGIES
from tests.dask_cluster import Cluster, run, stored
from tests.unit.strategies.toys import pool

pytest.importorskip("distributed", reason="pip install 'labelwise[dask]'")
cloudpickle = pytest.importorskip("cloudpickle")


@pytest.fixture(scope="module")
def dask() -> Iterator[Cluster]:
    made = Cluster().start()
    yield made
    made.stop()


@dataclass
class Pickling:
    """Does what a cluster does to functions and shards, in this process."""

    rows_at_once: int = 200
    largest: int = 0
    bound: Any = field(default_factory=threading.Lock)  # cannot be sent, as a connection cannot

    def map_shards(self, function: Callable[..., Any], parts: Any) -> Iterator[Any]:
        sent = cloudpickle.dumps(function)
        for part in parts:
            item = cloudpickle.dumps(part)
            self.largest = max(self.largest, len(item))
            yield cloudpickle.loads(cloudpickle.dumps(cloudpickle.loads(sent)(cloudpickle.loads(item))))


@pytest.mark.parametrize("name", [AUTO, *POOL_STRATEGIES])
def test_every_strategy_can_be_sent_to_another_machine_and_chooses_the_same(tmp_path: Path, name: str) -> None:
    matrix = pool(800, 32, seed=5)
    with LocalExecutor(1) as threads:
        here = run(name, stored(tmp_path, matrix, 1), threads)

    away = Pickling()
    there = run(name, stored(tmp_path, matrix, 9), away)

    assert there.ids.tolist() == here.ids.tolist()
    assert there.scores.tolist() == here.scores.tolist()
    assert away.largest < matrix.nbytes / 9  # a name, not the rows


@pytest.mark.night
@pytest.mark.parametrize("name", [AUTO, "core_set", "bald"])
def test_a_cluster_chooses_the_same_batch_bit_for_bit(
    dask: Cluster, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = pool(2_500, 32, seed=5)
    with LocalExecutor(1) as threads:
        here = run(name, stored(tmp_path, matrix, 1), threads)
    monkeypatch.setattr(cluster, "PIECE", 10_000)

    with DaskExecutor(dask.address) as away:
        for cuts, at_once in ((3, 1), (11, 600)):
            away.rows_at_once = at_once
            there = run(name, stored(tmp_path, matrix, cuts), away)

            assert there.ids.tobytes() == here.ids.tobytes()
            assert there.scores.tobytes() == here.scores.tobytes()
            assert (there.strategy, there.fallback) == (here.strategy, here.fallback)


@pytest.mark.night
def test_what_the_cluster_cannot_do_is_said(dask: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = stored(tmp_path / "here", pool(50, 32), 2)
    moved = [StoredShard(tmp_path / "there", shard.info) for shard in shards]
    with DaskExecutor(dask.address) as away:
        with pytest.raises(RuntimeError, match=r"worker does not find .*there.*data folder must be"):
            run("margin", moved, away)
        with pytest.raises(ZeroDivisionError):
            list(away.map_shards(lambda part: part / 0, [1]))
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "versions", _other)
        with pytest.raises(ClusterUnavailable, match="other versions"):
            DaskExecutor(dask.address).__enter__()
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    with pytest.raises(ClusterUnavailable, match=r"tcp://127\.0\.0\.1:1 cannot be reached"):
        DaskExecutor("tcp://127.0.0.1:1").__enter__()


def fetch_into(folder: str) -> None:
    os.environ["XDG_CACHE_HOME"] = folder


@pytest.mark.night
def test_workers_without_the_data_folder_fetch_its_shards_from_an_address(dask: Cluster, tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    matrix = pool(2_500, 32, seed=5)
    shards = stored(tmp_path / "features", matrix, 7)
    with LocalExecutor(1) as threads:
        here = run(AUTO, shards, threads)
    address = f"file://{tmp_path / 'features'}"
    absent = [replace(each, folder=tmp_path / "elsewhere") for each in shards]
    kept = str(tmp_path / "cache")

    with DaskExecutor(dask.address) as away:
        away._client.run(fetch_into, kept)
        there = run(AUTO, [CopiedShard(each, address, 10**9) for each in absent], away)
        (tmp_path / "features" / f"{shards[0].info.name}.dense.npy").unlink()
        again = run(AUTO, [CopiedShard(each, address, 10**9) for each in absent], away)
        away._client.run(fetch_into, str(tmp_path / "another"))
        with pytest.raises(RuntimeError, match=f"has no {shards[0].info.name}.dense.npy"):
            run(AUTO, [CopiedShard(each, address, 10**9) for each in absent], away)

    assert there.ids.tobytes() == again.ids.tobytes() == here.ids.tobytes()
    assert there.scores.tobytes() == here.scores.tobytes()
    assert len(list(Path(kept).rglob("*.dense.npy"))) == 7


@pytest.mark.night
def test_only_large_pools_go_to_the_cluster_that_is_set(dask: Cluster, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, dask_scheduler=dask.address, whole_pool_items=50, _env_file=None)

    with engine(settings, 51, here=False) as (executor, words):
        assert isinstance(executor, DaskExecutor)
        assert words == " Scored by 2 Dask workers."
    for rows, here in ((50, False), (51, True)):
        with engine(settings, rows, here=here) as (executor, words):
            assert isinstance(executor, LocalExecutor)
            assert words == ""


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    engines.check_installed(Settings(data=tmp_path, _env_file=None))
    with pytest.raises(RuntimeError, match=r"pip install 'labelwise\[dask\]'"):
        engines.check_installed(Settings(data=tmp_path, dask_scheduler="tcp://x:1", _env_file=None))


def _other() -> tuple[str, str]:
    return (str(os.getpid()), "1")
