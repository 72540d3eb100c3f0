"""Learners: from labelled feature rows to calibrated probabilities."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from app.core.block import Block
from app.core.errors import Invalid
from app.core.plugins import entries
from app.learners.base import Learner, Model
from app.learners.errors import CannotFit, check_fit
from app.learners.given import EXTERNAL, HTTP, OUTSIDE, GivenModel, Scorer
from app.learners.linear import DAMAGED, LinearModel, load_model
from app.learners.logistic import Logistic
from app.learners.ridge import Ridge, left_out

OWN: tuple[type[Any], ...] = (Logistic, Ridge)
LEARNERS: Mapping[str, type[Any]] = entries("learners", OWN)
FEW_LABELS = 1_000  # rows up to which ridge was as good as logistic regression on every set tried, and faster
AFFORDABLE = 5e9  # rows x coordinates x classes up to which logistic regression takes some seconds


def make_learner(name: str, parameters: Mapping[str, Any], block: Block, classes: int) -> Learner:
    """The learner by name.

    `auto` is closed-form ridge up to 1,000 labelled rows (milliseconds, and as accurate), logistic regression
    beyond, and ridge again where logistic regression would take longer than people wait; parameters go to
    whichever has them.

    Raises:
        Invalid: no such learner, a parameter that it does not have, or a value that it cannot take.
    """
    if name == "auto":
        rows = len(block)
        width = min(rows, int(block.dense.shape[1]))
        if block.sparse is not None:
            width += block.sparse.nnz // max(rows, 1)
        name = "logistic" if rows > FEW_LABELS and rows * width * classes <= AFFORDABLE else "ridge"
        own = {field.name for field in fields(LEARNERS[name])}
        parameters = {key: value for key, value in parameters.items() if key in own}
    if name not in LEARNERS:
        raise Invalid(f"there is no learner {name!r}; there are auto, {', '.join(LEARNERS)}")
    known = {field.name: field for field in fields(LEARNERS[name])}
    for parameter, value in parameters.items():
        if parameter not in known:
            raise Invalid(f"learner {name} has no parameter {parameter!r}")
        _check(name, parameter, value, isinstance(known[parameter].default, bool))
    learner: Learner = LEARNERS[name](**parameters)
    return learner


def _check(name: str, parameter: str, value: Any, switch: bool) -> None:
    if switch:
        if not isinstance(value, bool):
            raise Invalid(f"learner {name}: {parameter} is true or false")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"learner {name}: {parameter} is a number")
    elif not math.isfinite(value) or value < 0 or (value == 0 and parameter == "strength"):
        raise Invalid(f"learner {name}: {parameter} is finite and above nought")


__all__ = [
    "DAMAGED",
    "EXTERNAL",
    "HTTP",
    "LEARNERS",
    "OUTSIDE",
    "CannotFit",
    "GivenModel",
    "Learner",
    "LinearModel",
    "Model",
    "Scorer",
    "check_fit",
    "left_out",
    "load_model",
    "make_learner",
]
