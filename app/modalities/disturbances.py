"""Items as they might come in on a bad day: texts with typos, pictures that are blurred, rows with columns missing.

Each disturbance is a fixed one, drawn by the item's own seed: an item is disturbed in the same way in every round.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from app.core.arrays import AnyArray

WORDS_WITH_TYPOS = 0.15  # of the words of four letters and more
MISSING = 0.2  # of a row's cells
SPREADS = 0.5  # standard deviations of a column that are added to a number, by chance
GREY_LEVELS = 25.0  # standard deviation of a picture's noise, of 255
BLUR = 1 / 100  # of the longer side: the radius
DARKER = 0.5
SIDE = 512  # pixels that a picture is reduced to before it is disturbed
LETTERS = "abcdefghijklmnopqrstuvwxyz"

# By name, with what is done in words.
TEXTS: Mapping[str, str] = {
    "typos": "one word in seven with two letters swapped, one left out, doubled or another",
    "casing": "capitals only",
    "punctuation": "without punctuation marks",
}
TABLES: Mapping[str, str] = {
    "missing": "one cell in five left out",
    "noise": "numbers off by half of their column's spread",
    "column": "a whole column left out, the one that costs most",
}
IMAGES: Mapping[str, str] = {
    "noise": "grain of a tenth of the range",
    "blur": "blurred by a hundredth of the longer side, a pixel at least",
    "dark": "half as bright",
}
KINDS: Mapping[str, Mapping[str, str]] = {"text": TEXTS, "table": TABLES, "image": IMAGES}


def texts(kind: str, given: Sequence[str], seeds: Sequence[int]) -> list[str]:
    """The texts disturbed, each by its own seed."""
    done: dict[str, Callable[[str, Generator], str]] = {
        "typos": _with_typos,
        "casing": lambda text, _rng: text.upper(),
        "punctuation": lambda text, _rng: "".join(each for each in text if each.isalnum() or each.isspace()) or text,
    }
    return [done[kind](text or "", np.random.default_rng(seed)) for text, seed in zip(given, seeds, strict=True)]


def tables(
    kind: str, given: Sequence[Mapping[str, Any]], seeds: Sequence[int], numeric: Collection[str] = ()
) -> list[dict[str, Any]]:
    """The rows disturbed, each by its own seed; the spread of a column is that of the given rows.

    Only numbers of `numeric` columns are off: of a column that is read as categories each would be a new category.
    """
    spreads = _spreads(given, numeric) if kind == "noise" else {}
    made = []
    for row, seed in zip(given, seeds, strict=True):
        rng = np.random.default_rng(seed)
        if kind == "missing":
            made.append({name: None if rng.random() < MISSING else value for name, value in row.items()})
        else:
            off = {name: float(rng.normal()) * SPREADS for name in row}
            made.append(
                {
                    name: _moved(value, off[name] * spreads[name]) if name in spreads else value
                    for name, value in row.items()
                }
            )
    return made


def columns(given: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of the rows by name."""
    return sorted({name for row in given for name in row})


def without(column: str, given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows without a column."""
    return [{name: None if name == column else value for name, value in row.items()} for row in given]


def image(kind: str, pixels: AnyArray, seed: int) -> Image.Image:
    """A picture of pixels (h, w, 3) uint8, disturbed; as it is for the kind `plain`."""
    if kind == "blur":
        return Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(max(1.0, BLUR * max(pixels.shape))))
    changed = pixels.astype(np.float32)
    if kind == "dark":
        changed = changed * DARKER
    elif kind == "noise":
        changed += np.random.default_rng(seed).normal(0, GREY_LEVELS, pixels.shape).astype(np.float32)
    return Image.fromarray(np.clip(np.round(changed), 0, 255).astype(np.uint8))


def _with_typos(text: str, rng: Generator) -> str:
    words = text.split(" ")
    return " ".join(_typo(word, rng) if len(word) >= 4 and rng.random() < WORDS_WITH_TYPOS else word for word in words)


def _typo(word: str, rng: Generator) -> str:
    """One slip of the fingers: two letters swapped, one left out, one doubled, one replaced."""
    at = int(rng.integers(0, len(word) - 1))
    before, one, two, after = word[:at], word[at], word[at + 1], word[at + 2 :]
    slips = (two + one, two, one + one + two, LETTERS[int(rng.integers(0, len(LETTERS)))] + two)
    return before + slips[int(rng.integers(0, len(slips)))] + after


def _moved(value: Any, by: float) -> Any:
    number = _number(value)
    return value if number is None else number + by


def _spreads(rows: Sequence[Mapping[str, Any]], numeric: Collection[str]) -> dict[str, float]:
    """The standard deviation of the numbers of each of some columns."""
    found = {}
    for name in numeric:
        values = [number for row in rows if (number := _number(row.get(name))) is not None]
        found[name] = float(np.std(values)) if values else 0.0
    return found


def _number(value: Any) -> float | None:
    """A number, also one that is written as text, as files of comma-separated values have them all."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None
