"""Rows of exports and snapshots."""

import json
from collections.abc import Iterator
from typing import Any

from labelwise.errors import LabelwiseError


class Labels:
    """Rows of an export, read as they come."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rest = b""
        for piece in self._pieces:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield json.loads(line)
        if rest:
            yield json.loads(rest)

    def to_pandas(self) -> Any:
        """A data frame; needs pandas."""
        try:
            import pandas  # type: ignore[import-not-found, unused-ignore]  # optional
        except ModuleNotFoundError:
            raise LabelwiseError(0, "NoPandas", "pip install pandas") from None
        return pandas.DataFrame(list(self))
