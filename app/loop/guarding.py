"""The passive twin: a learner of random labels beside one of as many chosen labels, and what the guard makes of it."""

from dataclasses import dataclass

import numpy as np

from app.core.arrays import Booleans, Floats, Indices
from app.evaluation.guard import Guard
from app.evaluation.metrics import hits
from app.learners import CannotFit, make_learner
from app.loop.propose import Labelled, Plan, tells_apart

FOLDS = 5
LOGISTIC = ("auto", "logistic")  # what may fit a temperature, which moves no answer from wrong to right
UNCALIBRATED = {"calibrate": False}
FEWEST_TAUGHT = 5  # labels of either kind, below which both learners are a matter of luck


@dataclass(frozen=True)
class Twin:
    """How right both learners are, (n,) in [0, 1] on the same n answers, and how many labels taught each.

    `tells`: whether any of them tells one item from another; where none does they agree whatever taught them.
    """

    labels: int
    random: Floats
    chosen: Floats
    tells: bool = True

    @property
    def won(self) -> float:
        """Answers that only the learner of chosen labels got right."""
        return float(np.maximum(self.chosen.astype(np.float64) - self.random, 0).sum())

    @property
    def lost(self) -> float:
        """Answers that only the learner of random labels got right."""
        return float(np.maximum(self.random.astype(np.float64) - self.chosen, 0).sum())


def twin(labelled: Labelled, plan: Plan) -> Twin | None:
    """Both learners on the audit answers, fold by fold: neither saw the fold that judges it. None with too few labels.

    The random labels are audit answers outside of the fold. The chosen ones are the first that were asked: what
    choosing gave when the project had so few; a sample of later ones would lack those that they build on. Costs ten
    fits of at most as many rows as there are audit answers, whatever the pool's size.
    """
    pairs = []
    folds = folds_of(labelled, plan)
    for fold in folds:
        outside = np.ones(len(labelled), dtype=np.bool_)
        outside[fold] = False
        pairs.append(first_of_each(labelled, outside))
    size = min(len(by_chance) for by_chance, _ in pairs)
    if size < FEWEST_TAUGHT:
        return None
    judges = [labelled.take(fold) for fold in folds]
    arms = [
        [_said(labelled.take(pair[arm]), each, plan) for pair, each in zip(pairs, judges, strict=True)]
        for arm in (0, 1)
    ]
    by_chance, by_choice = (
        np.concatenate([hits(p, each.targets, plan.multiple) for p, each in zip(arm, judges, strict=True)])
        for arm in arms
    )
    return Twin(size, by_chance, by_choice, any(tells_apart(p) for arm in arms for p in arm))


def folds_of(labelled: Labelled, plan: Plan, rows: Indices | None = None) -> list[Indices]:
    """Positions of the audit rows, or of some of them, cut into five by the round's seed."""
    rows = np.flatnonzero(labelled.audit) if rows is None else rows
    return np.array_split(np.random.default_rng(plan.seed).permutation(rows), FOLDS)


def first_of_each(labelled: Labelled, among: Booleans) -> tuple[Indices, Indices]:
    """Positions of equally many audit and chosen rows among those allowed (n,), the earliest answers of either.

    Where nobody says which rows were chosen, all but the audit rows are; without an order the rows are in order.
    """
    chosen = ~labelled.audit if labelled.chosen is None else labelled.chosen & ~labelled.audit
    order = np.arange(len(labelled)) if labelled.order is None else labelled.order
    rows = [np.flatnonzero(mark & among) for mark in (labelled.audit, chosen)]
    size = min(map(len, rows))
    by_chance, by_choice = (each[np.argsort(order[each], kind="stable")[:size]] for each in rows)
    return by_chance, by_choice


def right(taught: Labelled, judges: Labelled, plan: Plan) -> Floats:
    """How right a learner of some rows is about others, (n,); one that cannot be fitted says their mean of all."""
    return hits(_said(taught, judges, plan), judges.targets, plan.multiple)


def _said(taught: Labelled, judges: Labelled, plan: Plan) -> Floats:
    """What a learner of some rows says of others, (n, c): which classes, not how surely, where that takes fits more."""
    try:
        parameters = {**plan.learner_parameters, **(UNCALIBRATED if plan.learner in LOGISTIC else {})}
        learner = make_learner(plan.learner, parameters, taught.block, len(plan.classes))
        model = learner.fit(taught.block, taught.targets, taught.weights, multiple=plan.multiple, seed=plan.seed)
        return model.probabilities(judges.block)
    except CannotFit:
        return np.tile(taught.targets.mean(axis=0), (len(judges), 1))


def guarded(found: Twin | None, plan: Plan, guard: Guard) -> Guard:
    """The guard after a round's twin; as it was where the plan is not guarded or there is nothing to compare."""
    if found is None or not found.tells or not plan.guarded:
        return guard
    return guard.after(found.won, found.lost, len(found.random))
