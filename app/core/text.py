"""The boundary for text and JSON: what passes here can be stored, listed and exported on both databases.

One accepted NUL, lone surrogate or NaN would break every later list of the project, so nothing enters the
service except through these functions.
"""

import json
import math
import re
import unicodedata
from typing import Any

import orjson

from app.core.errors import BadSyntax, Invalid

INT64_MAX = 2**63 - 1
MAX_DEPTH = 64
MAX_KEYS = 1_000
LONGEST_KEY = 1_000  # characters
LONG_TEXT = 1_000_000
SHORT_BODY = 1_000  # bytes
LONG_NUMBER = re.compile(rb"[0-9]{19}")


def fold(name: str) -> str:
    """The form in which names are compared: NFC, case-folded, outer white space removed."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def check_text(value: str, *, what: str = "text", limit: int = LONG_TEXT) -> str:
    """Return the text if a database can hold it; raise Invalid naming `what` otherwise.

    `limit` counts Unicode code points.
    """
    if len(value) > limit:
        raise Invalid(f"{what} is longer than {limit:,} characters")
    if "\x00" in value:
        raise Invalid(f"{what} holds a NUL character")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Invalid(f"{what} holds half of a surrogate pair at position {error.start}") from None
    return value


def check_json(value: Any, *, what: str = "value", depth: int = MAX_DEPTH) -> Any:
    """Return a JSON value if both databases can hold it; raise Invalid naming the place otherwise.

    Refused: NUL and lone surrogates, NaN and infinities, integers outside int64, more than `depth` levels,
    objects of more than 1,000 keys.
    """
    _check(value, (None, what), depth)
    return value


Place = tuple[Any, str | int]  # the place around it, and the key or position in there; put into words for a fault only


def _words(place: Place) -> str:
    parts: list[str] = []
    around: Any = place
    while around is not None:
        around, inner = around
        parts.append(f"[{inner}]" if isinstance(inner, int) else f".{inner[:80]}")
    return "".join(reversed(parts)).removeprefix(".")


def _check(value: Any, place: Place, depth: int) -> None:
    if isinstance(value, str):
        if not value.isascii() or "\x00" in value or len(value) > LONG_TEXT:
            check_text(value, what=_words(place))
    elif isinstance(value, dict | list):
        if depth <= 0:
            raise Invalid(f"{_words(place)} is nested too deeply")
        if isinstance(value, dict):
            _check_object(value, place, depth)
        else:
            for position, element in enumerate(value):
                _check(element, (place, position), depth - 1)
    elif value is not None and not isinstance(value, bool):
        _check_number(value, place)


def _check_number(value: Any, place: Place) -> None:
    if not isinstance(value, int | float):
        raise Invalid(f"{_words(place)} is not JSON")
    if isinstance(value, float) and not math.isfinite(value):
        raise Invalid(f"{_words(place)} is not a finite number")
    if isinstance(value, int) and not -INT64_MAX - 1 <= value <= INT64_MAX:
        raise Invalid(f"{_words(place)} is an integer beyond 64 bits")


def _check_object(value: dict[Any, Any], place: Place, depth: int) -> None:
    if len(value) > MAX_KEYS:
        raise Invalid(f"{_words(place)} has more than {MAX_KEYS:,} keys")
    for name, element in value.items():
        if not isinstance(name, str):
            raise Invalid(f"{_words(place)} has a key that is not text")
        if not name.isascii() or "\x00" in name or len(name) > LONGEST_KEY:
            check_text(name, what=f"a key of {_words(place)}", limit=LONGEST_KEY)
        _check(element, (place, name), depth - 1)


def parse_json(body: bytes) -> Any:
    """Parse UTF-8 JSON strictly and no more, for answers whose values are looked at one by one and not stored.

    Raises ValueError: not JSON, NaN or Infinity in it, half of a surrogate pair, or nested too deeply.
    """
    return orjson.loads(body)


def read_json(body: bytes, *, what: str = "body") -> Any:
    """Parse UTF-8 JSON strictly and check it; raise BadSyntax with the place of the fault."""
    try:
        value = orjson.loads(body)
        if LONG_NUMBER.search(body):  # orjson turns integers beyond 64 bits into floats: read them again, as they are
            value = json.loads(body)
    except json.JSONDecodeError as error:
        raise BadSyntax(f"{what} is not valid JSON: {error.msg} at character {error.pos}") from None
    except (RecursionError, ValueError):
        raise BadSyntax(f"{what} is not valid JSON: nested too deeply, or a number without end") from None
    return value if _surely_plain(body) else check_json(value, what=what)


def _surely_plain(body: bytes) -> bool:
    """Whether text that was parsed strictly cannot hold anything that `check_json` refuses; most short rows cannot."""
    return (
        len(body) <= SHORT_BODY  # so neither too many keys nor too long ones
        and b"\\u" not in body
        and body.count(b"[") + body.count(b"{") < MAX_DEPTH
        and LONG_NUMBER.search(body) is None
    )


def write_json(value: Any) -> str:
    """Compact JSON text, for the databases' JSON columns and for streams."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z).decode()
