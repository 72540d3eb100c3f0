"""Divides a data set into splits by keyed hash, and finds what stands in two of them."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from hashlib import blake2b
from itertools import accumulate

import numpy as np

from app.core.errors import Invalid

MOST_SPLITS = 10
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}", re.ASCII)
SPLIT_BITS = 15
ROUNDING = 1e-6  # by which the shares may miss 1


def check_splits(shares: Mapping[str, float]) -> dict[str, float]:
    """Names of splits with their shares; raises Invalid unless there are 1 to 10, each above 0, of 1 together."""
    if not 1 <= len(shares) <= MOST_SPLITS:
        raise Invalid(f"there are 1 to {MOST_SPLITS} splits", fields={"splits": "too few or too many"})
    for name, share in shares.items():
        if not NAME.fullmatch(name):
            raise Invalid(
                f"the split {name[:50]!r} is not a name: small letters, digits, - and _, 30 at most",
                fields={"splits": "not a name"},
            )
        if not 0 < share <= 1:
            raise Invalid(f"the share of {name} is above 0 and at most 1", fields={"splits": "out of range"})
    if abs(sum(shares.values()) - 1) > ROUNDING:
        raise Invalid(f"the shares are 1 together, not {sum(shares.values()):g}", fields={"splits": "not 1 together"})
    return dict(shares)


class Division:
    """Draws the split of a group from (seed, group): the same group has the same split, today and tomorrow.

    `shares` are relative; a group is in a split with the probability of its share. O(log splits) a draw.
    """

    def __init__(self, shares: Mapping[str, float], seed: int) -> None:
        self._names = list(shares)
        total = sum(shares.values())
        self._ends = [end / total for end in accumulate(shares.values())][:-1]
        self._key = seed.to_bytes(16, "big", signed=True)

    def of(self, group: str) -> str:
        """The split of a group."""
        drawn = blake2b(group.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key, person=b"split").digest()
        return self._names[bisect_right(self._ends, int.from_bytes(drawn, "big") / 2**64)]


class Meetings:
    """Notes rows by what makes them alike, and finds the likes that meet across splits. 16 bytes a row."""

    def __init__(self) -> None:
        self._marks, self._ids = array("Q"), array("q")

    def add(self, row: int, alike: str, split: int) -> None:
        """Note a row by its id, a text that is equal for its likes, and the number of its split (0 to 15)."""
        drawn = int.from_bytes(blake2b(alike.encode(), digest_size=8).digest(), "big")
        self._marks.append(drawn & ~SPLIT_BITS | split)
        self._ids.append(row)

    def across(self, named: int, each: int) -> tuple[int, int, list[list[tuple[int, int]]]]:
        """How many groups of likes stand in several splits, their rows, and of the first groups ids with splits.

        At most `named` groups are named, with `each` rows at most, the first and the last split among them.
        O(n log n), 24 bytes a row on top.
        """
        marks = np.array(self._marks, dtype=np.uint64)
        order = np.argsort(marks, kind="stable")
        marks = marks[order]
        like_next = (marks[1:] ^ marks[:-1]) <= SPLIT_BITS  # the hash stands above the split
        starts = np.flatnonzero(like_next & ~np.r_[False, like_next[:-1]])
        ends = np.flatnonzero(like_next & ~np.r_[like_next[1:], False]) + 2
        mixed = np.flatnonzero(marks[starts] != marks[ends - 1])
        groups = []
        for group in mixed[:named]:
            places = range(starts[group], ends[group])
            shown = dict.fromkeys([*places[: each - 1], places[-1]])
            groups.append([(self._ids[order[place]], int(marks[place]) & SPLIT_BITS) for place in shown])
        return len(mixed), int((ends - starts)[mixed].sum()), groups
