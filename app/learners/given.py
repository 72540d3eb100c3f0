"""A model that lives outside: its probabilities come with the rows instead of being computed here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from app.core.arrays import Floats
from app.core.block import Block
from app.core.errors import Invalid

EXTERNAL = "external"  # the learner of a project whose model is trained elsewhere, and pushes what it says
HTTP = "http"  # the same, but the service asks it
OUTSIDE = (EXTERNAL, HTTP)
LONGEST_ADDRESS = 2_000
LARGEST_BATCH, LONGEST_SECONDS, LARGEST_POOL = 2_000, 600, 10**9


@dataclass(frozen=True)
class Scorer:
    """How a scorer that answers over HTTP is asked.

    `batch`: items a request at most. `timeout_seconds`: for one request. `most`: a pool of up to so many items is
    scored whole in every round; of a larger one what is new, what is labelled, and the `most` items about which it was
    least sure before. 0: always whole.
    """

    url: str = ""
    batch: int = 256
    timeout_seconds: float = 30
    most: int = 50_000

    @staticmethod
    def of(options: Mapping[str, Any]) -> "Scorer":
        """The checked options of a project's learner. Raises Invalid for one that is unknown or out of range."""
        if unknown := sorted(options.keys() - {field.name for field in fields(Scorer)}):
            raise Invalid(f"learner http has no parameter {str(unknown[0])[:50]!r}", fields={"learner": "unknown"})
        url = options.get("url")
        if not isinstance(url, str) or not url or len(url) > LONGEST_ADDRESS:
            raise Invalid("learner.url is the address of your scorer", fields={"learner.url": "an address"})
        given = Scorer(**options)
        _within("batch", given.batch, 1, LARGEST_BATCH, whole=True)
        _within("timeout_seconds", given.timeout_seconds, 1, LONGEST_SECONDS)
        _within("most", given.most, 0, LARGEST_POOL, whole=True)
        return given


def _within(name: str, value: Any, lowest: int, highest: int, *, whole: bool = False) -> None:
    kind = int if whole else int | float
    fits = isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or not lowest <= value <= highest:
        what = "a whole number" if whole else "a number"
        said = f"{what} from {lowest:,} to {highest:,}"
        raise Invalid(f"learner.{name} is {said}", fields={f"learner.{name}": said})


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
