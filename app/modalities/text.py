"""Texts."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, ClassVar

from app.core.errors import Invalid, InvalidPayload
from app.core.text import check_text

LIMIT = 1_000_000  # code points, of all candidates of an item together too
CANDIDATES = "candidates"  # the payload's field with the texts that a comparison puts in order
FEWEST, MOST = 2, 10
# Only what carries no meaning goes. Digits, letters with their marks (vowels in many scripts), symbols and emoji stay,
# brackets too (":)" is not ":("), and so does what stands before a digit or belongs to a name, as in "-5", "C#", "5 %".
NO_MEANING = re.compile(
    r"""[\s\u200b\u200e\u200f\ufeff]+ | [.,;:!?"'`´_*…·“”„‘’‚«»‹›¡¿。、「」『』।؟،؛]+ | [-‐‑‒–—](?!\d)""", re.VERBOSE
)


@dataclass(frozen=True)
class Text:
    """A text of at most a million code points that is not blank."""

    name: ClassVar[str] = "text"
    field: ClassVar[str] = "text"
    viewer: ClassVar[str] = "text-item"
    media: ClassVar[str | None] = None
    featurizers: ClassVar[tuple[str, ...]] = ("ngrams", "onnx-text", "client")

    def check(self, payload: Any) -> Any:
        """The text as it came; raises InvalidPayload for anything but text, and for blank texts."""
        if not isinstance(payload, str):
            raise InvalidPayload("text is missing" if payload is None else "text is not a string")
        if not payload.strip():
            raise InvalidPayload("text is empty")
        try:
            return check_text(payload, limit=LIMIT)
        except Invalid as error:
            raise InvalidPayload(str(error)) from None

    def fingerprint(self, payload: Any) -> str:
        """Equal for texts that differ in case, white space, punctuation marks or compatibility forms only."""
        spaced = NO_MEANING.sub(" ", unicodedata.normalize("NFKC", payload).casefold())
        plain = " ".join(spaced.split()) or payload
        return hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()


def check_candidates(given: Any) -> list[str]:
    """The texts that a comparison puts in order, as they came.

    Raises:
        InvalidPayload: not 2 to 10 texts, one that is blank, or more than a million code points in all.
    """
    if not isinstance(given, list) or not FEWEST <= len(given) <= MOST:
        raise InvalidPayload(f"candidates is a list of {FEWEST} to {MOST} texts")
    for place, text in enumerate(given):
        if not isinstance(text, str) or not text.strip():
            raise InvalidPayload(f"candidates[{place}] is {'empty' if isinstance(text, str) else 'not a string'}")
        try:
            check_text(text, what=f"candidates[{place}]", limit=LIMIT)
        except Invalid as error:
            raise InvalidPayload(str(error)) from None
    if sum(map(len, given)) > LIMIT:
        raise InvalidPayload(f"candidates have more than {LIMIT:,} characters in all")
    return given
