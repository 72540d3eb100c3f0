"""Labels to look at again: those that learners which did not see them take for another class.

A label is doubted where another class is ten times as probable: with one label in twenty wrong, such a one is wrong
with odds of 10 to 19. With calibrated probabilities that finds more wrong labels among fewer named ones than a
threshold by class (Northcutt, Jiang, Chuang. Confident Learning: Estimating Uncertainty in Dataset Labels. Journal of
Artificial Intelligence Research 70, 2021), see benchmarks/doubts.py.
"""

from dataclasses import dataclass

import numpy as np

from app.core.arrays import Booleans, Floats, Indices
from app.core.block import Block
from app.learners import CannotFit, left_out
from app.loop.propose import Labelled, Plan

FEWEST = 5  # labelled items of a class, below which a learner of the others hardly knows it
SPARSE_ROWS = 1_000  # up to which n-grams are learned from; of more rows their dense summary
MOST = 1_000  # opinions kept of labelled items
LOOKED_AT = 20_000  # labels, the newest: of a million the fit would take gigabytes
LEAST = np.float32(1e-6)  # probability
TIMES = 10.0  # as probable as the label must another class be


@dataclass(frozen=True)
class Opinions:
    """What is thought of some labelled rows without their own label, the least agreeing ones first.

    `rows` (m,) are places among the labelled ones, `probabilities` (m, c) in [0, 1]; `doubted` (m,) says whose label is
    taken for another.
    """

    rows: Indices
    probabilities: Floats
    doubted: Booleans


NOTHING = Opinions(np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.float32), np.empty(0, dtype=np.bool_))


def opinions(labelled: Labelled, plan: Plan, most: int = MOST) -> Opinions:
    """The `most` doubtful ones of the newest 20,000 labelled rows; none where there is no learner of the others.

    It is ridge regression whatever the project's learner: leaving each row out in turn costs one fit of some hundred
    columns, O(n r^2). An outside model is asked instead: what it said of a row counts, whatever it was taught.
    """
    if not len(labelled):
        return NOTHING
    order = np.arange(len(labelled)) if labelled.order is None else np.argsort(labelled.order, kind="stable")
    newest = np.sort(order[-LOOKED_AT:])
    labelled = labelled.take(newest)
    said = labelled.block.given if plan.given is not None else _left_out(labelled, plan)
    if said is None:
        return NOTHING
    doubted, ratio = (_several if plan.multiple else _one)(said, labelled.targets)
    first = np.lexsort((-ratio, ~doubted))[:most]
    return Opinions(newest[first], said[first], doubted[first])


def _left_out(labelled: Labelled, plan: Plan) -> Floats | None:
    """Probabilities (n, c) of each row by ridge regression on all others; None where it cannot be fitted."""
    block = labelled.block if len(labelled) <= SPARSE_ROWS else Block(labelled.block.dense)
    try:
        return left_out(block, labelled.targets, labelled.weights, multiple=plan.multiple)
    except CannotFit:
        return None


def _one(said: Floats, targets: Floats) -> tuple[Booleans, Floats]:
    """Which labels are doubted, and how many times as probable the best other class is; votes count as most say."""
    rows, label = np.arange(len(said)), targets.argmax(axis=1)
    other = said.copy()
    other[rows, label] = 0.0
    ratio = _times(other.max(axis=1), said[rows, label])
    return (ratio >= TIMES) & (np.bincount(label, minlength=said.shape[1])[label] >= FEWEST), ratio


def _several(said: Floats, targets: Floats) -> tuple[Booleans, Floats]:
    """The same where several classes may hold: each class alone is a label of yes or no."""
    held = targets >= 0.5
    ratio = _times(np.where(held, 1 - said, said), np.where(held, said, 1 - said))
    enough = np.minimum(held.sum(axis=0), (~held).sum(axis=0)) >= FEWEST
    ratio = np.where(enough, ratio, 0.0).max(axis=1)
    return ratio >= TIMES, ratio


def _times(one: Floats, other: Floats) -> Floats:
    return np.asarray(one / np.maximum(other, LEAST), dtype=np.float32)
