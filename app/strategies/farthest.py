"""Farthest-first traversal of a mapped pool: the exact greedy k-center order without a pass a pick.

How near a row is to the centers only ever grows, so an old value is a lower bound. A small set of rows that hold every
row below a bound is kept in memory, and picks are made in it until one would have to lie above the bound; only then
are stale rows brought up to date, and only those that can still matter.

Products of float32 end in other bits under another cut of the pool. They therefore only exclude: rows that lie within
the rounding error of the best are compared in float64, and equal ones by the keyed hash.

Source of the greedy rule: Gonzalez. Clustering to Minimize the Maximum Intercluster Distance. Theoretical Computer
Science 38, 1985. Lazy bounds: Minoux. Accelerated greedy algorithms. 1978.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from app.core.arrays import Booleans, Floats, Indices
from app.core.block import Rows
from app.strategies.base import keyed_hash
from app.strategies.picked import Picked

SAME = 1 - 1e-4  # the cosine from which a row counts as a copy of a center; copies come last
NEAR_ROWS = 8_192  # about as many rows are held in memory between two looks at the pool, at the least
NEAR_SHARE = 64  # or one in so many of the pool
FIRST_CENTERS = 128  # of the labelled ones, that every row is compared with
ROWS_AT_ONCE = 8_192
ROUNDING = 2.0**-24  # of a float32
ABOVE_ALL = np.float32(4.0)  # a row that cannot be picked

Over = Callable[..., list[Any]]


class Farthest:
    """One traversal: `pick(k)` gives the next k rows, each as far as possible from all centers before it.

    Rows of zeros say nothing about where they lie and come last. Memory: 8 bytes a row of the pool, the centers, and
    some thousand rows.
    """

    def __init__(self, over: Over, seed: int, centers: Floats) -> None:
        self._over = over  # what it is given may go to another machine, so it never closes over `self`
        self._seed = seed
        self._centers = _spread_first(centers[centers.any(axis=1)])
        self._picked: list[tuple[Indices, float]] = []
        sizes = over(lambda _number, rows: len(rows.block))
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._like = np.full(int(self._starts[-1]), ABOVE_ALL, dtype=np.float32)  # lower bounds of the nearest cosine
        self._seen = np.zeros(len(self._like), dtype=np.int32)  # how many centers each bound has met
        self._near: _Near | None = None
        self._held_rows = max(NEAR_ROWS, len(self._like) // NEAR_SHARE)

    def pick(self, k: int) -> Picked:
        """The order of min(k, n) rows, with the distance 1 - cosine in [0, 2] at which each was picked."""
        k = min(k, len(self._like))
        if k and not len(self._centers):
            self._pick_any()
        if len(self._centers):
            self._compare_all()
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

    def _compare_all(self) -> None:
        """Compare every row with the first centers."""
        first = min(FIRST_CENTERS, len(self._centers))
        some = self._centers[:first]
        picked = np.array([ids for ids, _ in self._picked], dtype=np.int64).reshape(-1, 3)

        def compare(_number: int, rows: Rows) -> Floats:
            dense = rows.block.dense
            like = _nearest(dense, np.arange(len(dense)), some)
            like[_zeros(dense)] = ABOVE_ALL
            for ids in picked:
                like[(rows.ids == ids).all(axis=1)] = ABOVE_ALL
            return like

        for number, like in enumerate(self._over(compare)):
            self._slice(self._like, number)[:] = like
        self._seen[:] = first

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
        if self._near is not None:
            self._like[self._near.rows] = self._near.like
            self._seen[self._near.rows] = len(self._centers)
        rounding = (self._centers.shape[1] + 8) * ROUNDING
        bound, upto, going_on = float(ABOVE_ALL), FIRST_CENTERS, True
        while going_on:
            # The lowest rows first and against every center: what they come to lets most others off the next centers.
            self._advance(_smallest(self._like, self._held_rows), len(self._centers))
            known = _smallest(self._like[self._seen == len(self._centers)], self._held_rows // 4)
            bound, upto = min(bound, known + 4 * rounding), 2 * upto
            going_on = self._advance(bound, upto)
        stale = self._like[self._seen < len(self._centers)]
        lowest = float(np.nextafter(stale.min(), np.float32(-2))) if len(stale) else float(ABOVE_ALL)
        bound = min(lowest, _smallest(self._like, self._held_rows) + 4 * rounding)
        self._near = self._held(bound, rounding)
        return self._near

    def _advance(self, bound: float, upto: int) -> bool:
        """Compare the stale rows below the bound with more centers, up to a number; False when none was stale."""
        end = len(self._centers)
        stale = (self._like <= bound) & (self._seen < end)
        if not stale.any():
            return False
        centers = self._centers

        def compare(_number: int, rows: Rows, old: Booleans, like: Floats, seen: Indices) -> tuple[Indices, Floats]:
            local = np.flatnonzero(old)
            like, seen = like[local], seen[local]
            for before in np.unique(seen):
                mine = np.flatnonzero(seen == before)
                some = centers[before : _until(before, upto, end)]
                like[mine] = np.maximum(like[mine], _nearest(rows.block.dense, local[mine], some))
            return local, like

        mine = self._each(stale), self._each(self._like), self._each(self._seen)
        for number, (local, like) in enumerate(self._over(compare, *mine)):
            self._slice(self._like, number)[local] = like
            seen = self._slice(self._seen, number)
            seen[local] = _until(seen[local], upto, end)
        return True

    def _held(self, bound: float, rounding: float) -> "_Near":
        seed = self._seed

        def copied(_number: int, rows: Rows, like: Floats, start: int) -> tuple[Indices, Indices, Floats]:
            local = np.flatnonzero(like <= bound)
            local = local[_first_copies(rows.block.dense[local], keyed_hash(rows.ids[local], seed))]
            return local + start, rows.ids[local], rows.block.dense[local]

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


def _nearest(dense: Floats, rows: Indices, centers: Floats) -> Floats:
    """The cosine (m,) of each of the rows to the nearest center; some thousand rows at a time, copied where few."""
    across = np.ascontiguousarray(centers.T)
    if 2 * len(rows) > len(dense):  # reading on is faster than picking out
        parts = [(dense[s : s + ROWS_AT_ONCE] @ across).max(axis=1) for s in range(0, len(dense), ROWS_AT_ONCE)]
        return np.concatenate(parts)[rows]
    starts = range(0, len(rows), ROWS_AT_ONCE)
    parts = [(dense[rows[s : s + ROWS_AT_ONCE]] @ across).max(axis=1) for s in starts]
    return np.concatenate([np.empty(0, dtype=np.float32), *parts])


def _until(seen: Any, upto: int, end: int) -> Any:
    return np.minimum(np.maximum(upto, seen + FIRST_CENTERS), end)


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
    if len(dense) < 2:
        return np.arange(len(dense), dtype=np.int64)
    order = np.argsort(hashes, kind="stable")
    bits = np.ascontiguousarray(dense[order] + np.float32(0)).view(np.dtype((np.void, dense.shape[1] * 4))).ravel()
    _, first = np.unique(bits, return_index=True)
    return np.sort(order[first])


def _spread_first(centers: Floats) -> Floats:
    """The same centers, each of the first ones far from those before it, so that few bounds already say much."""
    if len(centers) <= FIRST_CENTERS:
        return centers
    like = np.full(len(centers), -2.0, dtype=np.float32)
    order: list[int] = []
    row = 0
    for _ in range(FIRST_CENTERS):
        order.append(row)
        like = np.maximum(like, centers @ centers[row])
        like[row] = ABOVE_ALL
        row = int(like.argmin())
    rest = np.setdiff1d(np.arange(len(centers)), order)
    return np.ascontiguousarray(centers[[*order, *rest]])
