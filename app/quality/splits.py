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
    """Notes rows by what makes them alike, and finds the likes that meet across splits. 17 bytes a row."""

    def __init__(self) -> None:
        self._alike, self._ids, self._splits = array("Q"), array("q"), array("B")

    def add(self, row: int, alike: str, split: int) -> None:
        """Note a row by its id, a text that is equal for its likes, and the number of its split."""
        self._alike.append(int.from_bytes(blake2b(alike.encode(), digest_size=8).digest(), "big"))
        self._ids.append(row)
        self._splits.append(split)

    def across(self, named: int, each: int) -> tuple[int, int, list[list[tuple[int, int]]]]:
        """How many groups of likes stand in several splits, their rows, and of the first groups ids with splits.

        At most `named` groups are named, with `each` rows at most, the first and the last split among them.
        O(n log n).
        """
        alike = np.array(self._alike, dtype=np.uint64)
        splits = np.array(self._splits, dtype=np.uint8)
        if not len(alike):
            return 0, 0, []
        order = np.lexsort((splits, alike))
        alike, splits = alike[order], splits[order]
        starts = np.flatnonzero(np.r_[True, alike[1:] != alike[:-1]])
        ends = np.r_[starts[1:], len(alike)]
        found = np.flatnonzero(splits[starts] != splits[ends - 1])
        groups = []
        for group in found[:named]:
            places = range(starts[group], ends[group])
            shown = [*places[: each - 1], places[-1]]
            groups.append([(self._ids[order[place]], int(splits[place])) for place in dict.fromkeys(shown)])
        return len(found), int((ends - starts)[found].sum()), groups
