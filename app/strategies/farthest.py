"""Farthest-first traversal of a mapped pool: the exact greedy k-center order without a pass a pick.

How near a row is to the centers only ever grows, so an old value is a lower bound. A small set of rows that hold every
row below a bound is kept in memory, and picks are made in it until one would have to lie above the bound; only then
are stale rows brought up to date, and only those that can still matter.

A row is compared with centers until one of them is nearer than the bound. So some thousand rows say first where the
bound will lie, and which centers rule out most rows: those come first.

Products of float32 end in other bits under another cut of the pool. They therefore only exclude: rows that lie within
the rounding error of the best are compared in float64, and equal ones by the keyed hash.

Source of the greedy rule: Gonzalez. Clustering to Minimize the Maximum Intercluster Distance. Theoretical Computer
Science 38, 1985. Lazy bounds: Minoux. Accelerated greedy algorithms. 1978.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np

from app.core.arrays import Booleans, Floats, Indices
from app.core.block import Rows
from app.strategies.base import keyed_hash
from app.strategies.picked import Picked

SAME = 1 - 1e-4  # the cosine from which a row counts as a copy of a center; copies come last
NEAR_ROWS = 4_096  # about as many rows are held in memory between two looks at the pool, at the least
NEAR_SHARE = 256  # or one in so many of the pool
CENTERS_AT_ONCE = 64  # that a row is compared with before it is seen whether it still matters
ORDERED_CENTERS = 2_048  # the newest of so many that rule out most rows come first
SAMPLED_ROWS = 1_024
ROWS_AT_ONCE = 1_024
ROUNDING = 2.0**-24  # of a float32
ABOVE_ALL = np.float32(4.0)  # a row that cannot be picked
FARTHEST = np.float32(-2.0)  # below every cosine

Over = Callable[..., list[Any]]


class Farthest:
    """One traversal: `pick(k)` gives the next k rows, each as far as possible from all centers before it.

    Rows of zeros say nothing about where they lie and come last. Costs one pass over the pool and a few over small
    parts of it: O(n d s) with s the centers until one rules a row out, at most all of them. Memory: 8 bytes a row of
    the pool, the centers, and some thousand rows.
    """

    def __init__(self, over: Over, seed: int, centers: Floats) -> None:
        self._over = over  # what it is given may go to another machine, so it never closes over `self`
        self._seed = seed
        self._centers = centers[centers.any(axis=1)]
        self._picked: list[tuple[Indices, float]] = []
        sizes = over(lambda _number, rows: len(rows.block))
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._like = np.full(int(self._starts[-1]), FARTHEST, dtype=np.float32)  # lower bounds of the nearest cosine
        self._seen = np.zeros(len(self._like), dtype=np.int32)  # how many centers each bound has met
        self._near: _Near | None = None
        self._held_rows = max(NEAR_ROWS, len(self._like) // NEAR_SHARE)

    def pick(self, k: int) -> Picked:
        """The order of min(k, n) rows, with the distance 1 - cosine in [0, 2] at which each was picked."""
        k = min(k, len(self._like))
        if k and not len(self._centers):
            self._pick_any()
        if len(self._centers):
            self._leave_out()
        while len(self._picked) < k and len(self._centers) and self._pick_next():
            pass
        self._pick_copies(k)
        ids = np.array([ids for ids, _ in self._picked], dtype=np.int64).reshape(-1, 3)
        return Picked(ids, np.array([value for _, value in self._picked], dtype=np.float32))

    def _pick_any(self) -> None:
        """Without a center every row is equally far: the one of the lowest hash."""
        seed = self._seed

        def lowest(_number: int, rows: Rows) -> tuple[int, Indices, Floats] | None:
            some = np.flatnonzero(~_zeros(rows.block.dense))
            if not len(some):
                return None
            hashes = keyed_hash(rows.ids[some], seed)
            row = some[int(hashes.argmin())]
            return int(hashes.min()), rows.ids[row], np.asarray(rows.block.dense[row])

        found = [each for each in self._over(lowest) if each is not None]
        if found:
            _, ids, row = min(found, key=lambda each: each[0])
            self._centers = row[None, :]
            self._picked.append((ids, 2.0))

    def _leave_out(self) -> None:
        """Rows of zeros, and the one that was picked without a center, are not picked any more."""
        picked = np.array([ids for ids, _ in self._picked], dtype=np.int64).reshape(-1, 3)

        def out(_number: int, rows: Rows) -> Indices:
            left = _zeros(rows.block.dense)
            for ids in picked:
                left |= (rows.ids == ids).all(axis=1)
            return np.flatnonzero(left)

        for number, left in enumerate(self._over(out)):
            self._slice(self._like, number)[left] = ABOVE_ALL

    def _pick_next(self) -> bool:
        """Pick one row; False when only copies of centers are left."""
        near = self._near or self._look_again()
        while (found := near.farthest(self._centers)) is None:
            near = self._look_again()
        row, like = found
        if like >= SAME:
            return False
        self._picked.append((near.ids[row], 1.0 - like))
        self._centers = np.concatenate([self._centers, near.dense[row : row + 1]])
        near.leave(row)
        return True

    def _look_again(self) -> "_Near":
        """Bring the rows that can matter up to date and hold the farthest of them."""
        rounding, wanted = (self._centers.shape[1] + 8) * ROUNDING, self._held_rows
        if self._near is None:
            bound = self._first_bound()
        else:
            self._like[self._near.rows] = self._near.like
            self._seen[self._near.rows] = len(self._centers)
            self._near = None  # its rows are not needed beside those that take their place
            bound = _smallest(self._like, wanted)
        # The pool's rows rise while they are compared: it goes on until enough stay clearly below the bound.
        while self._advance(bound + 4 * rounding) and np.count_nonzero(self._like <= bound) < self._held_rows // 4:
            wanted *= 2
            bound = _smallest(self._like, wanted)
        stale = self._like[self._seen < len(self._centers)]
        lowest = float(np.nextafter(stale.min(initial=ABOVE_ALL), FARTHEST))
        self._near = self._held(min(lowest, _smallest(self._like, self._held_rows) + 4 * rounding), rounding)
        return self._near

    def _first_bound(self) -> float:
        """About the cosine below which as many rows as are held will lie; orders the centers by what they rule out."""
        rows = len(self._like)
        step = max(1, rows // SAMPLED_ROWS)

        def spread(_number: int, part: Rows, start: int) -> Floats:
            return part.block.dense[-start % step :: step].copy()  # a view would hold the shard

        sample = np.concatenate(self._over(spread, self._starts[:-1]))
        sample = sample[~_zeros(sample)]
        if not len(sample):
            return float(ABOVE_ALL)
        older, newest = np.split(self._centers, [max(0, len(self._centers) - ORDERED_CENTERS)])
        like = sample @ newest.T
        nearest = like.max(axis=1) if not len(older) else np.maximum(like.max(axis=1), _nearest(sample, older))
        bound = _smallest(nearest, 1 + self._held_rows * len(sample) // rows)
        order = _most_first(like > bound)
        self._centers = np.concatenate([newest[order], older])
        return bound

    def _advance(self, bound: float) -> bool:
        """Compare the stale rows with centers until they are above the bound; False when no row was stale."""
        stale = (self._seen < len(self._centers)) & (self._like < ABOVE_ALL)
        if not stale.any():
            return False
        stale &= self._like <= bound
        centers = self._centers

        def compare(_number: int, rows: Rows, old: Booleans, like: Floats, seen: Indices) -> tuple[Any, ...]:
            local = np.flatnonzero(old)
            like, seen = like[local], seen[local]
            for before in np.unique(seen):
                mine = np.flatnonzero(seen == before)
                for start in range(0, len(mine), ROWS_AT_ONCE):
                    some = mine[start : start + ROWS_AT_ONCE]
                    dense = _together(rows.block.dense, local[some])
                    like[some], seen[some] = _raised(dense, like[some], int(before), centers, bound)
            return local, like, seen

        mine = self._each(stale), self._each(self._like), self._each(self._seen)
        for number, (local, like, seen) in enumerate(self._over(compare, *mine)):
            self._slice(self._like, number)[local] = like
            self._slice(self._seen, number)[local] = seen
        return True

    def _held(self, bound: float, rounding: float) -> "_Near":
        seed = self._seed

        def copied(_number: int, rows: Rows, like: Floats, start: int) -> tuple[Indices, Indices, Floats]:
            local = np.flatnonzero(like <= bound)
            ids, dense = rows.ids[local], rows.block.dense[local]
            first = _first_copies(dense, keyed_hash(ids, seed))
            return local[first] + start, ids[first], dense if len(first) == len(dense) else dense[first]

        found = self._over(copied, self._each(self._like), self._starts[:-1])
        rows, ids, dense = (np.concatenate(part) for part in zip(*found, strict=True))
        everything = bool((self._like <= bound).sum() == (self._like < ABOVE_ALL).sum())
        limit = float(ABOVE_ALL) if everything else bound
        return _Near(rows, ids, dense, self._like[rows], limit, rounding, self._seed)

    def _pick_copies(self, k: int) -> None:
        """Fill up with rows that are copies of centers, then rows of zeros, each in the order of the keyed hash."""
        need = k - len(self._picked)
        if need <= 0:
            return
        taken = Picked(np.array([ids for ids, _ in self._picked], dtype=np.int64).reshape(-1, 3), np.empty(0, "f4"))

        seed = self._seed

        def lowest(_number: int, rows: Rows) -> tuple[Booleans, Any, Indices]:
            left = np.flatnonzero(taken.ranks(rows.ids) < 0)
            hashes, zero = keyed_hash(rows.ids[left], seed), _zeros(rows.block.dense[left])
            order = np.lexsort((hashes, zero))[:need]
            return zero[order], hashes[order], rows.ids[left[order]]

        zero, hashes, ids = (np.concatenate(part) for part in zip(*self._over(lowest), strict=True))
        for row in np.lexsort((hashes, zero))[:need]:
            self._picked.append((ids[row], 0.0))

    def _each(self, values: Any) -> list[Any]:
        """One part a shard."""
        return [self._slice(values, number) for number in range(len(self._starts) - 1)]

    def _slice(self, values: Any, number: int) -> Any:
        return values[self._starts[number] : self._starts[number + 1]]


class _Near:
    """The rows nearest to none: every row of the pool whose cosine to its nearest center is below the limit."""

    def __init__(
        self, rows: Indices, ids: Indices, dense: Floats, like: Floats, limit: float, rounding: float, seed: int
    ) -> None:
        self.rows, self.ids, self.dense, self.like = rows, ids, dense, like
        self._limit, self._rounding = limit, rounding
        self._hashes = keyed_hash(ids, seed)

    def farthest(self, centers: Floats) -> tuple[int, float] | None:
        """The farthest row and its exact cosine to its nearest center; None where one outside may be farther."""
        if not len(self.like):
            return None if self._limit < ABOVE_ALL else (0, 1.0)
        lowest = float(self.like.min())
        if lowest >= ABOVE_ALL:
            return None if self._limit < ABOVE_ALL else (0, 1.0)
        close = np.flatnonzero(self.like <= lowest + 2 * self._rounding)
        exact = [self._exact(int(row), centers) for row in close]
        best = min(range(len(close)), key=lambda place: (exact[place], int(self._hashes[close[place]])))
        if exact[best] > self._limit - 2 * self._rounding:
            return None
        return int(close[best]), exact[best]

    def _exact(self, row: int, centers: Floats) -> float:
        like = centers @ self.dense[row]
        near = centers[like >= like.max() - 2 * self._rounding]
        return float((near.astype(np.float64) * self.dense[row].astype(np.float64)).sum(axis=1).max())

    def leave(self, row: int) -> None:
        """The row became a center: it leaves, and the others are nearer to something."""
        np.maximum(self.like, self.dense @ self.dense[row], out=self.like)
        self.like[row] = ABOVE_ALL


def _raised(dense: Floats, like: Floats, seen: int, centers: Floats, bound: float) -> tuple[Floats, Any]:
    """The bounds (m,) of rows (m, d) that met the first `seen` centers, and how many they have met now.

    A row meets further centers, some at a time, until it is above the bound; the others go on.
    """
    met = np.full(len(like), seen, dtype=np.int32)
    going = np.arange(len(like))
    for start in range(seen, len(centers), CENTERS_AT_ONCE):
        some = centers[start : start + CENTERS_AT_ONCE]
        like[going] = np.maximum(like[going], (dense @ some.T).max(axis=1))
        met[going] = start + len(some)
        left = like[going] <= bound
        if not left.any():
            break
        if not left.all():
            going, dense = going[left], dense[left]
    return like, met


def _together(dense: Floats, rows: Indices) -> Floats:
    """Some rising rows: a view where they lie one after the other."""
    first, last = int(rows[0]), int(rows[-1])
    return dense[first : last + 1] if last - first + 1 == len(rows) else dense[rows]


def _nearest(dense: Floats, centers: Floats) -> Floats:
    """The cosine (n,) of each row to the nearest center."""
    starts = range(0, len(dense), ROWS_AT_ONCE)
    return np.concatenate([(dense[s : s + ROWS_AT_ONCE] @ centers.T).max(axis=1) for s in starts])


def _most_first(out: Booleans) -> Indices:
    """The columns of (m, centers) in an order in which each rules out most of the rows that those before left."""
    left = np.ones(len(out), dtype=np.bool_)
    counts = out.sum(axis=0)
    order: list[int] = []
    while counts.max(initial=0) > 0:
        order.append(int(counts.argmax()))
        newly = left & out[:, order[-1]]
        counts -= out[newly].sum(axis=0)
        left &= ~newly
    return np.concatenate([order, np.setdiff1d(np.arange(out.shape[1]), order)]).astype(np.int64)


def _zeros(dense: Floats) -> Booleans:
    zero = np.asarray(dense[:, 0] == 0)
    some = np.flatnonzero(zero)
    zero[some] = ~dense[some].any(axis=1)
    return zero


def _smallest(values: Floats, k: int) -> float:
    """The k-th smallest value, or the largest that can be picked where there are fewer."""
    able = values[values < ABOVE_ALL]
    if len(able) <= k:
        return float(able.max()) if len(able) else -1.0
    return float(np.partition(able, k - 1)[k - 1])


def _first_copies(dense: Floats, hashes: Any) -> Indices:
    """Of bitwise equal rows the one of the lowest hash: the others cannot be picked before it."""
    order = np.argsort(hashes, kind="stable")
    first: dict[bytes, int] = {}
    for row in order.tolist():
        first.setdefault(blake2b((dense[row] + np.float32(0)).tobytes(), digest_size=16).digest(), row)
    return np.sort(np.fromiter(first.values(), dtype=np.int64))
