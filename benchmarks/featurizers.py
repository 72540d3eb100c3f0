"""What the features carry and what they and their store cost: python -m benchmarks.featurizers [set ...]

For each set: accuracy of the logistic learner from 100, 300 and all rows (at most 6,000; mean of three draws for the
small sizes) on at most 2,000 test rows, and rows a second of processor time. Then the store: append, scan, gather.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: seconds are those of one core

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.core.block import Block
from app.features import StoredShard, append, gather, newest
from app.featurizers import choose_featurizer
from app.learners import make_learner
from benchmarks.datasets import POOL_ROWS, TEST_ROWS, raw

SETS = ("trec", "ag_news", "banking77", "sms_spam", "mnist", "letter", "satellite")
SIZES = (100, 300)
DRAWS = 3
STORE_ROWS, STORE_WIDTH, STORE_SHARD = 200_000, 128, 20_000
GATHERED = 10_000


def accuracy(train: Block, labels: Any, test: Block, test_labels: Any, rows: Any) -> float:
    """The share of test rows that the logistic learner gets right after learning from some rows."""
    classes = int(max(labels.max(), test_labels.max())) + 1
    some = train.take(rows)
    learner = make_learner("logistic", {"calibrate": False}, some, classes)
    targets = np.eye(classes, dtype=np.float32)[labels[rows]]
    model = learner.fit(some, targets, np.ones(len(rows)), multiple=False, seed=0)
    return float((model.probabilities(test).argmax(axis=1) == test_labels).mean())


def measure(name: str, wanted: dict[str, Any]) -> str:
    """One line of the table."""
    modality, pool, names = raw(name, "train")
    _, test, test_names = raw(name, "test")
    rng = np.random.default_rng(0)
    order = rng.permutation(len(pool))[:POOL_ROWS]
    held = rng.permutation(len(test))[:TEST_ROWS]
    known = {each: number for number, each in enumerate(sorted({*names, *test_names}))}
    labels = np.array([known[names[row]] for row in order])
    test_labels = np.array([known[test_names[row]] for row in held])
    payloads = [pool[row] for row in order]
    featurizer, _ = choose_featurizer(modality, wanted)
    begun = time.process_time()
    state = featurizer.fit(payloads)
    fitted = time.process_time()
    block = featurizer.transform(payloads, state)
    done = time.process_time()
    held_block = featurizer.transform([test[row] for row in held], state)
    figures = []
    for size in SIZES:
        draws = [np.random.default_rng(seed).permutation(len(labels))[:size] for seed in range(DRAWS)]
        figures.append(float(np.mean([accuracy(block, labels, held_block, test_labels, rows) for rows in draws])))
    figures.append(accuracy(block, labels, held_block, test_labels, np.arange(len(labels))))
    shown = " ".join(f"{100 * figure:6.1f}" for figure in figures)
    rate = len(payloads) / (done - fitted)
    return (
        f"{name:12s} {featurizer.name:12s} {shown}  {len(payloads):6,} rows {rate:9,.0f}/s  fit {fitted - begun:.1f} s"
    )


def store() -> str:
    """Append, scan with a product, and gather on a pool of dense rows."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(STORE_WIDTH, 10)).astype(np.float32)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = rng.normal(size=(STORE_SHARD, STORE_WIDTH)).astype(np.float32)
        shards, begun = [], time.perf_counter()
        for start in range(0, STORE_ROWS, STORE_SHARD):
            ids = np.zeros((STORE_SHARD, 3), dtype=np.int64)
            ids[:, 0] = np.arange(start, start + STORE_SHARD)
            shards.append(StoredShard(folder, append(folder, ids, Block(rows))))
        appended = time.perf_counter()
        for shard in newest(shards):
            shard.load().block.dense @ weights
        scanned = time.perf_counter()
        wanted = np.zeros((GATHERED, 3), dtype=np.int64)
        wanted[:, 0] = rng.permutation(STORE_ROWS)[:GATHERED]
        gather(shards, wanted)
        gathered = time.perf_counter()
    megabytes = STORE_ROWS * STORE_WIDTH * 4 / 1e6
    return (
        f"store: append {megabytes / (appended - begun):,.0f} MB/s, scan with a product of ten classes "
        f"{megabytes / (scanned - appended):,.0f} MB/s, gather {GATHERED:,} of {STORE_ROWS:,} rows "
        f"{gathered - scanned:.3f} s"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--featurizer", default="auto")
    arguments = parser.parse_args()
    print(store(), flush=True)
    print("set          featurizer      100    300    all")
    for name in arguments.sets:
        print(measure(name, {"name": arguments.featurizer}), flush=True)


if __name__ == "__main__":
    main()
