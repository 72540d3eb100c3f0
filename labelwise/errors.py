"""What the service refuses."""

from collections.abc import Mapping
from typing import Any


class LabelwiseError(Exception):
    """A refusal of the service, with what to do about it."""

    def __init__(self, status: int, error: str, detail: str, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{error} ({status}): {detail}" if status else detail)
        self.status = status
        self.error = error
        self.body = dict(body or {})
