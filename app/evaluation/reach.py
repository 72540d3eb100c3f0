"""Of which items audit answers are a uniform sample, where items came in after the first of them or the share changed.

The audit order gives out the items with the lowest draws first. An item that comes in later with a low draw is given
next, but until then the answers are of earlier items alone, and would speak for those that nobody asked about. What is
a uniform sample whatever came when: *all* audit items of the ids up to some id, with a draw below some draw. Those of
them without an answer are unknown, and counted as wrong and as right. Where the audit share was changed, those that the
lowest share would have taken as well are a sample, for a share takes what a lower one takes and more. Items that are
not spoken of at all may be all wrong or all right. So what the answers say of the whole pool is never more than they
know, and some of them may have to wait until others are there.

The ids are the ends of pushes and no others: an id that was chosen by the draws behind it would bring items along that
are not there by chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.core.arrays import Booleans, Doubles, Indices
from app.evaluation.intervals import Estimate

FEWEST = 5  # answers that judge, or nothing is said
MOST_LEFT_OUT = 0.1  # of the sample: more of them are no exception, and unknown like others
MOST_ENDS = 16
END = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Shares:
    """The audit shares of a project: items with ids from `since` (k,) on, rising, came in with the share (k,)."""

    since: Indices
    shares: Doubles

    def of(self, ids: Indices) -> Doubles:
        """The share with which each item (n,) came in, (n,)."""
        places = np.searchsorted(self.since, ids, side="right") - 1
        return self.shares[np.maximum(places, 0)]

    @property
    def levels(self) -> Doubles:
        """The shares above 0 that there were, rising."""
        return np.unique(self.shares[self.shares > 0])


@dataclass(frozen=True)
class Pool:
    """How many items of the pool have ids up to each of some ids (b,), rising; the last of them is END."""

    ids: Indices
    counts: Indices

    def upto(self, end: int) -> int:
        """Items with ids up to one of these ids, or up to less than the first of them, of which there are none."""
        return int(self.counts[np.searchsorted(self.ids, end)]) if end >= self.ids[0] else 0

    @property
    def size(self) -> int:
        """All of them."""
        return int(self.counts[-1])


@dataclass(frozen=True)
class Audited:
    """The audit items (n,) that are given out by their draws: ids, draws, which were given, and which are answered.

    `left_out` (n,): those that people said nothing about, by skipping them or saying that nobody can. `places` (n,):
    the number in [0, 1) by which each became an audit item, which is below its share; None where the share was never
    changed, and nobody asks.
    """

    ids: Indices
    draws: Indices
    given: Booleans
    answered: Booleans
    left_out: Booleans
    places: Doubles | None = None

    @cached_property
    def in_order(self) -> Indices:
        """Their places by draw, (n,)."""
        return np.argsort(self.draws, kind="stable")


@dataclass(frozen=True)
class Reach:
    """The answers that judge, and what they speak of.

    `told` (n,): the audit items whose answers judge; `unknown` (n,): others of the same sample, without an answer;
    `excused` (n,): those of it that were left out; `frame` (n,): all that are spoken of; `others` (n,): those that are
    not and may be once more came. `share` of the pool is spoken of, in [0, 1]: that of ids up to `newest`, all of them
    for END.
    """

    told: Booleans
    unknown: Booleans
    excused: Booleans
    frame: Booleans
    others: Booleans
    newest: int
    share: float

    @property
    def known(self) -> float:
        """Which share of the pool the answers speak of, those that are unknown in their sample left out."""
        n, unknown = int(self.told.sum()), int(self.unknown.sum())
        return self.share * n / max(1, n + unknown)


@dataclass(frozen=True)
class _Corner:
    """An id up to which, and a draw below which, all audit items of a share are a sample."""

    level: float
    newest: int
    below: int
    share: float
    answers: int
    unknown: int
    skips_count: bool  # those that were left out are unknown

    @property
    def width(self) -> float:
        """About how wide the band of the whole pool's accuracy is at worst."""
        n, asked = self.answers, max(1, self.answers + self.unknown)
        band = min(1.0, 2 / np.sqrt(asked) + self.unknown / asked) if n >= FEWEST else 1.0
        return float(1 - self.share + self.share * band)


def reach(audited: Audited, shares: Shares, pool: Pool, ends: Sequence[int] = ()) -> Reach:
    """What the answers speak of so that the accuracy of the whole pool is known best; the answers' words play no part.

    `ends` are ids of which the items up to them may be spoken of alone: the last ones of pushes. Cost: O(n log n) for n
    audit items, and O(n) for each end and share.
    """
    found = min(
        _corners(audited, shares, pool, [*ends, END]),
        key=lambda each: (each.width, -each.answers),
        default=_Corner(1.0, END, -1, 0.0, 0, 0, skips_count=False),
    )
    lower = np.ones(len(audited.ids), dtype=np.bool_) if audited.places is None else audited.places < found.level
    spoken = lower & (shares.of(audited.ids) >= found.level) & (audited.ids <= found.newest)
    out = audited.left_out & (not found.skips_count)
    sample = spoken & ~out & (audited.draws < found.below)
    others = lower & ~spoken & ~audited.answered & ~out
    excused = spoken & out & (audited.draws < found.below)
    return Reach(
        sample & audited.answered, sample & ~audited.answered, excused, spoken & ~out, others, found.newest, found.share
    )


def drawn(audited: Audited, shares: Shares) -> tuple[Booleans, Booleans]:
    """The audit items (n,) that were given as by draws, each of any of those left, and those that they are draws of.

    They are the ones with the lowest draws, before the first that nobody was given: those beyond it may have been given
    while that one was not there yet, and nothing was left to chance between the two.
    """
    among = np.ones(len(audited.ids), dtype=np.bool_)
    if audited.places is not None and len(shares.levels):
        among = audited.places < shares.levels[0]
    below = audited.draws[among & ~audited.given].min(initial=END)
    return among & audited.given & (audited.draws < below), among


def came_in_with(shares: Shares, pool: Pool, level: float, end: int) -> float:
    """Which share of the pool, in [0, 1], came in with an audit share that is as high as a level, up to an id.

    The pool is counted up to the id, and up to each end of a share.
    """
    count = 0
    for first, share, after in zip(shares.since, shares.shares, [*shares.since[1:], END], strict=True):
        if share >= level and first <= end:
            last = min(end, int(after) - 1 if after != END else END)
            count += pool.upto(last) - pool.upto(int(first) - 1)
    return count / pool.size if pool.size else 0.0


def over_all(estimate: Estimate, share: float) -> Estimate:
    """An accuracy of a share of the pool, with the band of the whole pool: the rest may be all wrong or all right."""
    return Estimate(estimate.value, share * estimate.low, share * estimate.high + 1 - share, estimate.n)


def of_what_is_left(estimate: Estimate, gone: float, lost: float) -> Estimate:
    """An accuracy of some items, with the band of those that are left of them, which may have had all that was wrong.

    A part `gone` of the items is there no more, and of a part `lost` nothing is known, both in [0, 1].
    """
    left = max(1e-9, 1 - gone)
    low = ((1 - lost) * estimate.low - gone) / left
    high = ((1 - lost) * estimate.high + lost) / left
    return Estimate(estimate.value, min(1.0, max(0.0, low)), min(1.0, max(0.0, high)), estimate.n)


def thinned(ends: Sequence[int]) -> list[int]:
    """At most sixteen of some rising ids, at even steps, the last one among them."""
    if len(ends) <= MOST_ENDS:
        return list(ends)
    steps = np.linspace(0, len(ends) - 1, MOST_ENDS).round().astype(np.int64)
    return [ends[int(step)] for step in np.unique(steps)]


def _corners(audited: Audited, shares: Shares, pool: Pool, ends: Sequence[int]) -> Iterator[_Corner]:
    order = audited.in_order
    ids, draws = audited.ids[order], audited.draws[order]
    answered, left_out = audited.answered[order], audited.left_out[order]
    mine = shares.of(ids)
    for level in shares.levels:
        taken = mine >= level
        if audited.places is not None:
            taken &= audited.places[order] < level
        for end in ends:
            share = came_in_with(shares, pool, float(level), end)
            here = np.flatnonzero(taken & (ids <= end))
            if not here.size or share == 0:
                continue
            for skips_count in (False, True):
                found = _best(answered[here], left_out[here], skips_count)
                for length, n, unknown in found:
                    below = END if length == len(here) else int(draws[here[length]])
                    yield _Corner(float(level), end, below, share, n, unknown, skips_count)


def _best(answered: Booleans, left_out: Booleans, skips_count: bool) -> Iterator[tuple[int, int, int]]:
    """The length, answers and unknown items of the best sample among the first items (m,) in their order, if any.

    A sample ends before an unknown one, or goes on to the end.
    """
    silent = ~answered if skips_count else ~answered & ~left_out
    lengths = np.append(np.flatnonzero(silent), len(answered))
    unknown = np.arange(len(lengths))
    skipped = np.zeros(len(lengths), dtype=np.int64)
    if not skips_count:
        skipped = np.append(0, np.cumsum(left_out & ~answered))[lengths]
    n = lengths - unknown - skipped
    fits = (skipped <= MOST_LEFT_OUT * lengths) & (n > 0)
    if not fits.any():
        return
    asked = np.maximum(1, n + unknown)
    width = np.where(n >= FEWEST, 2 / np.sqrt(asked) + unknown / asked, 2.0 - n / FEWEST)
    at = int(np.flatnonzero(fits)[np.argmin(width[fits])])
    yield int(lengths[at]), int(n[at]), int(unknown[at])
