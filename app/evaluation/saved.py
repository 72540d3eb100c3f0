"""Labels saved: how many chosen labels teach what so many random ones taught in the same project."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.special import bdtrc

from app.core.arrays import Floats
from app.evaluation.sequence import level_of

LEVEL = 0.10  # all intervals of a project hold together in 90 of 100
FEWEST_JUDGES = 20
GROWTH = 1.25  # so many times the judges of the look before are a reason for another


@dataclass(frozen=True)
class Comparison:
    """How right learners are on the same n audit answers, which none of them saw: (n,) in [0, 1] each.

    `random` is of learners of `labels` random labels, `chosen[size]` of a learner of the first `size` chosen ones.
    """

    labels: int
    random: Floats
    chosen: Mapping[int, Floats]


@dataclass(frozen=True)
class Saved:
    """What the looks so far found: with `labels` random ones, `low` to `high` labels would have been saved.

    Both are null until a look could bound them; `value` is the plain comparison of the same look. A look is taken when
    the judges are a quarter more than at the one before; look k takes 0.10 k^-1.3 / zeta(1.3) of the chance of failing,
    so what was found stays true beside what is found later.
    """

    looks: int = 0
    judged: int = 0
    labels: int | None = None
    value: int | None = None
    low: int | None = None
    high: int | None = None
    round: int | None = None

    def waits_for(self, judges: int) -> bool:
        """Whether so many audit answers are a reason to look."""
        return judges >= max(FEWEST_JUDGES, GROWTH * self.judged)

    def after(self, found: Comparison, number: int) -> "Saved":
        """What is known after a look in round `number`; an earlier finding stays where this look finds nothing."""
        looks, judged = self.looks + 1, len(found.random)
        least, most = needed(found, level_of(looks, LEVEL))
        looked = replace(self, looks=looks, judged=judged)
        if most is None and least < found.labels:
            return looked
        low = None if most is None else found.labels - most
        first = first_as_good(found)
        value = None if first is None else found.labels - first
        return replace(looked, labels=found.labels, value=value, low=low, high=found.labels - least, round=number)

    @property
    def tells(self) -> bool:
        """Whether labels were saved for sure, or lost for sure."""
        return (self.low is not None and self.low > 0) or (self.high is not None and self.high < 0)

    def to_json(self) -> dict[str, Any]:
        """As a round keeps it."""
        return asdict(self) | {"tells": self.tells}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> "Saved":
        """As a round kept it; a new one for None."""
        return cls(**{name: stored[name] for name in asdict(cls())}) if stored else cls()


def needed(found: Comparison, level: float) -> tuple[int, int | None]:
    """More than the first and at most the second number of chosen labels teach as much as the random ones did.

    From the largest size down, a size is enough while the hypothesis that its learner is worse is refused; from the
    smallest up, one is too few while the hypothesis that it is as good is refused. Either way stops at the first that
    is not, so that all claims of a way are true with a chance of 1 - `level` / 2, whatever the shape of the curve. 0
    and None say that nothing is bounded. Each test is the exact sign test on the answers that one of both got right.

    Source: McNemar. Psychometrika 1947; Maurer, Hothorn, Lehmacher. Multiple Comparisons in Drug Clinical Trials and
    Preclinical Assays: A-priori Ordered Hypotheses. 1995.
    """
    most, least = None, 0
    for size in sorted(found.chosen, reverse=True):
        won, lost = _decided(found.chosen[size], found.random)
        if not refused(won, lost, level / 2):
            break
        most = size
    for size in sorted(found.chosen):
        won, lost = _decided(found.chosen[size], found.random)
        if not refused(lost, won, level / 2):
            break
        least = size
    return least, most


def refused(won: float, lost: float, level: float) -> bool:
    """Whether it is refused that a decided answer is won less often than lost: P(B >= won) <= level, B ~ Bin(n, 1/2).

    Answers that count in part, where annotators disagree, count against it.
    """
    sure, total = int(won), int(won) + int(np.ceil(lost))
    return sure > 0 and float(bdtrc(sure - 1, total, 0.5)) <= level


def first_as_good(found: Comparison) -> int | None:
    """The smallest size whose learner got at least as many right as the random ones; None for none of them."""
    mean = float(found.random.mean())
    return next((size for size in sorted(found.chosen) if float(found.chosen[size].mean()) >= mean), None)


def _decided(mine: Floats, other: Floats) -> tuple[float, float]:
    apart = np.asarray(mine, dtype=np.float64) - other
    return float(np.maximum(apart, 0).sum()), float(np.maximum(-apart, 0).sum())
