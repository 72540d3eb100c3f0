"""How long an answer takes: the logarithm of its seconds, learned from the project's own answers.

What is used is what is known of an item before anybody sees it, its size, beside who answers and how practised that
person is. Doubt is left out on purpose: items that are hard for the model are often slow for people, and a rank by
worth an hour would give up the very items that teach.

Source: Settles, Craven, Friedland. Active Learning with Real Annotation Costs. NIPS Workshop on Cost-Sensitive Learning
2008; the correction from the mean of logarithms to the mean is Duan's (Smearing Estimate, JASA 1983).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.core.arrays import Booleans, Doubles, Indices
from app.evaluation.intervals import Z95, Estimate

FEWEST = 40  # timed answers, below which nothing is said
EARLIER = 0.75  # the share that teaches, where later answers judge
SHORTEST = 0.2  # seconds; what is quicker was no look
IDLE = 6.0  # median absolute deviations (of logarithms) above the median from which a time counts as a pause
PAUSES = 3.0  # deviations from what was told beyond which a time adds nothing to the mean
STEPS = 30
HUBER = 1.345  # deviations from which a time has less weight: 95 % efficient where logarithms are normal
PENALTIES = {"size": 1.0, "practice": 4.0, "person": 4.0}  # in answers: a person of four is pulled half way to all


@dataclass(frozen=True)
class Times:
    """Answers in the order in which they were given: seconds (n,), sizes of their items (n,), who answered (n,)."""

    seconds: Doubles
    sizes: Doubles
    people: Indices

    def __len__(self) -> int:
        return len(self.seconds)

    def first(self, count: int) -> "Times":
        """The earliest ones."""
        return Times(self.seconds[:count], self.sizes[:count], self.people[:count])

    def practice(self) -> Doubles:
        """log(1 + answers that the person had given before), (n,)."""
        before = np.zeros(len(self), dtype=np.float64)
        for person in np.unique(self.people):
            mine = np.flatnonzero(self.people == person)
            before[mine] = np.arange(len(mine))
        return np.asarray(np.log1p(before), dtype=np.float64)


@dataclass(frozen=True)
class TimeModel:
    """log seconds = base + slope (log(1 + size) - centre), for the people who answer here, as practised as they are.

    `spread` turns the mean of logarithms into the mean of seconds; `people` and `practised` are what was learned
    of each person and of practice, for judging alone.
    """

    base: float
    slope: float
    centre: float
    spread: float
    practised: float
    people: dict[int, float]
    constant: float  # the part of base without anybody's own

    def logs(self, sizes: Doubles) -> Doubles:
        """Logarithms of the median seconds of items by their sizes, (n,)."""
        return np.asarray(self.base + self.slope * (np.log1p(sizes) - self.centre), dtype=np.float64)

    def seconds(self, sizes: Doubles) -> Doubles:
        """The mean seconds that items of these sizes take, (n,)."""
        return np.asarray(np.exp(self.logs(sizes)) * self.spread, dtype=np.float64)

    def told(self, given: Times, practice: Doubles) -> Doubles:
        """Logarithms of the median seconds of single answers, (n,), whoever gave them."""
        own = np.array([self.people.get(int(person), 0.0) for person in given.people])
        parts = self.slope * (np.log1p(given.sizes) - self.centre) + self.practised * practice
        return np.asarray(self.constant + own + parts, dtype=np.float64)


@dataclass(frozen=True)
class Later:
    """How well the earlier three quarters of the answers tell the times of the later ones.

    Half of the later times lie within `factor` of what was told, and within `without` where sizes are not looked at.
    `gain` is by how much nearer the size brings a time on the mean, in logarithms: told where its lower end is above 0.
    """

    n: int
    factor: float
    without: float
    gain: Estimate

    @property
    def tells(self) -> bool:
        """Whether an item's size says how long it takes, beyond who answers."""
        return self.gain.low > 0

    def to_json(self) -> dict[str, Any]:
        """As a round keeps it."""
        told = {"factor": round(self.factor, 3), "without": round(self.without, 3), "tells": self.tells}
        return {"n": self.n, **told, "gain": self.gain.to_json()}


def timed(seconds: Doubles) -> tuple[Booleans, Doubles]:
    """Which seconds (n,) are an answer's time (n,), and all of them, at most six deviations above the median (n,)."""
    real = np.isfinite(seconds) & (seconds >= SHORTEST)
    logs = np.log(np.maximum(seconds, SHORTEST))
    middle = float(np.median(logs[real])) if real.any() else 0.0
    spread = 1.4826 * float(np.median(np.abs(logs[real] - middle))) if real.any() else 0.0
    highest = math.exp(middle + IDLE * max(spread, 0.1))
    return real, np.minimum(seconds, highest)


def learned(given: Times, *, sized: bool = True) -> TimeModel:
    """Fit the model by Huber's loss with a ridge on size, practice and people; O(steps (n p + p^3)) for p people.

    `sized` off leaves the sizes out, to compare with. Needs one answer at least.
    """
    logs, practice = np.log(given.seconds), given.practice()
    sizes = np.log1p(given.sizes)
    centre = float(sizes.mean())
    people, whose = np.unique(given.people, return_inverse=True)
    columns = [np.ones(len(given)), (sizes - centre) * sized, practice - practice.mean()]
    design = np.column_stack([*columns, np.eye(len(people))[whose]])
    penalty = np.array([0.0, PENALTIES["size"], PENALTIES["practice"], *[PENALTIES["person"]] * len(people)])
    penalty[1] = penalty[1] if np.ptp(sizes) > 0 and sized else 1e9
    weights: Doubles = np.ones(len(given))
    found: Doubles = np.zeros(design.shape[1])
    scale = 1.0
    for _ in range(STEPS):
        before = found
        weighted = design * weights[:, None]
        both = design.T @ weighted + np.diag(penalty + 1e-9)
        found = np.asarray(np.linalg.solve(both, weighted.T @ logs), dtype=np.float64)
        off = np.abs(logs - design @ found)
        scale = max(1.4826 * float(np.median(off)), 1e-3)
        weights = np.asarray(np.minimum(1.0, HUBER * scale / np.maximum(off, 1e-12)), dtype=np.float64)
        if np.abs(found - before).max() < 1e-6:
            break
    counts = np.bincount(whose, minlength=len(people))
    newest = np.array([practice[whose == each].max() for each in range(len(people))])
    share = counts / counts.sum()
    constant = float(found[0] - found[2] * practice.mean())
    here = float(share @ found[3:] + found[2] * (share @ newest))
    left = logs - design @ found
    spread = float(np.exp(np.clip(left, -PAUSES * scale, PAUSES * scale)).mean())
    own = dict(zip(people.tolist(), found[3:].tolist(), strict=True))
    return TimeModel(constant + here, float(found[1]), centre, spread, float(found[2]), own, constant)


def later(given: Times) -> Later | None:
    """Judge the model on answers given after those that taught it; None with fewer than forty.

    Two models of the earlier three quarters tell each later time, one by size as well; the mean of the differences of
    their errors has a 95 % interval of one look.
    """
    if len(given) < FEWEST:
        return None
    count = round(EARLIER * len(given))
    earlier, practice = given.first(count), given.practice()[count:]
    rest = Times(given.seconds[count:], given.sizes[count:], given.people[count:])
    logs = np.log(rest.seconds)
    off, plain = (np.abs(logs - learned(earlier, sized=sized).told(rest, practice)) for sized in (True, False))
    nearer = plain - off
    half = Z95 * float(nearer.std(ddof=1)) / math.sqrt(len(nearer))
    mean = float(nearer.mean())
    gain = Estimate(mean, mean - half, mean + half, len(nearer))
    return Later(len(rest), math.exp(float(np.median(off))), math.exp(float(np.median(plain))), gain)
