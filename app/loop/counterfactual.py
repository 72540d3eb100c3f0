"""What the project's own random answers would have taught alone, beside what the chosen ones taught."""

import numpy as np

from app.core.arrays import Indices
from app.evaluation.saved import Comparison, Saved
from app.loop.guarding import FEWEST_TAUGHT, folds_of, right
from app.loop.propose import Labelled, Plan

SHARES = (1 / 8, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1, 3 / 2, 2, 3, 4)  # of the random labels, are compared


def look(saved: Saved, labelled: Labelled, plan: Plan, number: int) -> Saved:
    """What is known of labels saved after a round; as it was while too few audit answers came since the last look."""
    if plan.given is not None or not saved.waits_for(int(labelled.audit.sum())):
        return saved
    found = compared(labelled, plan)
    return saved if found is None else saved.after(found, number)


def compared(labelled: Labelled, plan: Plan, judges: Labelled | None = None) -> Comparison | None:
    """Learners of random labels, fold by fold, beside learners of the first chosen ones; None with too few of either.

    The random labels are all audit answers outside the fold that judges; no chosen label is ever in one, so each size
    is fitted once. With `judges` these judge all of them, by the mean of the random learners.
    Costs five fits of the audit answers and ten of at most four times as many rows.
    """
    folds = folds_of(labelled, plan)
    audit = np.flatnonzero(labelled.audit)
    labels = min(len(audit) - fold.size for fold in folds)
    chosen = _first_chosen(labelled)
    sizes = sorted({round(share * labels) for share in SHARES})
    sizes = [size for size in sizes if FEWEST_TAUGHT <= size <= len(chosen)]
    if labels < FEWEST_TAUGHT or not sizes:
        return None
    outside = [np.setdiff1d(audit, fold) for fold in folds]
    taught = [labelled.take(each) for each in outside]
    if judges is None:
        judged = [labelled.take(fold) for fold in folds]
        at_random = np.concatenate([right(rows, each, plan) for rows, each in zip(taught, judged, strict=True)])
        judges = labelled.take(np.concatenate(folds))
    else:
        at_random = np.mean([right(rows, judges, plan) for rows in taught], axis=0)
    by_size = {size: right(labelled.take(chosen[:size]), judges, plan) for size in sizes}
    return Comparison(labels, at_random, by_size)


def _first_chosen(labelled: Labelled) -> Indices:
    """Positions of the chosen rows, in the order of their answers."""
    chosen = ~labelled.audit if labelled.chosen is None else labelled.chosen & ~labelled.audit
    order = np.arange(len(labelled)) if labelled.order is None else labelled.order
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(order[rows], kind="stable")]
