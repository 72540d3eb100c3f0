"""Of which items audit answers are a uniform sample, where items came in after the first of them or the share changed.

The audit order gives out the items with the lowest draws first. An item that comes in later with a low draw is given
next, but until then the answers are of earlier items alone, and would speak for those that nobody asked about. What is
a uniform sample whatever came when: *all* audit items of the ids up to some id, with a draw below some draw, if each of
them was given. Where the audit share was changed, those that the lowest share would have taken as well are one, for a
share takes what a lower one takes and more. So some answers may have to wait until others were given; and where some
items were passed over, as those of a slice that nobody labels, the answers speak of the others alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.core.arrays import Booleans, Doubles, Indices
from app.evaluation.intervals import Estimate

FEWEST = 5  # answers that judge, or nothing is said
END = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Shares:
    """The audit shares of a project: items with ids from `since` (k,) on, rising, came in with the share (k,).

    `shut`: items of the pool that came in while it was 0, so that none of them is an audit item.
    """

    since: Indices
    shares: Doubles
    shut: int = 0

    def of(self, ids: Indices) -> Doubles:
        """The share with which each item (n,) came in, (n,)."""
        places = np.searchsorted(self.since, ids, side="right") - 1
        return self.shares[np.maximum(places, 0)]

    @property
    def levels(self) -> Doubles:
        """The shares above 0 that there were, rising."""
        return np.unique(self.shares[self.shares > 0])


@dataclass(frozen=True)
class Audited:
    """The audit items (n,) that are given out by their draws: ids, draws, and which were given and have an answer.

    `places` (n,): the number in [0, 1) by which each became an audit item, which is below its share; None where the
    share was never changed, and nobody asks.
    """

    ids: Indices
    draws: Indices
    given: Booleans
    answered: Booleans
    places: Doubles | None = None


@dataclass(frozen=True)
class Reach:
    """The answers that judge, and what they speak of.

    `told` (n,): the audit items that are spoken of and were given; `frame` (n,): those spoken of, given or not;
    `unheard` (n,): those that are not, because they came later or were passed over, and may be once they were given.
    `newest`: no item with a higher id is spoken of; None for all. `share` of the pool is spoken of, in [0, 1].
    """

    told: Booleans
    frame: Booleans
    unheard: Booleans
    newest: int | None
    share: float

    def answers(self, audited: Audited) -> int:
        """How many answers judge."""
        return int((self.told & audited.answered).sum())

    def width(self, audited: Audited) -> float:
        """About how wide the band of the whole pool's accuracy is at worst: what is not spoken of may be anything."""
        n = self.answers(audited)
        return 1 - self.share + self.share * (min(1.0, 2 / np.sqrt(n)) if n >= FEWEST else 1.0)


def reach(audited: Audited, shares: Shares, *, drawn_to: int | None = None) -> Reach:
    """What the answers speak of so that the accuracy of the whole pool is known best; the answers' words play no part.

    With `drawn_to` the told ones are draws that go on from earlier ones, which could take items up to that id: nothing
    was passed over, and the lowest share would have taken it too. Cost: O(n log^2 n) for n audit items.
    """
    found = list(_candidates(audited, shares, drawn_to))
    if not found:
        none = np.zeros(len(audited.ids), dtype=np.bool_)
        return Reach(none, none, none, None, 0.0)
    return min(found, key=lambda each: (each.width(audited), -each.answers(audited)))


def over_all(estimate: Estimate, share: float) -> Estimate:
    """An accuracy of a share of the pool, with the band of the whole pool: the rest may be all wrong or all right."""
    return Estimate(estimate.value, share * estimate.low, share * estimate.high + 1 - share, estimate.n)


def _candidates(audited: Audited, shares: Shares, drawn_to: int | None) -> Iterator[Reach]:
    mine = shares.of(audited.ids)
    items = np.divide(1.0, mine, out=np.zeros(len(mine)), where=mine > 0)  # of the pool, that each stands for
    total = float(items.sum()) + shares.shut
    for level in shares.levels if drawn_to is None else shares.levels[:1]:
        of_level = mine >= level
        pool = np.where(of_level, items, 0.0)
        lower = np.ones(len(mine), dtype=np.bool_) if audited.places is None else audited.places < level
        taken = of_level & lower
        for newest, below in _corners(audited, taken, drawn_to):
            among = audited.ids <= newest
            early = taken & among & (audited.draws < below)
            told, passed = early & audited.given, early & ~audited.given
            frame = taken & among & ~passed
            spoken = float(pool[among].sum()) / total * (1 - int(passed.sum()) / max(1, int(early.sum())))
            yield Reach(told, frame, lower & ~frame, None if newest == END else newest, spoken)


def _corners(audited: Audited, taken: Booleans, drawn_to: int | None) -> Iterator[tuple[int, int]]:
    """Ids up to which, and draws below which, each of the `taken` (n,) was given but for so many, passed over.

    Those with the lowest draws are set aside, some powers of two of them and all. Each id that goes further asks for a
    lower draw, so there are about as many as a random order has lowest ones so far: the logarithm of their number.
    """
    never = np.flatnonzero(taken & ~audited.given)
    never = never[np.argsort(audited.draws[never], kind="stable")]
    last = audited.draws[taken & audited.given].max(initial=-1)
    passed = int(np.searchsorted(audited.draws[never], last))  # the others' turn is still to come
    passed, least = (passed, -1) if drawn_to is None else (0, drawn_to)
    for aside in sorted({0, *(2**power for power in range(passed.bit_length())), passed}):
        ids, draws = audited.ids[never[aside:]], audited.draws[never[aside:]]
        ends = np.flatnonzero(ids == np.minimum.accumulate(ids)) if ids.size else ids
        tops = [END, *(int(each) - 1 for each in ids[ends])]
        below = [*(int(each) for each in draws[ends]), END]
        for newest, draw in zip(tops, below, strict=True):
            if newest >= least:
                yield newest, draw
