"""Bodies of requests: files in pieces, rows as lines of JSON."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

PIECE = 1 << 18


def pieces(path: Path) -> Iterator[bytes]:
    """A file piece by piece."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def requests(rows: Iterable[Mapping[str, Any]], at_once: int) -> Iterator[tuple[int, list[bytes]]]:
    """Bodies of at most `at_once` rows, each with the number of rows before it."""
    before, body = 0, []
    for row in rows:
        body.append(_line(row))
        if len(body) == at_once:
            yield before, body
            before, body = before + at_once, []
    if body:
        yield before, body


def records(frame: Any) -> Iterator[dict[str, Any]]:
    """Rows of a data frame; what it calls not a number is a missing value."""
    for row in frame.to_dict("records"):
        yield {name: None if isinstance(value, float) and value != value else value for name, value in row.items()}


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(row), ensure_ascii=False, default=_plain).encode("utf-8", "surrogatepass") + b"\n"


def _plain(value: Any) -> Any:
    """Numbers and vectors of numpy as JSON has them, everything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def counted(body: Iterator[bytes], progress: Callable[[int], Any] | None) -> Iterator[bytes]:
    """A body, with its bytes told as they go."""
    for piece in body:
        yield piece
        if progress is not None:
            progress(len(piece))


def pause(told: str | float) -> float:
    """Seconds that the service asks to wait by its header `Retry-After`, 0 where it says none."""
    try:
        return max(0.0, float(told))
    except ValueError:
        return 0.0
