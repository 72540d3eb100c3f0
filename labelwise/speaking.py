"""What the parts of the client ask of the client itself."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol


class Speaking(Protocol):
    """What speaks to the service."""

    def call(
        self, method: str, path: str, *, content: Callable[[], Iterator[bytes]] | None = None, **options: Any
    ) -> Any:
        """One request."""
        ...

    def stream(self, path: str) -> Iterator[bytes]:
        """A body piece by piece."""
        ...
