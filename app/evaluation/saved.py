"""Labels saved: how many chosen labels teach what so many random ones taught in the same project."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from app.core.arrays import Floats
from app.evaluation.sequence import hedged, level_of

LEVEL = 0.10  # all intervals of a project hold together in 90 of 100
FEWEST_JUDGES = 40
GROWTH = 1.5  # so many times the judges of the look before are a reason for another


@dataclass(frozen=True)
class Comparison:
    """How right learners are on the same n audit answers, which none of them saw: (n,) in [0, 1] each.

    `random` is the mean of learners of random labels, of several sizes up to `labels`; `chosen[ratio]` the mean of
    learners of the first chosen labels, of as many sizes, each `ratio` times as large.
    """

    labels: int
    random: Floats
    chosen: Mapping[float, Floats]


@dataclass(frozen=True)
class Saved:
    """What the looks so far found: with `labels` random ones, `low` to `high` labels would have been saved.

    Both are null until a look could bound them; `value` is the plain comparison of the same look. A look is taken when
    the judges are half as many more as at the one before; look k takes 0.10 k^-1.3 / zeta(1.3) of the chance of
    failing, so what was found stays true beside what is found later.

    `classes` are those of the question that it is about, and `since` is the newest answer before that question drove
    the choice, 0 where it always did. `apart`: no audit answer taught a learner that chose for it.
    """

    looks: int = 0
    judged: int = 0
    labels: int | None = None
    value: int | None = None
    low: int | None = None
    high: int | None = None
    round: int | None = None
    classes: tuple[int, ...] = ()
    since: int = 0
    apart: bool = True

    def asked_of(self, classes: Sequence[int], newest: int, *, apart: bool) -> "Saved":
        """As a round takes it over, with its classes and its newest answer.

        Where none of the classes is one of those before, another question drives the choice: nothing is known of it,
        and only answers that come now were chosen for it. The looks go on, for all of a project's hold together.
        """
        if not self.classes or set(self.classes) & set(classes):
            return replace(self, classes=tuple(classes), apart=self.apart and apart)
        return Saved(looks=self.looks, classes=tuple(classes), since=newest, apart=apart)

    @property
    def next_at(self) -> int:
        """From how many audit answers on the next look is taken."""
        return max(FEWEST_JUDGES, math.ceil(GROWTH * self.judged))

    def waits_for(self, judges: int) -> bool:
        """Whether so many audit answers are a reason to look."""
        return judges >= self.next_at

    def after(self, found: Comparison, number: int) -> "Saved":
        """What is known after a look in round `number`; an earlier finding stays where this look tells less."""
        looks, judged = self.looks + 1, len(found.random)
        least, most = needed(found, level_of(looks, LEVEL))
        looked = replace(self, looks=looks, judged=judged)
        if most is None and not least:
            return looked
        first = first_as_good(found)
        fresh = replace(
            looked,
            labels=found.labels,
            value=None if first is None else round(found.labels * (1 - first)),
            low=None if most is None else math.floor(found.labels * (1 - most)),
            high=math.ceil(found.labels * (1 - least)),
            round=number,
        )
        return looked if self.tells and not fresh.tells else fresh

    @property
    def tells(self) -> bool:
        """Whether labels were saved for sure, or lost for sure: fewer than `high`, so that nought is a loss."""
        return (self.low is not None and self.low > 0) or (self.high is not None and self.high <= 0)

    def to_json(self) -> dict[str, Any]:
        """As a round keeps it."""
        return asdict(self) | {"classes": list(self.classes), "tells": self.tells}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> "Saved":
        """As a round kept it; a new one for None. An earlier release did not say what had taught its learners."""
        if not stored:
            return cls()
        known = {"apart": False} | {name: stored[name] for name in asdict(cls()) if name in stored}
        return cls(**known | {"classes": tuple(known.get("classes", ()))})


def needed(found: Comparison, level: float) -> tuple[float, float | None]:
    """More than the first and at most the second ratio of chosen to random labels teach as much, over all sizes.

    From the largest ratio down, a ratio is enough while it is refused that its learners are no better; from the
    smallest up, one is too few while it is refused that they are no worse. Either way stops at the first that is not,
    so that all claims of a way are true with a chance of 1 - `level` / 2, whatever the shape of the curve. 0 and None
    say that nothing is bounded. Each test bets on the mean of the differences, answer by answer.

    Source: Waudby-Smith, Ramdas (see `hedged`); Maurer, Hothorn, Lehmacher. Multiple Comparisons in Drug Clinical
    Trials and Preclinical Assays: A-priori Ordered Hypotheses. 1995.
    """
    ends = {ratio: _difference(found, ratio, level) for ratio in sorted(found.chosen)}
    most, least = None, 0.0
    for ratio in reversed(ends):
        if ends[ratio][0] <= 0:
            break
        most = ratio
    for ratio in ends:
        if ends[ratio][1] >= 0:
            break
        least = ratio
    return least, most


def first_as_good(found: Comparison) -> float | None:
    """The smallest ratio whose learners got at least as many right as the random ones; None for none of them."""
    mean = float(found.random.mean())
    return next((ratio for ratio in sorted(found.chosen) if float(found.chosen[ratio].mean()) >= mean), None)


def _difference(found: Comparison, ratio: float, level: float) -> tuple[float, float]:
    """Both ends of the mean difference of the learners of a ratio to those of random labels."""
    apart = np.asarray(found.chosen[ratio], dtype=np.float64) - found.random
    low, high = hedged((1 + apart) / 2, level, planned=len(apart))
    return 2 * float(low[-1]) - 1, 2 * float(high[-1]) - 1
