"""One round step by step: `python -m benchmarks.round`. 100,000 x 384 (and a million), 10 classes, 1,000 labels.

The features lie in the feature store's shards on disk, as in a project; the pool is made with a seed.
"""

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from app.core.block import Block
from app.features import StoredShard, append, gather
from app.loop.evaluate import evaluate
from app.loop.executors import LocalExecutor
from app.loop.propose import Labelled, Plan, propose

WIDTH, CLASSES, LABELS, SHARD = 384, 10, 1_000, 20_000


def make(folder: Path, rows: int) -> tuple[list[StoredShard], np.ndarray]:
    """Clustered unit vectors in shards, and each row's class."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(300, WIDTH)).astype(np.float32)
    cluster = rng.integers(0, 300, rows)
    shards = []
    for start in range(0, rows, SHARD):
        part = cluster[start : start + SHARD]
        matrix = centers[part] + 1.5 * rng.normal(size=(len(part), WIDTH)).astype(np.float32)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        ids = np.zeros((len(part), 3), dtype=np.int64)
        ids[:, 0] = np.arange(start, start + len(part))
        shards.append(StoredShard(folder, append(folder, ids, Block(matrix.astype(np.float32)))))
    return shards, cluster % CLASSES


def main() -> None:
    """Print one row a pool size: seconds by step, best of three rounds."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", default="100000,1000000")
    print(
        "| items | due to proposed, s | train | sample | prepare | score | choose | gather | evaluate after | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for rows in map(int, given.parse_args().rows.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="labelwise-round-"))
        try:
            shards, classes = make(folder, rows)
            picked = np.sort(np.random.default_rng(1).choice(rows, LABELS, replace=False))
            best: dict[str, float] = {}
            for attempt in range(3):
                found = _once(shards, classes, picked, attempt)
                best = found if not best or found["total"] < best["total"] else best
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            steps = ("train", "sample", "prepare", "score", "choose", "gather", "evaluate")
            cells = " | ".join(f"{best[step]:.3f}" for step in steps)
            print(f"| {rows:,} | {best['total']:.3f} | {cells} | {peak:.0f} |", flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _once(shards: list[StoredShard], classes: np.ndarray, picked: np.ndarray, seed: int) -> dict[str, float]:
    begun = time.monotonic()
    ids = np.zeros((len(picked), 3), dtype=np.int64)
    ids[:, 0] = picked
    _, block = gather(shards, ids)
    gathered = time.monotonic() - begun
    targets = np.eye(CLASSES, dtype=np.float32)[classes[picked]]
    audit = np.arange(len(picked)) % 10 == 0
    labelled = Labelled(ids, block, targets, np.ones(len(picked)), audit)
    plan = Plan(tuple(range(CLASSES)), False, "text", size=200, seed=seed)
    with LocalExecutor() as executor:
        proposal = propose(labelled, shards, plan, executor, lambda _step, _fraction: None)
    total = time.monotonic() - begun
    assert proposal.model is not None
    begun = time.monotonic()
    evaluate(labelled, None, plan, proposal.model, lambda _step, _fraction: None)
    return {**proposal.seconds, "gather": gathered, "total": total, "evaluate": time.monotonic() - begun}


if __name__ == "__main__":
    main()
