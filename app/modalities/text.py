"""Texts."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, ClassVar

from app.core.errors import InvalidPayload
from app.core.text import check_text

SPACE_AND_MARKS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Text:
    """A text of at most a million code points that is not blank."""

    name: ClassVar[str] = "text"
    field: ClassVar[str] = "text"
    viewer: ClassVar[str] = "text-item"
    featurizers: ClassVar[tuple[str, ...]] = ("ngrams", "onnx-text", "client")

    def check(self, payload: Any) -> Any:
        """The text as it came; raises InvalidPayload for anything but text, and for blank texts."""
        if not isinstance(payload, str):
            raise InvalidPayload("text is missing" if payload is None else "text is not a string")
        if not payload.strip():
            raise InvalidPayload("text is empty")
        return check_text(payload)

    def fingerprint(self, payload: Any) -> str:
        """Equal for texts that differ in case, white space, punctuation or compatibility forms only."""
        plain = SPACE_AND_MARKS.sub(" ", unicodedata.normalize("NFKC", payload).casefold()).strip() or payload
        return hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()
