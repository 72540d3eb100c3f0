"""How good the model is, honestly: on the client's own test set, and on the audit share by cross-fitting.

Audit items are a uniform sample of the pool, so what a model that never saw them says about them is an unbiased
estimate; each fold of them is predicted by a model trained on everything else. The accuracy's interval is one of those
that hold together over all rounds of the project (`evaluation/sequence.py`); every other interval is of one look.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.core.arrays import Doubles, Floats, Indices
from app.evaluation.intervals import share
from app.evaluation.metrics import report, weighted_share
from app.learners import CannotFit, Model, make_learner
from app.loop.auditing import BY_CHANCE, Answers, AuditSet, verdict
from app.loop.guarding import FEWEST_TAUGHT, Twin, first_of_each, folds_of, right, twin
from app.loop.propose import Labelled, Plan, Progress

FEWEST_AUDIT = 5


@dataclass(frozen=True)
class Peek:
    """Which look at the project's judges this is (1, 2, ...), of how many items the audit set is a sample, and how its
    items were drawn.
    """

    look: int = 1
    population: int | None = None
    audits: AuditSet = BY_CHANCE


FIRST = Peek()


@dataclass(frozen=True)
class Evaluation:
    """Metrics by stratum. `accuracy` is the client's own test set's where there is one, else the audit share's.

    `balance` holds the classes' shares among the audit answers, or in the test set while those are few; `judged` what
    was said of the items by models that did not see their answers, by the stratum's name.
    """

    imported: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None
    twin: dict[str, Any] | None = None
    balance: list[dict[str, Any]] = field(default_factory=list)
    balance_of: str = "audit"
    reason: str | None = None
    compared: Twin | None = None  # by the audit answers, for the guard
    judged: Mapping[str, Answers] = field(default_factory=dict)

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
    imported, judged = None, {}
    if heldout is not None and len(heldout):
        tests = Answers(heldout.ids[:, 0], model.probabilities(heldout.block), heldout.targets, np.empty(0))
        imported, _ = _report(tests, plan, Peek(peek.look))
        judged["imported"] = tests
    rows = np.flatnonzero(labelled.audit)
    rows = rows[peek.audits.tells_of(labelled.ids[rows, 0])]
    progress("evaluate", 0.9)
    if rows.size < FEWEST_AUDIT:
        reason = _too_few(rows.size, int(labelled.audit.sum())) if imported is None else None
        tested = _shares(heldout.targets, plan) if heldout is not None and len(heldout) else []
        return Evaluation(imported=imported, reason=reason, balance=tested, balance_of="imported", judged=judged)
    answers = _answers(labelled, rows, plan, model, peek.audits)
    audit, weights = _report(answers, plan, peek)
    judged |= {"audit": answers} if audit else {}
    balance = _shares(labelled.targets[rows] if weights is None else answers.targets, plan, weights)
    if plan.given is not None or peek.audits.chosen:  # chosen answers are no random ones, to teach or to compare with
        return Evaluation(imported, audit, None, balance, judged=judged)
    compared = twin(labelled, plan)
    shown = _shown(compared, labelled, heldout, plan)
    return Evaluation(imported, audit, shown, balance, compared=compared, judged=judged)


def _too_few(judging: int, answered: int) -> str:
    more = f", {answered - judging} more of them once others were given" if answered > judging else ""
    return f"{judging} audit answers so far{more}"


def _answers(labelled: Labelled, rows: Indices, plan: Plan, model: Model, audits: AuditSet) -> Answers:
    """What a learner that a row did not teach says of each audit row, and of the audit items without an answer."""
    items = labelled.ids[:, 0]
    if plan.given is not None or plan.apart:
        said = model.probabilities(labelled.block.take(rows))
        return Answers(items[rows], said, labelled.targets[rows], audits.of(model))
    folds, waiting = [], []
    for fold, fitted in _fitted(labelled, folds_of(labelled, plan, rows), plan):
        folds.append((fold, fitted.probabilities(labelled.block.take(fold))))
        waiting.append(fold.size * audits.of(fitted))
    if not folds:
        return Answers(items[:0], np.empty((0, len(plan.classes)), dtype=np.float32), labelled.targets[:0], np.empty(0))
    held = np.concatenate([fold for fold, _ in folds])
    said = np.concatenate([probabilities for _, probabilities in folds])
    return Answers(items[held], said, labelled.targets[held], np.sum(waiting, axis=0) / held.size)


def _report(answers: Answers, plan: Plan, peek: Peek) -> tuple[dict[str, Any] | None, Doubles | None]:
    """A report whose accuracy holds at every look, with what one look alone would claim beside it; and the weights."""
    if not answers.items.size:
        return None, None
    found = verdict(answers, peek.audits, plan, peek.look, peek.population)
    told = report(answers.said, answers.targets, plan.classes, plan.multiple, plan.seed, plan.values, found.weights)
    accuracies = {"accuracy": found.accuracy, "accuracy_at_one_look": found.at_one_look}
    return {
        **told,
        **{name: each and each.to_json() for name, each in accuracies.items()},
        "how": found.how,
    }, found.weights


def _shares(targets: Floats, plan: Plan, weights: Doubles | None = None) -> list[dict[str, Any]]:
    """The share of each class among judged rows, targets (n, c), with its band; by weights (n,) where there are any."""
    given = np.ones(len(targets)) if weights is None else weights
    found = [weighted_share(targets[:, i], given) for i in range(len(plan.classes))]
    return [
        {"class_id": number, **each.to_json()}
        for number, each in zip(plan.classes, found, strict=True)
        if each is not None
    ]


def _fitted(labelled: Labelled, folds: list[Indices], plan: Plan) -> Iterator[tuple[Indices, Model]]:
    """Each fold that has rows, with a model of every row outside of it."""
    for fold in folds:
        model = _fit(labelled.take(np.setdiff1d(np.arange(len(labelled)), fold)), plan)
        if model is not None and fold.size:
            yield fold, model


def cross_fit(labelled: Labelled, folds: list[Indices], plan: Plan) -> tuple[Indices, Floats]:
    """Out-of-fold probabilities of the audit rows, by models trained on every row outside each fold."""
    held, found = [], []
    for fold, model in _fitted(labelled, folds, plan):
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
        by_chance, by_choice = (right(labelled.take(rows), heldout, plan) for rows in pair)
        found = Twin(len(pair[0]), by_chance, by_choice)
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
