"""Who judges how robust a learner is: models beside labelled rows that none of them learned from."""

from dataclasses import dataclass, replace

import numpy as np

from app.core.arrays import Floats
from app.core.block import Block
from app.evaluation.metrics import hits
from app.learners import CannotFit, Model, make_learner
from app.loop.guarding import folds_of
from app.loop.propose import Labelled, Plan


@dataclass(frozen=True)
class Judged:
    """A model, and rows that it never saw."""

    model: Model
    rows: Labelled

    def right(self, block: Block, plan: Plan) -> Floats:
        """How right the model is (n,) when the rows look like this."""
        return hits(self.model.probabilities(block), self.rows.targets, plan.multiple)


def judges(labelled: Labelled, heldout: Labelled | None, plan: Plan, most: int) -> list[Judged]:
    """Models with their judges, at most so many in all: the client's own test set, else the newest audit rows.

    Audit rows that teach are judged by cross-fitting, five fits; else there is one. Empty where nothing can be fitted.
    """
    taught = labelled.take(~labelled.audit) if plan.apart else labelled
    if heldout is not None and len(heldout):
        return _pairs([(taught, heldout.take(np.arange(min(most, len(heldout)))))], plan)
    order = np.arange(len(labelled)) if labelled.order is None else labelled.order
    audit = np.flatnonzero(labelled.audit)
    kept = audit[np.argsort(-order[audit], kind="stable")[:most]]
    if plan.apart:
        return _pairs([(taught, labelled.take(kept))], plan)
    marked = np.zeros(len(labelled), dtype=np.bool_)
    marked[kept] = True
    folds = folds_of(replace(labelled, audit=marked), plan)
    rows = np.arange(len(labelled))
    return _pairs([(labelled.take(np.setdiff1d(rows, fold)), labelled.take(fold)) for fold in folds if fold.size], plan)


def _pairs(given: list[tuple[Labelled, Labelled]], plan: Plan) -> list[Judged]:
    found = []
    for taught, rows in given:
        try:
            learner = make_learner(plan.learner, plan.learner_parameters, taught.block, len(plan.classes))
            model = learner.fit(taught.block, taught.targets, taught.weights, multiple=plan.multiple, seed=plan.seed)
        except CannotFit:
            continue
        found.append(Judged(model, rows))
    return found
