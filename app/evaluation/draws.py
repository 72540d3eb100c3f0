"""Audit items as they were drawn, and what they stand for: of an audit set that items come into, leave and return to.

Every draw is one of the items that were open then, with a chance that is kept beside it. So the drawn items stand for
all of the audit set once each is weighed by its chance, whatever is asked later of any learner. Items that came in
together, or back, are a stratum of their own, of which only the draws since then tell.

Items that were taken out before anybody drew them may have been taken out for a reason, and the drawn ones were spared:
so nothing is known of them, and those that are left may have had all of the wrong answers, or none. Draws after that
are of those that are left alone. Each stratum is told of from the draw on that leaves least unknown, by the numbers of
items, and not by what the answers say. What was drawn before is known, and stands for itself. Where chance alone drew,
the answers are counted, as they are where nobody chooses.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from app.core.arrays import Booleans, Doubles, Indices

FEWEST = 5  # items of a stratum that the answered draws since it came in take on the mean, before it is spoken of
MOST_STARTS = 8  # draws at even steps that a stratum may be told of from, beside those at which something happened


def _no_ids() -> Indices:
    return np.empty(0, dtype=np.int64)


def _no_gone() -> Indices:
    return np.empty((0, 3), dtype=np.int64)


@dataclass(frozen=True)
class Stratum:
    """Items of the audit set that came in together, or one after the other where they are few, and who tells of them.

    `start`: the first draw that is heeded; items drawn before stand for themselves. `shares` (m - start,): how much
    each draw from there on is heeded, summing to 1. `size` items are there, and the draws were of `gone` more that
    nobody drew before they were taken out. `lost`: how many of them the draws without an answer stand for. `told`:
    there are answers enough.
    """

    start: int
    shares: Doubles
    size: int
    gone: float
    lost: float
    told: bool
    width: float  # about, in items


@dataclass(frozen=True)
class Draws:
    """All draws of a project in their order, (m,) each, and the audit set as it is now.

    `chances`: of the draw, given those before it; `left`: how many items could have been drawn, this one among them.
    `frame` (n,): the ids of the audit set and of all drawn items, in any order, and `since` (n,) the first draw that
    could have taken each, m where none could; None for the first of all. `gone` (g, 3): items that were taken out
    before they were drawn, as the first draw that could take them, the first that could no more, and their number.
    `barred` (b,): items that are no part of the set, drawn or not, as a lower audit share would not have taken them.
    `answered`, `excused`, `out` (m,): draws with an answer, those without one that is missed by nobody, as their items
    are like others that nobody can answer, and those whose items are no part of the set any more; None for all, none
    and none.
    """

    items: Indices
    chances: Doubles
    left: Indices
    frame: Indices
    since: Indices | None = None
    gone: Indices = field(default_factory=_no_gone)
    barred: Indices = field(default_factory=_no_ids)
    answered: Booleans | None = None
    excused: Booleans | None = None
    out: Booleans | None = None

    @classmethod
    def by_chance(cls, count: int, size: int) -> "Draws":
        """`count` draws from `size` items, each as likely as any other."""
        left = max(size, count) - np.arange(count, dtype=np.int64)
        frame = np.arange(max(size, count), dtype=np.int64)
        return cls(frame[:count], 1 / left, left, frame)

    @cached_property
    def uniform(self) -> bool:
        """Whether every draw took any of the items left with the same chance, of one stratum: nothing was chosen."""
        return len(self._begun) <= 1 and bool(np.allclose(self.chances * self.left, 1))

    @cached_property
    def _order(self) -> Indices:
        return np.argsort(self.frame)

    @cached_property
    def _firsts(self) -> Indices:
        """The first draw that could have taken each item of the frame, (n,), where it is no part of the set m.

        -1 for one that was drawn earlier than that: of what is not known, so it stands for itself alone.
        """
        count = len(self.items)
        found = np.zeros(len(self.frame), dtype=np.int64) if self.since is None else self.since.astype(np.int64)
        at = self._places(self.items)
        found[at] = np.where(found[at] > np.arange(count), -1, found[at])
        return np.where(np.isin(self.frame, self.barred), count, found)

    @cached_property
    def _begun(self) -> Indices:
        """The first draws that could take items which came in together, rising, (b,)."""
        return np.unique(self._firsts[self._firsts < len(self.items)])

    @cached_property
    def _groups(self) -> list[Indices]:
        """Those that are told of together, by stratum, the oldest first: as many as first made enough.

        It goes by what draws by chance would have taken, and by nothing that was taken: what is spoken of because it
        was drawn often, or seldom, looks larger than it is, or smaller. A stratum stays as it is once there are answers
        enough of it.
        """
        begun = self._begun
        found: list[Indices] = []
        while len(begun):
            count = self._together(begun)
            found.append(begun[:count])
            begun = begun[count:]
        return found

    def _together(self, begun: Indices) -> int:
        """With how many of those that came in at some draws (b,), rising, there were first answers enough; else all."""
        count, until = len(begun), len(self.items) + 1
        open_ = np.zeros(len(self.items))
        for number, first in enumerate(begun.tolist(), start=1):
            if first >= until:
                break
            if first < 0:
                return 1
            open_ += self._open(first)
            enough = self._enough_at(open_, first)
            if enough <= until:
                count, until = number, enough
        return count

    def _open(self, first: int) -> Doubles:
        """How many of those that came in at a draw chance would have left open at each draw, (m,)."""
        left = np.maximum(1, self.left[first:]).astype(np.float64)
        found = np.zeros(len(self.items))
        found[first:] = np.cumprod(np.append((self._firsts == first).sum(), 1 - 1 / left))[:-1]
        return found

    def _enough_at(self, open_: Doubles, start: int) -> int:
        """After how many draws those from one on take answers enough on the mean, of so many open ones; m + 1: none."""
        taken = np.cumsum(open_[start:] / np.maximum(1, self.left[start:]) * self._is_answered[start:])
        at = start + int(np.searchsorted(taken, FEWEST - 1e-9)) + 1
        return min(at, len(self.items) + 1)

    def _is_enough(self, number: int, start: int) -> bool:
        """Whether a stratum can be told of by the draws from one on."""
        open_ = sum((self._open(first) for first in self._groups[number].tolist()), np.zeros(len(self.items)))
        return self._enough_at(open_, start) <= len(self.items)

    @cached_property
    def _strata_of_frame(self) -> Indices:
        """The stratum of each item of the frame, (n,); c for those that no draw could have taken."""
        numbers = np.repeat(np.arange(len(self._groups)), [len(each) for each in self._groups])
        at = np.searchsorted(self._begun, self._firsts)
        return np.append(numbers, len(self._groups))[at].astype(np.int64)

    @cached_property
    def _gone_of(self) -> list[Indices]:
        """What was taken out of each stratum: the first draw that could take it no more, and how many, (g, 2) each."""
        return [self.gone[np.isin(self.gone[:, 0], each), 1:] for each in self._groups]

    @cached_property
    def _counts(self) -> Indices:
        """How many items of the frame each stratum has, and last those that no draw could have taken, (c + 1,)."""
        return np.bincount(self._strata_of_frame, minlength=len(self._groups) + 1)

    @cached_property
    def _mine(self) -> Indices:
        """The stratum of each draw's item, (m,)."""
        return self._strata_of_frame[self._places(self.items)]

    def _places(self, items: Indices) -> Indices:
        """Where items (k,) that are all there lie in the frame, (k,)."""
        return np.asarray(self._order[np.searchsorted(self.frame, items, sorter=self._order)], dtype=np.int64)

    @cached_property
    def _is_out(self) -> Booleans:
        return np.zeros(len(self.items), dtype=np.bool_) if self.out is None else self.out

    @cached_property
    def _is_answered(self) -> Booleans:
        return np.ones(len(self.items), dtype=np.bool_) if self.answered is None else self.answered

    @cached_property
    def silent(self) -> Booleans:
        """Draws (m,) without an answer that is missed."""
        excused = np.zeros(len(self.items), dtype=np.bool_) if self.excused is None else self.excused
        return ~self._is_answered & ~excused

    def _shares(self, start: int) -> Doubles:
        """How much each draw from `start` on is heeded, summing to 1: in proportion to 1 / (left (left - 1)).

        So the estimate is LURE while nothing comes in. A draw of the last item left knows all, and is heeded alone.
        """
        left = self.left[start:].astype(np.float64)
        if (left <= 1).any():
            return np.asarray((left <= 1) / (left <= 1).sum(), dtype=np.float64)
        given = 1 / (left * (left - 1))
        return np.asarray(given / given.sum() if given.size else given, dtype=np.float64)

    @cached_property
    def strata(self) -> list[Stratum]:
        """What came in together, by the first draw of each, each told of from where least is unknown."""
        return [self._best(number) for number in range(len(self._groups))]

    def _best(self, number: int) -> Stratum:
        """The stratum told of from its first draw on where nothing is unknown then, else from the best draw.

        Where that draw on is not enough, no later one is looked for: it would be found because of what was drawn.
        """
        first, count = int(self._groups[number][-1]), len(self.items)
        known = self._from(number, count)
        if first < 0:
            return known
        whole = self._from(number, first)
        if self.uniform:
            return replace(whole, gone=0.0, told=whole.told or int(self._is_answered.sum()) >= FEWEST)
        if not whole.told:
            return known if known.told else whole
        if whole.gone + whole.lost == 0:
            return whole
        found = [whole, *(self._from(number, start) for start in self._starts(number))]
        return min(found, key=lambda each: (not each.told, each.width))

    def _starts(self, number: int) -> Iterator[int]:
        first, count = int(self._groups[number][-1]), len(self.items)
        until = np.unique(self._gone_of[number][:, 0])
        until = until[(until > first) & (until <= count)]
        some = until[np.linspace(0, len(until) - 1, MOST_STARTS).round().astype(np.int64)] if until.size else until
        silent = np.flatnonzero((self._mine == number) & self.silent)[-1:] + 1
        even = np.linspace(first, count, MOST_STARTS + 1).round().astype(np.int64)
        yield from np.unique(np.concatenate([some, np.maximum(silent, first), even])).tolist()

    def _from(self, number: int, start: int) -> Stratum:
        """The stratum told of from a draw on."""
        here = self._mine == number
        shares = self._shares(start)
        heeded = np.append(0.0, np.cumsum(shares))
        left_out = int((here & self._is_out)[:start].sum())
        size = int(self._counts[number]) - left_out
        until, items = self._gone_of[number].T
        gone = float(items @ heeded[np.clip(until - start, 0, len(shares))])
        lost = float(self._weights(start, shares)[here & self.silent].sum())
        open_ = size + left_out - int(here[:start].sum())
        answered = self._is_answered[start:]
        told = not open_ or self._is_enough(number, start)
        width = math.sqrt(open_ * (open_ - int(here[start:].sum())) / max(1, int(answered.sum())))
        return Stratum(start, shares, size, gone, lost, told, width + gone + lost)

    def _weights(self, start: int, shares: Doubles) -> Doubles:
        """How many items of a stratum that is told of from a draw on each draw (m,) stands for, if it is one of it."""
        found = np.where(self._is_out, 0.0, 1.0)
        found[start:] = shares / self.chances[start:] + 1 - np.cumsum(shares)
        return found

    @cached_property
    def _told(self) -> Booleans:
        """Which strata are told of, (c + 1,), the last for what came after all draws."""
        return np.array([*(each.told for each in self.strata), False], dtype=np.bool_)

    @property
    def told_to(self) -> int:
        """The highest id that may be spoken of, 0 for none."""
        return int(self.frame[self._told[self._strata_of_frame]].max(initial=0))

    @property
    def part(self) -> float:
        """Which part of the audit set up to that id is told of, in [0, 1]."""
        none = np.union1d(self.barred, self.items[self._is_out])
        upto = (self.frame <= self.told_to) & ~np.isin(self.frame, none)
        return float(self._told[self._strata_of_frame[upto]].mean()) if upto.any() else 0.0

    @cached_property
    def size(self) -> float:
        """How many items the draws speak of, those that they are of and that were taken out since among them."""
        return float(sum(each.size + each.gone for each in self.strata if each.told))

    @property
    def there(self) -> int:
        """How many of these are there, those that were drawn and taken out since among them."""
        return sum(each.size for each in self.strata if each.told)

    @cached_property
    def taken_out(self) -> float:
        """Which part of these was taken out before it was drawn, in [0, 1]."""
        return sum(each.gone for each in self.strata if each.told) / max(1.0, self.size)

    @cached_property
    def lost(self) -> float:
        """Which part of these the draws stand for whose answers are missed, in [0, 1]."""
        return min(1.0, self.total((self.silent & self.spoken).astype(np.float64)) / max(1.0, self.size))

    @cached_property
    def unheard(self) -> int:
        """How many items of the audit set the draws do not speak of yet."""
        there = ~np.isin(self.frame, self.barred)
        return int((there & ~self._told[self._strata_of_frame]).sum())

    @cached_property
    def _early(self) -> Booleans:
        """Which draws (m,) were made before those that their stratum is told of by."""
        starts = np.array([*(each.start for each in self.strata), 0], dtype=np.int64)
        return np.arange(len(self.items)) < starts[self._mine]

    @cached_property
    def spoken(self) -> Booleans:
        """Which draws (m,) are of an item that is spoken of."""
        return np.asarray(self._told[self._mine] & ~(self._early & self._is_out))

    @cached_property
    def settled(self) -> Booleans:
        """Which draws (m,) stand for themselves alone, as their stratum is told of by later ones."""
        return self.spoken & self._early

    def tells_of(self, items: Indices) -> Booleans:
        """Which items (n,) the draws tell of; none that is not in the frame."""
        return np.isin(items, self.frame[self._told[self._strata_of_frame]])

    @cached_property
    def weights(self) -> Doubles:
        """How many items of the audit set each draw stands for, (m,): LURE's v_m N / M while nothing comes or goes.

        v_m = 1 + (N - M) / (N - m) (1 / ((N - m + 1) q_m) - 1) for draw m of M from N items, with its chance q_m.

        Source: Farquhar, Gal, Rainforth. On Statistical Bias in Active Learning. ICLR 2021; Kossen, Farquhar, Gal,
        Rainforth. Active Testing. ICML 2021.
        """
        found = np.zeros(len(self.items))
        for number, each in enumerate(self.strata):
            if each.told:
                here = self._mine == number
                found[here] = self._weights(each.start, each.shares)[here]
        return found

    def total(self, values: Doubles) -> float:
        """The unbiased estimate of the sum over the audit set of what each item has, by that of the drawn ones (m,)."""
        return float(self.weights @ values)

    def parts(self, values: Doubles) -> Doubles:
        """What each draw (m,) added to the error of `total`: their squares sum to an estimate of its variance.

        Each draw alone is an unbiased estimate, given those before it: what they saw and its own value over its chance.
        """
        found = np.zeros(len(self.items))
        for number, each in enumerate(self.strata):
            if not each.told or not each.shares.size:
                continue
            held = np.where(self._mine == number, values, 0.0)[each.start :]
            alone = np.concatenate([[0.0], np.cumsum(held)[:-1]]) + held / self.chances[each.start :]
            kept = np.maximum(1 - each.shares, np.finfo(np.float64).tiny)  # a draw is nearer to a mean that holds it
            found[each.start :] += each.shares * (alone - each.shares @ alone) / np.sqrt(kept)
        return found
