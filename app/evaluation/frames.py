"""What the audit orders of a project were drawn from: which item could be drawn from which place on, and which left."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from app.core.arrays import Indices

MOST_GONE = 1_000
Gone = tuple[int, int, int]  # the first place that could have been theirs, the first that could not, how many items


@dataclass(frozen=True)
class Frame:
    """Audit items (n,), rising, the place from which on each could be drawn (n,), and those that were taken out.

    Places rise with the draws and may have gaps: what is left of an order is dealt anew.
    """

    ids: Indices
    since: Indices
    gone: list[Gone]

    @classmethod
    def empty(cls) -> "Frame":
        """That of a project before its first order."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), [])

    def entered(self, items: Indices, else_: Indices | int) -> Indices:
        """The first place that each item (k,) could have had, (k,); `else_` where no order held it yet."""
        if not len(self.ids):
            return np.full(len(items), else_, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.ids, items), len(self.ids) - 1)
        return np.where(self.ids[at] == items, self.since[at], else_).astype(np.int64)

    def gone_by(self, place: int, there: Indices) -> list[Gone]:
        """What was taken out until a place, where these items (k,) are there still or were drawn.

        Of what came in with nothing that is there still, nothing is kept. Where it becomes much, all that came in
        together is said to have been there until the last of it went, which leaves more unknown and never less.
        """
        here = np.isin(self.ids, there)
        kept = set(self.since[here].tolist())
        left = Counter({(since, place): count for since, count in Counter(self.since[~here].tolist()).items()})
        left.update({(since, until): count for since, until, count in self.gone})
        gone = [(*each, count) for each, count in sorted(left.items()) if each[0] in kept and each[0] < each[1]]
        return gone if len(gone) <= MOST_GONE else _merged(gone)

    def dealt(self, items: Indices, since: Indices, place: int) -> "Frame":
        """The frame once places from `place` on are dealt of some items (k,), rising, those drawn before among them.

        `since` (k,): the first place that each can have where it is new. What is not among them was taken out, and
        what is among them again came back, and is new.
        """
        return Frame(items, self.entered(items, since), self.gone_by(place, items))


def _merged(gone: list[Gone]) -> list[Gone]:
    """One for each first place, of all that went, until the last of them did."""
    until = {first: last for first, last, _ in gone}  # they rise
    counts: Counter[int] = Counter()
    for first, _, count in gone:
        counts[first] += count
    return [(first, last, counts[first]) for first, last in until.items()]


def draws_at(places: Indices, drawn: Indices) -> Indices:
    """The first of the draws, by their places (m,), rising, that had each place (n,) or a later one, (n,); else m."""
    return np.searchsorted(drawn, places, side="left").astype(np.int64)


def gone_at(gone: list[Gone], drawn: Indices) -> Indices:
    """What was taken out by draws instead of places, as `Draws` has it, (g, 3)."""
    found = np.array(gone, dtype=np.int64).reshape(-1, 3)
    found[:, 0], found[:, 1] = draws_at(found[:, 0], drawn), draws_at(found[:, 1], drawn)
    return found
