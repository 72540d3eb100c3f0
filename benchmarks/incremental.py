"""Rounds that look at a part of the pool: `python -m benchmarks.incremental [--rows 500000,5000000] [--loss]`.

Seconds from the request to the published order, in a project on SQLite with a worker process of its own, at each size
in one run, and their ratio; then, with `--loss`, what the part costs in accuracy: the same labels asked for over the
whole pool and over one item in 25 a round, on made sets, paired by seed.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np

from app.core.block import Block
from app.features import Only, StoredShard, append, part_of
from app.learners import make_learner
from app.loop.executors import LocalExecutor
from app.loop.looks import BITS, Look
from app.loop.propose import Labelled, Plan, propose
from benchmarks.round import measured

TURNS = 25  # as 5 million items have
BATCH, ROUNDS = 20, 20


def main() -> None:
    """Print one row a size, the ratio, and the loss where it is asked for."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", default="500000,5000000")
    given.add_argument("--width", type=int, default=384)
    given.add_argument("--loss", action="store_true")
    given.add_argument("--seeds", type=int, default=10)
    options = given.parse_args()
    print("| items | asked to claimed, s | asked to published | of it reading | thinking | storing | evaluated after |")
    print("|---|---|---|---|---|---|---|")
    published = []
    for rows in map(int, filter(None, options.rows.split(","))):
        data = Path(tempfile.mkdtemp(prefix="labelwise-incremental-"))
        try:
            found = measured(data, rows, options.width)
            published.append(found[1])
            print(f"| {rows:,} | " + " | ".join(f"{value:.3f}" for value in found) + " |", flush=True)
        finally:
            shutil.rmtree(data, ignore_errors=True)
    if len(published) > 1:
        print(f"\nThe last against the first: {published[-1] / published[0]:.2f} times.")
    if options.loss:
        _losses(options.seeds)


def _losses(seeds: int) -> None:
    print("\n| set | strategy | whole pool: mean accuracy | one in 25 a round | difference, 95 % of its mean |")
    print("|---|---|---|---|---|")
    for name, rare in (("ten even classes", False), ("one class of 1 %", True)):
        for strategy in ("auto", "margin"):
            whole, part = (
                np.array([_curve(strategy, seed, rare, parted) for seed in range(seeds)]) for parted in (False, True)
            )
            apart = part - whole
            band = 1.96 * apart.std(ddof=1) / np.sqrt(seeds)
            print(
                f"| {name} | {strategy} | {whole.mean():.4f} | {part.mean():.4f} | {apart.mean():+.4f} ± {band:.4f} |",
                flush=True,
            )


def _curve(strategy: str, seed: int, rare: bool, parted: bool) -> float:
    """The mean accuracy over the rounds; where one class is rare the mean over the classes."""
    dense, truth = _made(seed, rare)
    pool, test = slice(0, 20_000), slice(20_000, None)
    rows = np.arange(20_000)
    ids = np.stack([rows + 1, 0 * rows, 0 * rows + 1], axis=1)
    answered: list[int] = []
    best, curve = np.empty(0, dtype=np.int64), []
    with tempfile.TemporaryDirectory() as folder, LocalExecutor() as executor:
        info = append(Path(folder), ids, Block(dense[pool]))
        for number in range(1, ROUNDS + 1):
            taught = np.array(answered, dtype=np.int64)
            labelled = Labelled(
                ids[taught],
                Block(dense[taught]),
                np.eye(10, dtype=np.float32)[truth[taught]],
                np.ones(len(taught)),
                np.zeros(len(taught), dtype=np.bool_),
            )
            shard = StoredShard(Path(folder), info, Only(np.setdiff1d(rows, taught) + 1))
            look = Look(len(rows), len(rows) // TURNS, seed, number)
            shards = [part_of(shard, shard.ids(), look.wanted, BITS, best)] if parted else [shard]
            plan = Plan(tuple(range(10)), False, "text", strategy=strategy, size=BATCH, seed=seed * 1000 + number)
            found = propose(
                labelled, shards, plan, executor, lambda *_: None, samples=[shard] if parted else None, pool_rows=20_000
            )
            best = np.unique(found.best)
            answered += [int(item) - 1 for item in found.ids[:, 0]]
            curve.append(_accuracy(dense, truth, answered, test, rare))
    return float(np.mean(curve))


def _accuracy(dense: np.ndarray, truth: np.ndarray, answered: list[int], test: slice, rare: bool) -> float:
    rows = np.array(answered)
    block, targets = Block(dense[rows]), np.eye(10, dtype=np.float32)[truth[rows]]
    if len(np.unique(truth[rows])) < 2:
        return 0.1
    model = make_learner("auto", {}, block, 10).fit(block, targets, np.ones(len(rows)), multiple=False, seed=0)
    right = model.probabilities(Block(dense[test])).argmax(axis=1) == truth[test]
    if not rare:
        return float(right.mean())
    return float(np.mean([right[truth[test] == number].mean() for number in range(10)]))


def _made(seed: int, rare: bool) -> tuple[np.ndarray, np.ndarray]:
    """25,000 unit vectors of 64 numbers in 60 groups of ten classes; the groups of one class together 1 % if rare."""
    rng = np.random.default_rng(seed)
    share = np.where((np.arange(60) % 10 == 9) & rare, 0.01 / 6, 1.0)
    share[share == 1] = (1 - share[share < 1].sum()) / (share == 1).sum()
    group = rng.choice(60, 25_000, p=share / share.sum())
    matrix = rng.normal(size=(60, 64))[group] + 1.3 * rng.normal(size=(25_000, 64))
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32), group % 10


if __name__ == "__main__":
    main()
