"""The same round on a Dask cluster: a scheduler and workers that are processes of their own, so that they can die."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.block import Block, Rows
from app.core.settings import Settings
from app.features import StoredShard, append
from app.loop import cluster
from app.loop.cluster import ClusterUnavailable, DaskExecutor
from app.loop.executors import LocalExecutor
from app.loop.propose import Labelled, Plan, Proposal, propose
from app.services import engines
from app.services.engines import engine
from app.strategies import AUTO, POOL_STRATEGIES
from tests import forks
from tests.unit.strategies.toys import ids_of, labelled, pool, takes_several

pytest.importorskip("distributed", reason="pip install 'labelwise[dask]'")
cloudpickle = pytest.importorskip("cloudpickle")


def scheduler(port: int, told: Connection) -> None:
    from distributed import Scheduler

    async def serve() -> None:
        async with Scheduler(host="127.0.0.1", port=port, dashboard_address=":0") as made:
            told.send(made.address)
            await made.finished()

    asyncio.run(serve())


def worker(address: str, told: Connection) -> None:
    from distributed import Worker

    async def serve() -> None:
        async with Worker(address, nthreads=1, host="127.0.0.1") as made:
            told.send(made.address)
            await made.finished()

    asyncio.run(serve())


@dataclass
class Cluster:
    """A scheduler and its workers."""

    address: str = ""
    processes: dict[str, Any] = field(default_factory=dict)

    def start(self, workers: int = 2, port: int = 0) -> "Cluster":
        main, heard = forks.started(scheduler, port)
        self.address = heard.recv()
        self.processes = {"scheduler": main}
        told = {name: forks.started(worker, self.address) for name in [f"worker {n}" for n in range(workers)]}
        for name, (process, heard) in told.items():
            heard.recv()
            self.processes[name] = process
        return self

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.join()


@pytest.fixture(scope="module")
def dask() -> Iterator[Cluster]:
    made = Cluster().start()
    yield made
    made.stop()


def stored(folder: Path, matrix: np.ndarray, cuts: int) -> list[StoredShard]:
    parts = np.array_split(np.arange(len(matrix)), cuts)
    return [StoredShard(folder, append(folder, ids_of(rows + 1), Block(matrix[rows]))) for rows in parts]


def plan_of(name: str, size: int = 20) -> Plan:
    return Plan((1, 2, 3), takes_several(name), "text", strategy=name, size=size, seed=3)


def run(name: str, shards: list[Any], executor: Any, progress: Callable[..., None] = lambda *_: None) -> Proposal:
    given: Labelled = labelled(pool(30, 32, seed=1), [0, 1, 2] * 10)
    return propose(given, shards, plan_of(name), executor, progress)


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


@dataclass(frozen=True)
class Slow:
    """A shard whose reading takes a while and is seen from outside."""

    shard: StoredShard
    marks: Path

    @property
    def rows(self) -> int:
        return self.shard.rows

    def load(self) -> Rows:
        (self.marks / f"{os.getpid()}.{self.shard.info.name}").touch()
        time.sleep(0.08)
        return self.shard.load()

    def mapped(self) -> tuple[Rows, None]:
        return self.load(), None


def killed_while_scoring(marks: Path, kill: Callable[[int], None]) -> Callable[[str, float], None]:
    """A progress that, once scoring has begun, kills as soon as some worker reads a shard for it."""

    def watch() -> None:
        for mark in marks.iterdir():
            mark.unlink()
        while not (seen := list(marks.iterdir())):
            time.sleep(0.005)
        kill(int(seen[0].name.split(".")[0]))

    def progress(step: str, _fraction: float) -> None:
        if step == "score":
            threading.Thread(target=watch).start()

    return progress


def test_a_worker_killed_in_a_round_changes_nothing(tmp_path: Path) -> None:
    made = Cluster().start()
    matrix, killed = pool(2_500, 32, seed=5), []
    (marks := tmp_path / "marks").mkdir()
    with LocalExecutor(1) as threads:
        here = run("margin", stored(tmp_path, matrix, 1), threads)
    slow = [Slow(shard, marks) for shard in stored(tmp_path, matrix, 20)]

    def kill(pid: int) -> None:
        killed.append(pid)
        made.kill(pid)

    with DaskExecutor(made.address) as away:
        away.rows_at_once = 1
        there = run("margin", slow, away, killed_while_scoring(marks, kill))

    gone = [process for process in made.processes.values() if process.pid in killed]
    gone[0].join()
    assert [process.exitcode for process in gone] == [-signal.SIGKILL]
    assert there.ids.tobytes() == here.ids.tobytes()
    assert there.scores.tobytes() == here.scores.tobytes()
    made.stop()


def test_a_scheduler_killed_in_a_round_is_said_and_another_one_does_the_round(tmp_path: Path) -> None:
    made = Cluster().start(1)
    port = int(made.address.rsplit(":", 1)[1])
    matrix = pool(2_500, 32, seed=5)
    (marks := tmp_path / "marks").mkdir()
    shards = stored(tmp_path, matrix, 20)
    with LocalExecutor(1) as threads:
        here = run("margin", list(shards), threads)

    def kill(_pid: int) -> None:
        made.kill(made.processes["scheduler"].pid)

    with DaskExecutor(made.address) as away:
        away.rows_at_once = 1
        slow, kills = [Slow(shard, marks) for shard in shards], killed_while_scoring(marks, kill)
        with pytest.raises(ClusterUnavailable, match=f"scheduler at {made.address} was lost"):
            run("margin", slow, away, kills)
    made.stop()

    again = Cluster().start(1, port)
    with DaskExecutor(again.address) as away:
        assert run("margin", list(shards), away).ids.tobytes() == here.ids.tobytes()
    again.stop()


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
