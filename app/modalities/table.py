"""Rows of a table."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any, ClassVar

from app.core.errors import Invalid, InvalidPayload
from app.core.text import check_json, write_json

MAX_COLUMNS = 1_000


@dataclass(frozen=True)
class Table:
    """An object of columns to single values; a missing value is null."""

    name: ClassVar[str] = "table"
    field: ClassVar[str] = "row"
    viewer: ClassVar[str] = "table-item"
    media: ClassVar[str | None] = None
    featurizers: ClassVar[tuple[str, ...]] = ("columns", "client")

    def check(self, payload: Any) -> Any:
        """The row; raises InvalidPayload for nested values, no columns, or more than 1,000 of them."""
        if not isinstance(payload, dict) or not payload:
            raise InvalidPayload("row is an object of columns")
        if len(payload) > MAX_COLUMNS:
            raise InvalidPayload(f"row has more than {MAX_COLUMNS:,} columns")
        for column, value in payload.items():
            if not isinstance(column, str) or not column.strip():
                raise InvalidPayload("row has a column without a name")
            if isinstance(value, dict | list):
                raise InvalidPayload(f"row.{column[:80]} is not a single value")
            if isinstance(value, float) and not math.isfinite(value):
                raise InvalidPayload(f"row.{column[:80]} is not a finite number")
        try:
            return check_json(payload, what="row")
        except Invalid as error:
            raise InvalidPayload(str(error)) from None

    def fingerprint(self, payload: Any) -> str:
        """Equal for rows with the same values."""
        return hashlib.blake2b(write_json(sorted(payload.items())).encode(), digest_size=16).hexdigest()
