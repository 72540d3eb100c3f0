"""A round on a Dask cluster of this machine: `python -m benchmarks.cluster [--rows 1000000]`.

A scheduler and two workers, processes of their own with one thread each: the pool in shards on disk, 384 columns, ten
classes, 1,000 labels, a batch of 200. The same round in threads of this process, on the cluster, and there with one
worker killed by SIGKILL while it scores; the three batches are compared bit for bit. Two cores gain nothing by a
cluster: what is shown is its price and that nothing is lost.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from app.features import StoredShard, gather
from app.loop.cluster import ClusterUnavailable, DaskExecutor
from app.loop.executors import Executor, LocalExecutor
from app.loop.propose import Labelled, Plan, Proposal, propose
from benchmarks.imports import free_port
from benchmarks.round import CLASSES, FIRST_ID, LABELS, ROOT, make

STARTING_SECONDS = 60


def main() -> None:
    """Print one row a way of doing the round."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", type=int, default=1_000_000)
    given.add_argument("--strategy", default="auto")
    options = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="labelwise-cluster-") as folder, _cluster() as (address, workers):
        shards, classes = make(Path(folder), options.rows)
        labelled = _labelled(shards, classes, options.rows)
        print("| round | seconds | of it scoring | same batch |\n|---|---|---|---|")
        with LocalExecutor() as threads:
            _once(labelled, shards, options.strategy, threads)  # so that every way finds the files in memory
            first = _once(labelled, shards, options.strategy, threads)
        _say("two threads of this process", first, first)
        with DaskExecutor(address) as cluster:
            _once(labelled, shards, options.strategy, cluster)
            second = _once(labelled, shards, options.strategy, cluster)
            _say("two Dask workers", second, first)
        killed: list[float] = []

        def kill() -> None:
            workers[0].send_signal(signal.SIGKILL)
            killed.append(time.monotonic())

        with DaskExecutor(address) as cluster:
            after = second[1].seconds["score"] / 3
            third = _once(labelled, shards, options.strategy, cluster, lambda: threading.Timer(after, kill).start())
            ended = time.monotonic()
        workers[0].wait()
        _say(f"two Dask workers, one killed {ended - killed[0]:.2f} s before the end", third, first)


@contextmanager
def _cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    address = f"tcp://127.0.0.1:{free_port()}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def started(kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments, "--no-dashboard"]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)

    processes = [started("scheduler", "--host", address)]
    workers = [started("worker", address, "--nthreads", "1", "--no-nanny") for _ in range(2)]
    try:
        _until_there(address)
        yield address, workers
    finally:
        for each in [*workers, *processes]:
            each.kill()
            each.wait()


def _until_there(address: str) -> None:
    end = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < end:
        try:
            with DaskExecutor(address) as cluster:
                if cluster.workers == 2:
                    return
        except ClusterUnavailable:
            pass
        time.sleep(0.2)
    raise SystemExit("the cluster did not start")


def _labelled(shards: list[StoredShard], classes: np.ndarray, rows: int) -> Labelled:
    picked = np.sort(np.random.default_rng(1).choice(rows, LABELS, replace=False))
    ids = np.stack([picked + FIRST_ID, 0 * picked, 0 * picked + 1], axis=1)
    _, block = gather(shards, ids)
    targets = np.eye(CLASSES, dtype=np.float32)[classes[picked]]
    return Labelled(ids, block, targets, np.ones(len(picked)), np.zeros(len(picked), dtype=np.bool_))


def _once(
    labelled: Labelled,
    shards: list[StoredShard],
    strategy: str,
    executor: Executor,
    scoring: Callable[[], Any] | None = None,
) -> tuple[float, Proposal]:
    def progress(step: str, _fraction: float) -> None:
        if scoring is not None and step == "score":
            scoring()

    begun = time.monotonic()
    plan = Plan(tuple(range(CLASSES)), False, "text", strategy=strategy, size=200, seed=1)
    found = propose(labelled, shards, plan, executor, progress)
    return time.monotonic() - begun, found


def _say(name: str, found: tuple[float, Proposal], first: tuple[float, Proposal]) -> None:
    same = found[1].ids.tobytes() == first[1].ids.tobytes() and found[1].scores.tobytes() == first[1].scores.tobytes()
    print(f"| {name} | {found[0]:.2f} | {found[1].seconds['score']:.2f} | {'yes' if same else 'NO'} |", flush=True)


if __name__ == "__main__":
    main()
