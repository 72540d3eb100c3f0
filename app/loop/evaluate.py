"""How good the model is, honestly: on the client's own test set, and on the audit share by cross-fitting.

Audit items are a uniform sample of the pool, so what a model that never saw them says about them is an unbiased
estimate; each fold of them is predicted by a model trained on everything else. The accuracy's interval is one of those
that hold together over all rounds of the project (`evaluation/sequence.py`); every other interval is of one look.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.core.arrays import Floats, Indices
from app.evaluation.intervals import share
from app.evaluation.metrics import hits, report
from app.evaluation.sequence import at_look
from app.learners import CannotFit, Model, make_learner
from app.loop.guarding import FEWEST_TAUGHT, Twin, first_of_each, folds_of, right, twin
from app.loop.propose import Labelled, Plan, Progress

FEWEST_AUDIT = 5


@dataclass(frozen=True)
class Peek:
    """Which look at the project's judges this is (1, 2, ...), and of how many items the audit set is a sample."""

    look: int = 1
    population: int | None = None


FIRST = Peek()


@dataclass(frozen=True)
class Evaluation:
    """Metrics by stratum. `accuracy` is the client's own test set's where there is one, else the audit share's.

    `balance` holds the classes' shares among the audit answers, or in the test set while those are few.
    """

    imported: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None
    twin: dict[str, Any] | None = None
    balance: list[dict[str, Any]] = field(default_factory=list)
    balance_of: str = "audit"
    reason: str | None = None
    compared: Twin | None = None  # by the audit answers, for the guard

    @property
    def looked(self) -> bool:
        """Whether anything judged the model."""
        return self.imported is not None or self.audit is not None

    def to_json(self) -> dict[str, Any]:
        """The headline's metrics on top, then each stratum."""
        headline = self.imported or self.audit or {"accuracy": None}
        stratum = "imported" if self.imported else "audit" if self.audit else None
        parts = {"imported": self.imported, "audit": self.audit, "twin": self.twin}
        balance = {"balance": self.balance, "balance_of": self.balance_of}
        return {**headline, "stratum": stratum, "reason": self.reason, **parts, **balance}


def evaluate(
    labelled: Labelled,
    heldout: Labelled | None,
    plan: Plan,
    model: Model,
    progress: Progress,
    peek: Peek = FIRST,
) -> Evaluation:
    """Metrics of the round's model; five fits for the audit share, ten of its size for the passive twin.

    An outside model cannot be fitted again here: it is judged as it is, on audit answers that it was not taught. So is
    a model of a project whose audit answers are kept apart.
    """
    imported = None
    if heldout is not None and len(heldout):
        imported = _report(model.probabilities(heldout.block), heldout.targets, plan, Peek(peek.look))
    rows = np.flatnonzero(labelled.audit)
    progress("evaluate", 0.9)
    if rows.size < FEWEST_AUDIT:
        reason = f"{rows.size} audit answers so far" if imported is None else None
        tested = _shares(heldout.targets, plan) if heldout is not None and len(heldout) else []
        return Evaluation(imported=imported, reason=reason, balance=tested, balance_of="imported")
    balance = _shares(labelled.targets[rows], plan)
    if plan.given is not None or plan.apart:
        said, right = model.probabilities(labelled.block.take(rows)), labelled.targets[rows]
        audit: dict[str, Any] | None = _report(said, right, plan, peek)
    else:
        held, probabilities = cross_fit(labelled, folds_of(labelled, plan), plan)
        audit = _report(probabilities, labelled.targets[held], plan, peek) if held.size else None
    if plan.given is not None:
        return Evaluation(imported, audit, None, balance)
    compared = twin(labelled, plan)
    shown = _shown(compared, labelled, heldout, plan)
    return Evaluation(imported, audit, shown, balance, compared=compared)


def _report(probabilities: Floats, targets: Floats, plan: Plan, peek: Peek) -> dict[str, Any]:
    """A report whose accuracy holds at every look; what one look alone would claim stands beside it."""
    found = report(probabilities, targets, plan.classes, plan.multiple, plan.seed, plan.values)
    certified = at_look(hits(probabilities, targets, plan.multiple), peek.look, peek.population)
    return {**found, "accuracy_at_one_look": found["accuracy"], "accuracy": certified and certified.to_json()}


def _shares(targets: Floats, plan: Plan) -> list[dict[str, Any]]:
    """The share of each class among judged rows, targets (n, c), with its band."""
    found = [share(float(targets[:, i].sum()), len(targets)) for i in range(len(plan.classes))]
    return [
        {"class_id": number, **each.to_json()}
        for number, each in zip(plan.classes, found, strict=True)
        if each is not None
    ]


def cross_fit(labelled: Labelled, folds: list[Indices], plan: Plan) -> tuple[Indices, Floats]:
    """Out-of-fold probabilities of the audit rows, by models trained on every row outside each fold."""
    held, found = [], []
    for fold in folds:
        model = _fit(labelled.take(np.setdiff1d(np.arange(len(labelled)), fold)), plan)
        if model is not None and fold.size:
            held.append(fold)
            found.append(model.probabilities(labelled.block.take(fold)))
    if not held:
        return np.empty(0, dtype=np.int64), np.empty((0, len(plan.classes)), dtype=np.float32)
    return np.concatenate(held), np.concatenate(found)


def _shown(found: Twin | None, labelled: Labelled, heldout: Labelled | None, plan: Plan) -> dict[str, Any] | None:
    """The twin for people: by the client's own test set where there is one, else by the audit answers."""
    if heldout is not None and len(heldout):
        pair = first_of_each(labelled, np.ones(len(labelled), dtype=np.bool_))
        if len(pair[0]) < FEWEST_TAUGHT:
            return None
        found = Twin(len(pair[0]), *(right(labelled.take(rows), heldout, plan) for rows in pair))
    if found is None:
        return None
    both = [share(float(each.sum()), len(each)) for each in (found.random, found.chosen)]
    named = {name: each and each.to_json() for name, each in zip(("random", "chosen"), both, strict=True)}
    return {"labels": found.labels, **named}


def _fit(labelled: Labelled, plan: Plan) -> Model | None:
    try:
        learner = make_learner(plan.learner, plan.learner_parameters, labelled.block, len(plan.classes))
        return learner.fit(labelled.block, labelled.targets, labelled.weights, multiple=plan.multiple, seed=plan.seed)
    except CannotFit:
        return None
