"""A learner of constant scores, under which a comparison of strategies has nothing to compare."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from app.core.arrays import Doubles, Floats
from app.core.block import Block
from app.learners import LinearModel, check_fit


@dataclass(frozen=True)
class Constant:
    """Says of every item that all classes are as likely: what it is taught changes nothing."""

    name: ClassVar[str] = "constant"

    def fit(
        self,
        block: Block,
        targets: Floats,
        weights: Doubles,
        *,
        multiple: bool,
        seed: int,
        warm: Any | None = None,
    ) -> LinearModel:
        """A head of noughts; raises CannotFit where the others do."""
        check_fit(targets, multiple)
        width, classes = block.dense.shape[1], targets.shape[1]
        weightless = np.zeros((width, classes), dtype=np.float32)
        return LinearModel(weightless, np.zeros(classes, dtype=np.float32), 1.0, multiple, width)
