"""One pass over the pool: its fixed sample, and the candidates that a strategy's scores send up.

Memory holds the candidates and a shard a thread, whatever the pool's length: a shard only copies rows that can still
be among the best of all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from app.core.arrays import Booleans, Floats
from app.core.block import Block, Rows, Shard
from app.learners import Model
from app.loop.executors import Executor
from app.strategies import KEEPS, Candidates, Need, PoolStrategy, ScoredRows, keyed_hash

SAMPLE_ROWS = 2_048  # of the pool, uniform and the same every round: densities, class balance, the wall
SAMPLE_KEY = 0x5EED
MORE_THAN_WANTED = 1.5  # times as many rows as a draw is to have are copied for it: some may not be asked
ALL = 2**64 - 1  # no hash is above it

P = TypeVar("P")
R = TypeVar("R")


def over(shards: Sequence[Shard], executor: Executor) -> Callable[..., list[Any]]:
    """What `Context.over` is: maps a function over the rows of every shard; results in the order of the shards."""

    def mapped(function: Callable[..., R], *each: Sequence[Any]) -> list[R]:
        def some(calls: Sequence[tuple[int, Shard, tuple[Any, ...]]]) -> list[tuple[int, R]]:
            return [(number, function(number, shard.load(), *more)) for number, shard, more in calls]

        numbered = ((number, shard, tuple(args[number] for args in each)) for number, shard in enumerate(shards))
        groups = _grouped(numbered, lambda call: call[1].rows, executor.rows_at_once)
        found = [pair for part in executor.map_shards(some, groups) for pair in part]
        return [result for _, result in sorted(found, key=lambda pair: pair[0])]

    return mapped


def _grouped(parts: Iterable[P], rows_of: Callable[[P], int], least: int) -> Iterator[list[P]]:
    """The parts in groups of at least so many rows, but for the last one."""
    group: list[P] = []
    rows = 0
    for part in parts:
        group.append(part)
        rows += rows_of(part)
        if rows >= least:
            yield group
            group, rows = [], 0
    if group:
        yield group


def sample_of(shards: Sequence[Shard], executor: Executor) -> Rows:
    """The rows with the lowest keyed hashes: uniform, fixed while the pool is, whatever the cut.

    Hashes are uniform, so it is known about how low they will be: few rows are copied that are not wanted in the end,
    and where too few were below, the pool is looked at once more.
    """
    share = MORE_THAN_WANTED * SAMPLE_ROWS / max(sum(shard.rows for shard in shards), 1)
    if share < 1:
        found = _sampled(shards, executor, int(share * ALL))
        if len(found.ids) == SAMPLE_ROWS:
            return found
    return _sampled(shards, executor, ALL)


def _sampled(shards: Sequence[Shard], executor: Executor, limit: int) -> Rows:
    """The rows with the lowest hashes up to the limit, which falls while the shards come in."""

    def lowest(given: tuple[Sequence[Shard], int]) -> tuple[Rows, Any]:
        return _lowest_of([_lowest_in(shard, given[1]) for shard in given[0]])

    groups = _grouped(shards, lambda shard: shard.rows, executor.rows_at_once)
    merged: list[tuple[Rows, Any]] = []
    for part in executor.map_shards(lowest, ((group, limit) for group in groups)):
        merged.append(part)
        if sum(len(hashes) for _, hashes in merged) >= 2 * SAMPLE_ROWS:
            merged = [_lowest_of(merged)]
            limit = int(merged[0][1][-1])
    if not merged:
        return Rows(np.empty((0, 3), dtype=np.int64), Block(np.empty((0, 1), dtype=np.float32)))
    return _lowest_of(merged)[0]


def _lowest_in(shard: Shard, limit: int) -> tuple[Rows, Any]:
    rows, kept = shard.mapped()
    hashes = keyed_hash(rows.ids, SAMPLE_KEY)
    able = hashes <= np.uint64(limit)
    places = np.flatnonzero(able if kept is None else able & kept)
    keep = places[np.argsort(hashes[places], kind="stable")[:SAMPLE_ROWS]]
    return Rows(rows.ids[keep], rows.block.take(keep)), hashes[keep]


def _lowest_of(parts: Sequence[tuple[Rows, Any]]) -> tuple[Rows, Any]:
    hashes = np.concatenate([part[1] for part in parts])
    ids = np.concatenate([part[0].ids for part in parts])
    order = np.argsort(hashes, kind="stable")[:SAMPLE_ROWS]
    return Rows(ids[order], Block.concatenate([part[0].block for part in parts]).take(order)), hashes[order]


@dataclass
class _Limit:
    """What a row must beat to be among the candidates; falls into place while the shards come in.

    Each part of the pool carries what is known when its turn comes: a row too many is kept, never one too few.
    """

    keeps: int
    draws: int
    score: float = -np.inf
    score_hash: int = 2**64 - 1
    drawn_hash: int = 2**64 - 1

    def admits(self, scores: Floats, hashes: Any) -> Booleans:
        """The rows (n,) that can still be kept, by score or by a low hash."""
        worthy = (scores > self.score) | ((scores == self.score) & (hashes <= np.uint64(self.score_hash)))
        if self.draws:
            worthy |= hashes <= np.uint64(self.drawn_hash)
        return np.asarray(worthy, dtype=np.bool_)

    def rows(self, scores: Floats, hashes: Any) -> Any:
        """The positions of what is kept, in the order of the hash."""
        by_hash = np.argsort(hashes, kind="stable")
        by_score = by_hash[np.argsort(-scores[by_hash], kind="stable")][: self.keeps]
        kept = np.zeros(len(scores), dtype=np.bool_)
        kept[by_score] = True
        kept[by_hash[: self.draws]] = True
        return by_hash[kept[by_hash]]

    def tighten(self, merged: Candidates, hashes: Any) -> None:
        """Learn from the best so far."""
        if len(merged) < self.keeps:
            return
        last = merged.best(self.keeps)[-1]
        self.score_hash = int(hashes[last])
        self.score = float(merged.scores[last])
        if self.draws and len(merged) >= self.draws:
            self.drawn_hash = int(np.partition(hashes, self.draws - 1)[self.draws - 1])


def candidates_of(
    shards: Sequence[Shard],
    strategy: PoolStrategy,
    state: Any,
    model: Model | None,
    *,
    seed: int,
    size: int,
    executor: Executor,
    again: bool,
    wider: int = 1,
) -> Candidates:
    """The best rows by score and, where the strategy explores, as many by the keyed hash; in the order of the hash.

    `wider` keeps so many times more of them by score. `again` says that the model can be asked once more from the
    candidates' dense rows: see `_settled`.

    Raises:
        ValueError: a score is not finite.
    """
    keeps = wider * kept_by(strategy, size)
    limit = _Limit(keeps, keeps if strategy.explores else 0)
    share = MORE_THAN_WANTED * keeps / max(sum(shard.rows for shard in shards), 1)

    def scored(shard: Shard, mine: _Limit) -> Candidates:
        return _scored(shard, strategy, state, model, seed, mine)

    found = _none(1, seed)
    if getattr(strategy, "drawn", False) and share < 1:
        found = _best_of(
            shards, scored, executor, replace(limit, draws=0, score=0.0, score_hash=int(share * ALL)), seed
        )
    if len(found) < keeps:
        found = _best_of(shards, scored, executor, limit, seed)
    return _settled(found, strategy, state, model if again else None)


def _best_of(
    shards: Sequence[Shard],
    scored: Callable[[Shard, _Limit], Candidates],
    executor: Executor,
    limit: _Limit,
    seed: int,
) -> Candidates:
    """The best rows above the limit, which rises while the shards come in."""

    def some(given: tuple[Sequence[Shard], _Limit]) -> Candidates:
        mine, merged = given[1], _none(1, seed)
        for shard in given[0]:
            part = scored(shard, mine)
            merged = part if not len(merged) else _merged([merged, part], mine)
        return merged

    groups = _grouped(shards, lambda shard: shard.rows, executor.rows_at_once)
    merged = _none(1, seed)
    waiting: list[Candidates] = []
    for part in executor.map_shards(some, ((group, replace(limit)) for group in groups)):
        if not len(part):
            continue
        waiting.append(part)
        if sum(map(len, waiting)) >= limit.keeps or not len(merged):
            merged, waiting = _merged([merged, *waiting], limit), []
    return _merged([merged, *waiting], limit)


def _scored(
    shard: Shard, strategy: PoolStrategy, state: Any, model: Model | None, seed: int, limit: _Limit
) -> Candidates:
    """The rows of a shard that can be candidates, with their scores. Rows that may not be asked are scored with the
    others where they are few: leaving them out first would copy the shard.
    """
    rows, kept = shard.mapped()
    if kept is not None and 2 * np.count_nonzero(kept) < len(kept):
        rows, kept = Rows(rows.ids[kept], rows.block.take(kept)), None
    if not len(rows.block):  # every item of the shard is answered or held
        return _none(rows.block.dense.shape[1], seed)
    needed = Need.PROBABILITIES in strategy.needs
    probabilities = model.probabilities(rows.block) if needed and model is not None else None
    scores = strategy.score(ScoredRows(rows.ids, rows.block, probabilities), state)
    if not np.isfinite(scores).all():
        raise ValueError(f"strategy {strategy.name} gave a score that is not finite: the features are broken")
    able = limit.admits(scores, hashes := keyed_hash(rows.ids, seed))
    places = np.flatnonzero(able if kept is None else able & kept)
    places = places[limit.rows(scores[places], hashes[places])]
    if probabilities is not None:
        return _taken(rows, probabilities[places], scores, places, seed)
    # What the strategy does not look at is only made for the rows that it wants.
    return _taken(rows, None if model is None else model.probabilities(rows.block.take(places)), scores, places, seed)


def kept_by(strategy: PoolStrategy, size: int) -> int:
    """How many candidates are kept by score."""
    return max(int(getattr(strategy, "keeps", KEEPS)), size)


def _none(width: int, seed: int) -> Candidates:
    nothing = np.empty((0, width), dtype=np.float32)
    return Candidates(np.empty((0, 3), dtype=np.int64), Block(nothing), None, np.empty(0, dtype=np.float32), seed)


def _taken(rows: Rows, probabilities: Floats | None, scores: Floats, kept: Any, seed: int) -> Candidates:
    dense = np.ascontiguousarray(rows.block.dense[kept])
    return Candidates(rows.ids[kept], Block(dense), probabilities, scores[kept], seed)


def _merged(parts: Sequence[Candidates], limit: _Limit) -> Candidates:
    parts = [part for part in parts if len(part)] or list(parts[:1])
    ids = np.concatenate([part.ids for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    chances = [part.probabilities for part in parts if part.probabilities is not None]
    probabilities = np.concatenate(chances) if chances else None
    dense = np.concatenate([part.block.dense for part in parts])
    hashes = keyed_hash(ids, parts[0].seed)
    kept = limit.rows(scores, hashes)
    chosen = None if probabilities is None else probabilities[kept]
    merged = _taken(Rows(ids, Block(dense)), chosen, scores, kept, parts[0].seed)
    limit.tighten(merged, hashes[kept])
    return merged


def _settled(candidates: Candidates, strategy: PoolStrategy, state: Any, model: Model | None) -> Candidates:
    """The candidates scored once more, all at once in the order of their hash.

    The last bits of a dense product depend on how many rows it has, so scores from shards depend on the cut. Sparse
    products do not, the dense one beside them is of twice the precision, and probabilities are given: those stay as
    they were (`model` is None).
    """
    if not len(candidates):
        return candidates
    probabilities = candidates.probabilities if model is None else model.probabilities(candidates.block)
    scores = strategy.score(ScoredRows(candidates.ids, candidates.block, probabilities), state)
    return Candidates(candidates.ids, candidates.block, probabilities, scores, candidates.seed)
