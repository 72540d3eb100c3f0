"""Two learners that were given the same labels, each judged on the same items, none of which taught it."""

from dataclasses import replace
from typing import Any

import numpy as np

from app.learners import CannotFit, make_learner
from app.loop.auditing import Answers
from app.loop.evaluate import FEWEST_AUDIT, cross_fit
from app.loop.guarding import folds_of
from app.loop.propose import Labelled, Plan


def judged(
    labelled: Labelled, heldout: Labelled | None, plan: Plan, learner: str, parameters: dict[str, Any]
) -> dict[str, Answers]:
    """What a learner with its parameters says of the items that judge it, by stratum, as a round of the plan would.

    The folds are cut by the plan's seed, so two learners of one plan are judged on the same items. Of the audit answers
    each is said by a learner that it did not teach: by cross-fitting, or where they are kept `apart` by one of all
    others. A stratum with too few answers, or that the learner cannot be fitted for, is left out. Costs up to six fits.
    """
    plan = replace(plan, learner=learner, learner_parameters=parameters)
    audits = np.flatnonzero(labelled.audit)
    taught = labelled.take(np.flatnonzero(~labelled.audit)) if plan.apart else labelled
    found: dict[str, Answers] = {}
    if heldout is not None and len(heldout) and (said := _said(taught, heldout, plan)) is not None:
        found["imported"] = Answers(heldout.ids[:, 0], said, heldout.targets, np.empty(0))
    if audits.size < FEWEST_AUDIT:
        return found
    if plan.apart:
        rows, told = audits, _said(taught, labelled.take(audits), plan)
    else:
        rows, told = cross_fit(labelled, folds_of(labelled, plan), plan)
    if told is not None and rows.size:
        found["audit"] = Answers(labelled.ids[rows, 0], told, labelled.targets[rows], np.empty(0))
    return found


def _said(taught: Labelled, judges: Labelled, plan: Plan) -> Any:
    """A learner's probabilities (n, c) of the judges; None where it cannot be fitted."""
    try:
        learner = make_learner(plan.learner, plan.learner_parameters, taught.block, len(plan.classes))
        model = learner.fit(taught.block, taught.targets, taught.weights, multiple=plan.multiple, seed=plan.seed)
    except CannotFit:
        return None
    return model.probabilities(judges.block)
