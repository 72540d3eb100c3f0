"""A Dask scheduler and workers that are processes of their own, so that they can die; and a round to run on them."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from app.core.block import Block
from app.features import StoredShard, append
from app.loop.propose import Labelled, Plan, Proposal, propose
from tests import forks
from tests.unit.strategies.toys import ids_of, labelled, pool, takes_several


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


def stored(folder: Path, matrix: np.ndarray, cuts: int) -> list[StoredShard]:
    parts = np.array_split(np.arange(len(matrix)), cuts)
    return [StoredShard(folder, append(folder, ids_of(rows + 1), Block(matrix[rows]))) for rows in parts]


def plan_of(name: str, size: int = 20) -> Plan:
    return Plan((1, 2, 3), takes_several(name), "text", strategy=name, size=size, seed=3)


def run(name: str, shards: list[Any], executor: Any, progress: Callable[..., None] = lambda *_: None) -> Proposal:
    given: Labelled = labelled(pool(30, 32, seed=1), [0, 1, 2] * 10)
    return propose(given, shards, plan_of(name), executor, progress)
