"""The contract of featurizers: payloads in, vectors out, resumable and the same on every machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from app.core.block import Block


class Featurizer(Protocol):
    """Maps payloads to a Block; a frozen dataclass whose fields are its parameters."""

    name: ClassVar[str]
    modality: ClassVar[str]

    @property
    def version(self) -> str:
        """Names the shards on disk: changes whenever the vectors would."""
        ...

    def fit(self, payloads: Sequence[Any]) -> Any:
        """Learn what needs a sample of the pool (document frequencies, a projection, column types); seeded."""
        ...

    def transform(self, payloads: Sequence[Any], state: Any) -> Block:
        """Vectors for payloads, one row each in order; a payload that cannot be read gives a row of zeros."""
        ...

    def save(self, state: Any, path: Path) -> None:
        """Write the state as .npz or .json without pickles."""
        ...

    def load(self, path: Path) -> Any:
        """Read what `save` wrote."""
        ...
