"""The contract of formats: bytes to rows and back, streaming; a row never needs the whole file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar, Protocol


@dataclass(frozen=True)
class ReadRow:
    """One row of a file: its 1-based line (or row) number and either its fields or what is wrong with it."""

    line: int
    fields: dict[str, Any] | None
    error: str | None = None


class Format(Protocol):
    """One file format."""

    name: ClassVar[str]
    media_type: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    def read(self, file: BinaryIO, *, max_line_bytes: int) -> Iterator[ReadRow]:
        """Rows in file order; a broken row is a ReadRow with an error, a broken file raises InvalidFile."""
        ...

    def write(self, rows: Iterator[dict[str, Any]], file: BinaryIO) -> None:
        """Write rows as they come, in bounded memory."""
        ...
