"""Learners: from labelled feature rows to calibrated probabilities."""

from collections.abc import Mapping
from typing import Any

from app.core.block import Block
from app.core.errors import Invalid
from app.learners.base import Learner, Model
from app.learners.errors import CannotFit
from app.learners.linear import LinearModel, load_model
from app.learners.logistic import Logistic
from app.learners.ridge import Ridge

LEARNERS: Mapping[str, type[Any]] = {"logistic": Logistic, "ridge": Ridge}
FEW_LABELS = 1_000  # rows up to which ridge was as good as logistic regression on every set tried, and faster
AFFORDABLE = 5e9  # rows x coordinates x classes up to which logistic regression takes some seconds


def make_learner(name: str, parameters: Mapping[str, Any], block: Block, classes: int) -> Learner:
    """The learner by name.

    `auto` is closed-form ridge up to 1,000 labelled rows (milliseconds, and as accurate), logistic regression
    beyond, and ridge again where logistic regression would take longer than people wait.

    Raises:
        Invalid: no such learner, or a parameter that it does not have.
    """
    if name == "auto":
        rows = len(block)
        width = rows if block.sparse is not None else min(rows, int(block.dense.shape[1]))
        name = "logistic" if rows > FEW_LABELS and rows * width * classes <= AFFORDABLE else "ridge"
    if name not in LEARNERS:
        raise Invalid(f"there is no learner {name!r}; there are auto, {', '.join(LEARNERS)}")
    try:
        learner: Learner = LEARNERS[name](**parameters)
    except TypeError as error:
        raise Invalid(f"learner {name}: {error}") from None
    return learner


__all__ = ["LEARNERS", "CannotFit", "Learner", "LinearModel", "Model", "load_model", "make_learner"]
