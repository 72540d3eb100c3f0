"""What the project's own random answers would have taught alone, beside what the chosen ones taught."""

from dataclasses import replace

import numpy as np

from app.core.arrays import Floats, Indices
from app.evaluation.saved import Comparison, Saved
from app.loop.guarding import FEWEST_TAUGHT, folds_of, right
from app.loop.propose import Labelled, Plan, Progress, unheard

STEPS = 4  # sizes are 2^(1/4) apart, a fifth; those of random labels every second one
SMALLEST, LARGEST = -2 * STEPS, STEPS  # steps of the ratios: a quarter to twice the random labels
WAY = 3 * STEPS  # steps from the largest size of random labels down to the smallest one
FEWEST_RANDOM = 4 * FEWEST_TAUGHT  # so that a quarter of them still teach something
MOST_RANDOM = 500  # beyond, learners differ little and take long
DRAWS = 3  # disjoint draws of random labels of one size, at most


def look(saved: Saved, labelled: Labelled, plan: Plan, number: int, progress: Progress = unheard) -> Saved:
    """What is known of labels saved after a round; as it was while too few audit answers came since the last look."""
    if plan.given is not None or not saved.waits_for(int(labelled.audit.sum())):
        return saved
    if saved.since and labelled.chosen is not None and labelled.order is not None:
        labelled = replace(labelled, chosen=labelled.chosen & (labelled.order > saved.since))
    found = compared(labelled, plan, progress=progress)
    return saved if found is None else saved.after(found, number)


def compared(
    labelled: Labelled, plan: Plan, judges: Labelled | None = None, progress: Progress = unheard
) -> Comparison | None:
    """Learners of random labels, fold by fold, beside learners of the first chosen ones; None with too few of either.

    Random labels are audit answers outside the fold that judges, in disjoint draws; no chosen label is ever in one, so
    each size of those is fitted once. With `judges` these judge all of them, by the mean over the folds.
    Costs at most a hundred fits of 500 rows and 25 of at most a thousand.
    """
    folds = folds_of(labelled, plan)
    audit = np.flatnonzero(labelled.audit)
    labels = min(MOST_RANDOM, min(len(audit) - fold.size for fold in folds))
    way = _way(labels)
    chosen = _first_chosen(labelled)
    steps = [step for step in range(SMALLEST, LARGEST + 1) if _size(labels, step) <= len(chosen)]
    if not way or not steps:
        return None
    rng = np.random.default_rng([plan.seed, len(audit)])
    outside = [rng.permutation(np.setdiff1d(audit, fold)) for fold in folds]
    if judges is None:
        by_fold = []
        for place, (each, fold) in enumerate(zip(outside, folds, strict=True)):
            progress("compare", 0.9 + 0.05 * place / len(folds))
            by_fold.append(_at_random(labelled, each, sizes_of(labels), labelled.take(fold), plan))
        at_random, judges = np.concatenate(by_fold), labelled.take(np.concatenate(folds))
    else:
        at_random = np.mean([_at_random(labelled, each, sizes_of(labels), judges, plan) for each in outside], axis=0)
    by_step: dict[int, Floats] = {}
    every = sorted({down + by for down in way for by in steps})
    for place, step in enumerate(every):
        progress("compare", 0.95 + 0.05 * place / len(every))
        by_step[step] = right(labelled.take(chosen[: _size(labels, step)]), judges, plan)
    by_ratio = {2 ** (by / STEPS): np.mean([by_step[down + by] for down in way], axis=0) for by in steps}
    return Comparison(labels, at_random, by_ratio)


def sizes_of(labels: int) -> list[int]:
    """Of how many random labels learners are compared, the largest size first."""
    return [_size(labels, step) for step in _way(labels)]


def _way(labels: int) -> list[int]:
    return [step for step in range(0, -WAY - 1, -2) if _size(labels, step) >= FEWEST_RANDOM]


def _size(labels: int, step: int) -> int:
    return round(labels * 2 ** (step / STEPS))


def _at_random(labelled: Labelled, rows: Indices, sizes: list[int], judges: Labelled, plan: Plan) -> Floats:
    """How right learners of so many of the rows are about the judges, the mean over draws and sizes (n,)."""
    by_size = []
    for size in sizes:
        draws = [rows[each * size : (each + 1) * size] for each in range(min(DRAWS, len(rows) // size))]
        by_size.append(np.mean([right(labelled.take(draw), judges, plan) for draw in draws], axis=0))
    return np.asarray(np.mean(by_size, axis=0), dtype=np.float32)


def _first_chosen(labelled: Labelled) -> Indices:
    """Positions of the chosen rows, in the order of their answers."""
    chosen = ~labelled.audit if labelled.chosen is None else labelled.chosen & ~labelled.audit
    order = np.arange(len(labelled)) if labelled.order is None else labelled.order
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(order[rows], kind="stable")]
