"""A worker or the scheduler of a Dask cluster is killed in a round: the same batch, or said and done by another one."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.block import Rows
from app.features import StoredShard
from app.loop.cluster import ClusterUnavailable, DaskExecutor
from app.loop.executors import LocalExecutor
from tests.dask_cluster import Cluster, run, stored
from tests.unit.strategies.toys import pool

pytest.importorskip("distributed", reason="pip install 'labelwise[dask]'")


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


@pytest.mark.night
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


@pytest.mark.night
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
