"""The contract of learners: fit feature rows, give probabilities, write themselves to a file without code."""

from pathlib import Path
from typing import Any, ClassVar, Protocol

from app.core.arrays import Doubles, Floats
from app.core.block import Block


class Model(Protocol):
    """A fitted head: immutable, cheap to score, and a plain dict of arrays when saved."""

    @property
    def classes(self) -> int:
        """How many columns the probabilities have."""
        ...

    @property
    def multiple(self) -> bool:
        """Whether several classes may hold."""
        ...

    def probabilities(self, block: Block) -> Floats:
        """(n, c) float32: rows sum to one, or are independent in [0, 1] where several classes may hold."""
        ...

    def save(self, path: Path) -> None:
        """Write one .npz without pickles. `learners.load_model` reads a linear head back, for the next warm start; a
        model of another kind starts each round anew."""
        ...


class Learner(Protocol):
    """How a model is fitted; a frozen dataclass whose fields are its parameters."""

    name: ClassVar[str]

    def fit(
        self,
        block: Block,
        targets: Floats,
        weights: Doubles,
        *,
        multiple: bool,
        seed: int,
        warm: Any | None = None,
    ) -> Model:
        """Fit targets (n, c) with row weights (n,); `warm` is an earlier Model of the same classes or None."""
        ...
