"""Why a learner cannot fit."""

import numpy as np

from app.core.arrays import Floats


class CannotFit(Exception):
    """The labels do not allow a model yet; the message says why."""


def check_fit(targets: Floats, multiple: bool) -> None:
    """Raise CannotFit without labels, or where every label says the same."""
    if targets.shape[0] == 0:
        raise CannotFit("no labels so far")
    if not np.isfinite(targets).all():
        raise CannotFit("a label is not a number")
    present = targets.sum(axis=0) > 0
    if multiple:
        if not ((targets > 0) & present).any() or bool((targets == targets[0]).all()):
            raise CannotFit("every label so far says the same")
    elif present.sum() < 2:
        raise CannotFit("only one class so far")
