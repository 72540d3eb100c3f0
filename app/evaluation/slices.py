"""Where the model is worst: slices of the judged items by any column of their metadata, found without being asked for.

Every slice that is large enough is held against the rest of the judged items by Fisher's exact test, one-sided, and the
chances of all slices that were looked at are corrected together by Holm's procedure, however they hang together. People
look after every round, so "worse" is said at a level that falls with the looks as that of the accuracy does
(`sequence.level_of`): of none falsely in any round of a project, with a chance of 95 %. What this look alone would say
at 5 % is "likely" worse, and everything else "cannot tell yet". The intervals are those of Clopper and Pearson at 5 %
divided by the number of slices (Bonferroni): those of the slices of one look hold together, and so do those of their
rests.

Sources: Fisher. The Logic of Inductive Inference. JRSS 1935; Holm. A Simple Sequentially Rejective Multiple Test
Procedure. Scandinavian Journal of Statistics 1979; Clopper, Pearson. Biometrika 1934.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import hypergeom

from app.core.arrays import Booleans, Doubles, Floats
from app.evaluation.intervals import outward
from app.evaluation.sequence import LEVEL, counted, level_of

FEWEST = 10  # judged items in a slice, and outside of it
MOST_COLUMNS = 20  # the ones that most items have
MOST_VALUES = 20  # of a column, the most frequent ones
FEW_NUMBERS = 6  # up to so many different numbers are values of their own; more are cut at their quartiles
QUARTILES = (0.25, 0.5, 0.75)
MOST_NAMED = 200  # values of a column that was asked for
SHOWN = 5
EXACT = 2**53  # up to which every whole number is a float
LONGEST = 200  # characters of a value; longer texts are no categories


@dataclass(frozen=True)
class Cut:
    """What tells a slice from the rest: a column and its value, or the half-open range of its numbers, or its lack."""

    column: str
    value: str | float | bool | None = None
    low: float | None = None  # included
    high: float | None = None  # not included
    missing: bool = False

    def to_json(self) -> dict[str, Any]:
        """The parts that say something."""
        if self.missing:
            return {"column": self.column, "missing": True}
        if self.low is None and self.high is None:
            return {"column": self.column, "value": self.value}
        return {"column": self.column, "low": self.low, "high": self.high}


def worst(hits: Floats | Doubles, columns: Mapping[str, Sequence[Any]], look: int = 1) -> dict[str, Any] | None:
    """The slices with the lowest accuracy against the rest, the surest first; None where no slice is large enough.

    `hits` (n,) in [0, 1] say how right the model is about each judged item; one whose answers disagree counts as right
    from one half on. `columns` hold n values each: texts and truths are categories, numbers are cut at their quartiles,
    None is missing. `look` is the number of this look at the project's judges. `looked_at` counts the slices that the
    correction is for, `left_out` the columns and values beyond the bounds. Cost:
    O(n columns), at most 20 columns of 21 slices.
    """
    right = np.asarray(hits, dtype=np.float64) >= 0.5
    n = len(right)
    kept = sorted(columns, key=lambda name: (sum(each is None for each in columns[name]), name))[:MOST_COLUMNS]
    found: dict[bytes, tuple[Cut, Booleans]] = {}
    left_out = len(columns) - len(kept)
    for name in kept:
        cuts, beyond = _cuts(name, columns[name], FEWEST, MOST_VALUES)
        left_out += beyond
        for cut, inside in cuts:
            if FEWEST <= int(inside.sum()) <= n - FEWEST:
                found.setdefault(inside.tobytes(), (cut, inside))
    if not found:
        return None
    slices = list(found.values())
    chances = [_chance(right, inside) for _, inside in slices]
    corrected = holm(chances)
    rows = [
        _row(cut, right, inside, chance, len(slices)) | {"worse": bool(chance <= level_of(look))}
        for (cut, inside), chance in zip(slices, corrected, strict=True)
    ]
    order = sorted(range(len(rows)), key=lambda at: (corrected[at], chances[at], rows[at]["accuracy"]["value"]))
    lower = [rows[at] for at in order if rows[at]["accuracy"]["value"] < rows[at]["rest"]["value"]]
    worse, likely = (sum(row[name] for row in lower) for name in ("worse", "likely"))
    shown = lower[: max(SHOWN, likely)]
    return {"looked_at": len(slices), "left_out": left_out, "worse": worse, "likely": likely, "worst": shown}


def along(
    hits: Floats | Doubles, name: str, values: Sequence[Any]
) -> tuple[list[tuple[dict[str, Any], Booleans]], int]:
    """Every slice by one column, small ones too, with its members (n,); and how many values are beyond the bound.

    Intervals and chances hold together for the slices of this column at this look, not for other columns that somebody
    may look at as well. The most frequent values come first, numbers in their order, what is missing last. `rest` is
    null where no item is outside. Cost: O(n slices), at most 200 and some ranges.
    """
    right = np.asarray(hits, dtype=np.float64) >= 0.5
    cuts, beyond = _cuts(name, values, 1, MOST_NAMED)
    slices = [(cut, inside) for cut, inside in cuts if inside.any()]
    corrected = holm([_chance(right, inside) for _, inside in slices])
    rows = [
        (_row(cut, right, inside, chance, len(slices)), inside)
        for (cut, inside), chance in zip(slices, corrected, strict=True)
    ]
    return rows, beyond


def holm(chances: Sequence[float]) -> list[float]:
    """Chances corrected together, (n,): at most the level for those that Holm's procedure refuses at this level."""
    corrected = [0.0] * len(chances)
    reached = 0.0
    for place, at in enumerate(sorted(range(len(chances)), key=lambda each: chances[each])):
        reached = max(reached, min(1.0, (len(chances) - place) * chances[at]))
        corrected[at] = reached
    return corrected


def _chance(right: Booleans, inside: Booleans) -> float:
    """The chance of so few right ones in the slice were it like the rest: Fisher's exact test, one-sided."""
    return float(hypergeom.cdf(int(right[inside].sum()), len(right), int(right.sum()), int(inside.sum())))


def _row(cut: Cut, right: Booleans, inside: Booleans, chance: float, slices: int) -> dict[str, Any]:
    n, good = int(inside.sum()), int(right[inside].sum())
    low, high = counted(good, n, LEVEL / slices)
    others = int((~inside).sum())
    return cut.to_json() | {
        "accuracy": {"value": round(good / n, 4), **outward(low, high), "n": n},
        "rest": _rest(int(right[~inside].sum()), others, LEVEL / slices) if others else None,
        "wrong": n - good,
        "chance": float(f"{chance:.3g}"),
        "likely": bool(chance <= LEVEL),
    }


def _rest(good: int, n: int, level: float) -> dict[str, Any]:
    return {"value": round(good / n, 4), **outward(*counted(good, n, level)), "n": n}


def _cuts(name: str, values: Sequence[Any], fewest: int, most: int) -> tuple[list[tuple[Cut, Booleans]], int]:
    """The slices of one column with their members (n,), and how many values are beyond the bound."""
    cuts, beyond = _categories(name, values, fewest, most)
    cuts += _ranges(name, np.array([_number(each) for each in values], dtype=np.float64))
    cuts.append((Cut(name, missing=True), np.array([each is None for each in values], dtype=np.bool_)))
    return cuts, beyond


def _categories(name: str, values: Sequence[Any], fewest: int, most: int) -> tuple[list[tuple[Cut, Booleans]], int]:
    texts = [
        each if isinstance(each, bool) or (isinstance(each, str) and len(each) <= LONGEST) else None for each in values
    ]
    counts = Counter(each for each in texts if each is not None)
    large = sorted((each for each in counts if counts[each] >= fewest), key=lambda each: (-counts[each], str(each)))
    kept = [(Cut(name, each), np.array([text is not None and text == each for text in texts])) for each in large]
    return kept[:most], max(0, len(large) - most)


def _ranges(name: str, numbers: Doubles) -> list[tuple[Cut, Booleans]]:
    present = numbers[~np.isnan(numbers)]
    different = np.unique(present)
    if len(different) <= FEW_NUMBERS:
        return [(Cut(name, float(each)), np.asarray(numbers == each)) for each in different]
    edges = np.unique(np.quantile(present, QUARTILES, method="higher"))
    return list(_between(name, numbers, [float(each) for each in edges if each > different[0]]))


def _between(name: str, numbers: Doubles, edges: list[float]) -> Iterator[tuple[Cut, Booleans]]:
    for low, high in zip([None, *edges], [*edges, None], strict=True):
        inside = ~np.isnan(numbers)
        inside &= numbers >= low if low is not None else True
        inside &= numbers < high if high is not None else True
        yield Cut(name, low=low, high=high), np.asarray(inside, dtype=np.bool_)


def _number(value: Any) -> float:
    """A finite number as it is, anything else as none, and so a whole number that no float is: no filter finds it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    if isinstance(value, int) and abs(value) > EXACT:
        return math.nan
    return float(value) if math.isfinite(value) else math.nan
