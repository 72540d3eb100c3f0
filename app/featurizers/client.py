"""The client's own vectors, pushed with the items."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from app.core.block import Block
from app.featurizers.dense import unit_rows


@dataclass(frozen=True)
class ClientVectors:
    """Vectors as they were pushed, scaled to unit length; the first ones set the width."""

    name: ClassVar[str] = "client"
    modality: ClassVar[str] = "any"

    @property
    def version(self) -> str:
        """There is one way to take a vector as it is."""
        return "client-1"

    def fit(self, payloads: Sequence[Any]) -> int:
        """The width of the vectors: that of the first one."""
        return next((len(vector) for vector in payloads if vector is not None), 1)

    def transform(self, payloads: Sequence[Any], state: int) -> Block:
        """Dense (n, width); no vector gives a row of zeros, one of another width, which no push takes, ValueError."""
        rows = np.zeros((len(payloads), state), dtype=np.float32)
        for row, vector in enumerate(payloads):
            if vector is None:
                continue
            if len(vector) != state:
                raise ValueError(f"a vector has {len(vector)} numbers instead of {state}")
            rows[row] = vector
        return Block(unit_rows(rows))

    def save(self, state: int, path: Path) -> None:
        """Write the width."""
        path.write_text(str(state))

    def load(self, path: Path) -> int:
        """Read the width."""
        return int(path.read_text())
