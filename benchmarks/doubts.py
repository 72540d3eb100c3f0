"""How many wrong labels are found: `python -m benchmarks.doubts [trec ag_news ...] [--seeds 5]`.

One label in twenty of a random part of each set is replaced by another class; the labels that are doubted are compared
with those. Precision is the share of wrong ones among those that are named, recall the share of the wrong ones that
are. Beside it the thresholds by class of cleanlab's confident learning, on the same left-out probabilities.
"""

import argparse

import numpy as np
from cleanlab.filter import find_label_issues

from app.core.block import Block
from app.loop.doubts import opinions
from app.loop.propose import Labelled, Plan
from benchmarks.datasets import dataset

WRONG = 0.05
SIZES = (200, 600, 1_500)


def main() -> None:
    """Print one row for each set and number of labels."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("sets", nargs="*", default=["trec", "ag_news", "banking77", "mnist", "satellite", "letter"])
    given.add_argument("--seeds", type=int, default=5)
    options = given.parse_args()
    print("| set | labels | wrong | named | precision | recall | cleanlab: named | precision | recall |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in options.sets:
        for size in SIZES:
            counts = np.sum([_counted(name, size, seed) for seed in range(options.seeds)], axis=0)
            wrong, named, found, theirs, theirs_found = (int(each) for each in counts)
            print(
                f"| {name} | {size:,} | {wrong} | {named} | {found / max(named, 1):.2f} | {found / wrong:.2f} "
                f"| {theirs} | {theirs_found / max(theirs, 1):.2f} | {theirs_found / wrong:.2f} |",
                flush=True,
            )


def _counted(name: str, size: int, seed: int) -> tuple[int, ...]:
    """Wrong labels, named ones and those of them that are wrong, and what cleanlab names and finds."""
    found = dataset(name)
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(found.pool), min(size, len(found.pool)), replace=False)
    classes, labels = len(found.classes), found.labels[rows].copy()
    wrong = rng.random(len(rows)) < WRONG
    labels[wrong] = (labels[wrong] + rng.integers(1, classes, wrong.sum())) % classes
    ids = np.stack([rows + 1, 0 * rows, 0 * rows + 1], axis=1).astype(np.int64)
    block: Block = found.pool.take(rows)
    targets = np.eye(classes, dtype=np.float32)[labels]
    labelled = Labelled(ids, block, targets, np.ones(len(rows)), np.zeros(len(rows), dtype=np.bool_))
    said = opinions(labelled, Plan(tuple(range(classes)), False, found.modality, seed=seed), most=len(rows))
    ours = np.zeros(len(rows), dtype=np.bool_)
    ours[said.rows[said.doubted]] = True
    probabilities = np.empty_like(targets)
    probabilities[said.rows] = said.probabilities
    held, numbered = np.unique(labels, return_inverse=True)  # cleanlab wants every class to have a label
    theirs = find_label_issues(numbered, probabilities[:, held], filter_by="confident_learning", n_jobs=1)
    return wrong.sum(), ours.sum(), (ours & wrong).sum(), theirs.sum(), (theirs & wrong).sum()


if __name__ == "__main__":
    main()
