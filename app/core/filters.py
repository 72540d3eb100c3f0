"""The one filter grammar of lists, exports and slices of the queue.

`status=answered&class=Sports&metadata.source=web&predicted.probability:<0.6&q=words`: parts joined by `&`, each a
name with `=` and a value or with `:<`, `:<=`, `:>`, `:>=` and a number, percent-encoded as in an address. A name given
several times with `=` means any of its values, but every `q` and every comparison must hold.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from app.core.errors import Invalid
from app.core.text import check_text

CHOICES: Mapping[str, tuple[str, ...]] = {
    "status": ("open", "answered", "skipped", "stuck", "flagged", "excluded", "fetching", "failed", "test"),
    "state": ("open", "excluded", "fetching", "failed"),
    "split": ("pool", "audit"),
    "kind": ("query", "audit", "gold", "review", "stream", "synthetic", "random", "import"),
    "disputed": ("true",),
    "doubtful": ("true",),
    "drifted": ("true",),
    "queued": ("true",),
}
TEXTS = ("key", "q", "class", "predicted.class", "annotator", "answered_after", "answered_before", "missing")
_ROUND, _PAIR = r"[1-9][0-9]{0,8}", r"[1-9][0-9]{0,8}:[1-9][0-9]{0,8}"
_WHICH = r"right|wrong|sure:[0-9]|from:[0-9]{1,9}:[01](\.[0-9]{1,6})?|[0-9]{1,9}(:[0-9]{1,9})?"
SHAPES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "learned": (re.compile(r"[0-9]{1,9}", re.ASCII), "the number of a round"),
    "judged": (
        re.compile(rf"{_ROUND}(:({_WHICH}))?", re.ASCII),
        "the number of a round, as 7, 7:right, 7:wrong, 7:1 for class 1, 7:1:2 for class 1 taken for class 2, 7:sure:3 "
        "for what it said with 30 to 40 %, or 7:from:1:0.6 for what it gives class 1 with 0.6 or more",
    ),
    "broken": (
        re.compile(rf"{_ROUND}:[a-z]{{1,20}}", re.ASCII),
        "the number of a round and a kind of disturbance, as 7:typos",
    ),
    "moved": (
        re.compile(rf"{_PAIR}(:[0-9]{{1,9}}:[0-9]{{1,9}})?", re.ASCII),
        "two rounds, as 3:7, or 3:7:1:2 for what went from class 1 to class 2",
    ),
    "gained": (re.compile(_PAIR, re.ASCII), "two rounds, as 3:7"),
    "lost": (re.compile(_PAIR, re.ASCII), "two rounds, as 3:7"),
    "taught": (re.compile(_PAIR, re.ASCII), "two rounds, as 3:7"),
}
LENGTH = "text.length"
NUMBERS = ("predicted.probability", LENGTH)
METADATA = "metadata."
FIELDS = (*CHOICES, *TEXTS, *SHAPES, *NUMBERS, f"{METADATA}<name>")

MAX_CHARACTERS = 200_000  # 200 keys of 512 bytes, percent-encoded, and some more
MAX_PARTS = 250
MAX_KEYS = 200
MAX_VALUE = 1_000  # characters
MAX_WORDS = 10  # of all `q` together
COMPARED = re.compile(r"(.*):(<=|>=|<|>)(.*)", re.DOTALL)
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Condition:
    """A field and what it must be: any of `values` where the operator is `=`, else on that side of `number`."""

    name: str
    operator: str
    values: tuple[str, ...] = ()
    number: float = 0.0

    @property
    def metadata(self) -> str | None:
        """The name in the metadata that is asked about; None for other fields."""
        return self.name.removeprefix(METADATA) if self.name.startswith(METADATA) else None


@dataclass(frozen=True)
class Filter:
    """What must all hold of an item."""

    conditions: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.conditions)

    @property
    def names(self) -> list[str]:
        """The fields that are asked about, in the order in which they were named."""
        return [each.name for each in self.conditions]


def parse(text: str, *, but: Iterable[str] = ()) -> Filter:
    """Read a filter; parts with the names `but` are left to others (a list's own `sort`, `limit`, `cursor`).

    O(length). Raises Invalid naming the field for an unknown name, a value that is none of its values, or a
    comparison with something that is no number.
    """
    if len(text) > MAX_CHARACTERS:
        raise Invalid(f"the filter is longer than {MAX_CHARACTERS:,} characters", fields={"filter": "too long"})
    parts = [part for part in text.split("&") if part]
    if len(parts) > MAX_PARTS:
        raise Invalid(f"the filter has more than {MAX_PARTS} parts", fields={"filter": "too many parts"})
    leave = set(but)
    equal: dict[str, list[str]] = {}
    compared: list[Condition] = []
    for part in parts:
        name, operator, value = _split(part)
        if operator == "=" and name in leave:
            continue
        if operator == "=":
            equal.setdefault(name, []).append(_checked(name, value))
        else:
            compared.append(Condition(name, operator, number=_number(name, value)))
    conditions = (*(Condition(name, "=", tuple(values)) for name, values in equal.items()), *compared)
    _check_counts(equal)
    return Filter(conditions)


def words(given: Iterable[str]) -> list[str]:
    """The words of a text search; all of them must occur."""
    return [word for text in given for word in text.split()]


def _split(part: str) -> tuple[str, str, str]:
    """Name, operator and value of one part. `a:<=1` holds an equals sign that is no separator."""
    left, equals, right = part.partition("=")
    name, value = _decoded(left), _decoded(right)
    if equals and name.endswith((":<", ":>")):
        return name[:-2], f"{name[-1]}=", value
    found = COMPARED.fullmatch(name)
    if found and value == "":  # the whole comparison is the name where a library wrote the address
        return found[1], found[2], found[3]
    if not equals:
        shown = name[:80]
        raise Invalid(f"{shown!r} is no filter: write name=value or name:<number", fields={shown: "not a filter"})
    return name, "=", value


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeError:
        raise Invalid("the filter is not percent-encoded UTF-8", fields={"filter": "not UTF-8"}) from None


def _checked(name: str, value: str) -> str:
    """The value of `name=value`, if there is such a field and it may be that."""
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise Invalid(f"{name} is one of {', '.join(CHOICES[name])}", fields={name: "unknown value"})
        return value
    if name in SHAPES and not SHAPES[name][0].fullmatch(value):
        raise Invalid(f"{name} is {SHAPES[name][1]}", fields={name: "not that"})
    if name in NUMBERS:
        raise Invalid(f"{name} is compared, as {name}:<0.6", fields={name: "compare it with a number"})
    _known(name)
    if not value.strip() and name in TEXTS:
        raise Invalid(f"{name} is empty", fields={name: "empty"})
    return check_text(value, what=name[:80], limit=MAX_VALUE)


def _number(name: str, value: str) -> float:
    if name not in NUMBERS:
        _known(name)
        if not name.startswith(METADATA):
            raise Invalid(f"{name} is not compared: write {name}=value", fields={name: "not a number"})
    number = float(value) if NUMBER.fullmatch(value) else math.nan
    if not math.isfinite(number):
        raise Invalid(f"{name[:80]} is compared with a number", fields={name[:80]: "not a number"})
    return number


def _known(name: str) -> None:
    check_text(name, what="the name of a field", limit=MAX_VALUE)
    if name in TEXTS or name in CHOICES or name in SHAPES or (name.startswith(METADATA) and name != METADATA):
        return
    shown = name[:80]
    raise Invalid(f"unknown field {shown!r}; there are {', '.join(FIELDS)}", fields={shown: "unknown"})


def _check_counts(equal: Mapping[str, list[str]]) -> None:
    if len(equal.get("key", ())) > MAX_KEYS:
        raise Invalid(f"{MAX_KEYS} keys at once at most", fields={"key": "too many"})
    if len(words(equal.get("q", ()))) > MAX_WORDS:
        raise Invalid(f"q has more than {MAX_WORDS} words", fields={"q": "too many words"})
