"""A model that lives outside: its probabilities come with the rows instead of being computed here."""

from dataclasses import dataclass
from pathlib import Path

from app.core.arrays import Floats
from app.core.block import Block

EXTERNAL = "external"  # the learner of a project whose model is trained elsewhere


@dataclass(frozen=True)
class GivenModel:
    """Says of each row what was pushed for it; rows without a prediction must be left out before."""

    classes: int
    multiple: bool

    def probabilities(self, block: Block) -> Floats:
        """(n, c) float32, as they came with the rows."""
        assert block.given is not None
        return block.given

    def save(self, path: Path) -> None:
        """There is nothing to keep: the predictions lie in their own shards."""
