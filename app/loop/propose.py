"""One proposal: fit the learner, score the pool shard by shard, choose an ordered batch.

The algorithm of the papers: it knows no database and is seeded, so the same round gives the same choice, on any
number of threads and under any cut of the pool into shards. Memory does not grow with the pool.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.core.arrays import Booleans, Doubles, Floats, Indices
from app.core.block import Block, Rows, Shard
from app.learners import EXTERNAL, CannotFit, Model, make_learner
from app.loop.executors import Executor
from app.loop.words import words
from app.strategies import AUTO, Candidates, Context, Need, PoolStrategy, ScoredRows, keyed_hash, make_strategy

SAMPLE_ROWS = 2_048  # of the pool, uniform and the same every round: densities, class balance, the wall
BEST_ROWS = 2_000  # candidates kept by score
DRAWN_ROWS = 2_000  # and by the keyed hash, where the strategy explores
SAMPLE_KEY = 0x5EED

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Labelled:
    """Labelled rows: identities (n, 3), features, class shares (n, c), weights (n,), membership of the audit set."""

    ids: Indices
    block: Block
    targets: Floats
    weights: Doubles
    audit: Booleans

    def __len__(self) -> int:
        return int(self.ids.shape[0])

    def take(self, rows: Any) -> "Labelled":
        """The rows at the given positions (indices or a mask)."""
        return Labelled(self.ids[rows], self.block.take(rows), self.targets[rows], self.weights[rows], self.audit[rows])


@dataclass(frozen=True)
class Plan:
    """What a round is to do; everything that its outcome depends on besides the data."""

    classes: tuple[int, ...]
    multiple: bool
    modality: str
    strategy: str = AUTO
    strategy_parameters: Mapping[str, Any] = field(default_factory=dict)
    learner: str = AUTO
    learner_parameters: Mapping[str, Any] = field(default_factory=dict)
    size: int = 200
    seed: int = 0
    warm: Model | None = None
    given: Model | None = None  # an outside model, whose probabilities come with the rows; nothing is fitted


@dataclass(frozen=True)
class Proposal:
    """The chosen order, best first, and what it rests on."""

    ids: Indices  # (k, 3)
    scores: Floats  # (k,)
    probabilities: Floats | None  # (k, c)
    model: Model | None
    strategy: str  # what really ran
    sentence: str  # why this strategy
    fallback: str | None  # "random: only one class so far", where the strategy asked for could not run
    sample_ids: Indices
    sample_probabilities: Floats | None
    seconds: dict[str, float]


def propose(
    labelled: Labelled, shards: Sequence[Shard], plan: Plan, executor: Executor, progress: Progress
) -> Proposal:
    """Fit, score, choose. `progress` hears of each step and may raise to cancel.

    Cost: one pass over the pool's features, O(n d c), and O(candidates x sample x d) for the choice.

    Raises:
        ValueError: features or labels that are not finite.
    """
    clock = _Clock()
    model, why_not = _fit(labelled, plan)
    clock.lap("train")
    progress("sample", 0.1)
    sample = _sample(shards, executor)
    sample_probabilities = model.probabilities(sample.block) if model and len(sample.block) else None
    clock.lap("sample")
    if len(sample.block):
        strategy, sentence, fallback = _strategy(plan, model, why_not, labelled)
    else:
        strategy, sentence, fallback = make_strategy("random", {}), "Nothing is left to ask.", None
    context = Context(
        labelled=labelled.block,
        targets=labelled.targets,
        classes=len(plan.classes),
        multiple=plan.multiple,
        pool_rows=sum(shard.rows for shard in shards),
        sample=ScoredRows(sample.ids, sample.block, sample_probabilities),
        modality=plan.modality,
        seed=plan.seed,
        passes=lambda: _passes(shards),
    )
    rng = np.random.default_rng(plan.seed)
    state = strategy.prepare(context, rng)
    clock.lap("prepare")
    progress("score", 0.4)
    candidates = _score(shards, strategy, state, model, plan, executor)
    if sample.block.sparse is None and plan.given is None:
        candidates = _settled(candidates, strategy, state, model)
    clock.lap("score")
    progress("choose", 0.8)
    chosen = strategy.choose(candidates, min(plan.size, len(candidates)), state, rng)
    clock.lap("choose")
    return Proposal(
        ids=candidates.ids[chosen],
        scores=candidates.scores[chosen],
        probabilities=None if candidates.probabilities is None else candidates.probabilities[chosen],
        model=model,
        strategy=strategy.name,
        sentence=sentence,
        fallback=fallback,
        sample_ids=sample.ids,
        sample_probabilities=sample_probabilities,
        seconds=clock.laps,
    )


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, step: str) -> None:
        moment = time.monotonic()
        self.laps[step] = round(moment - self._last, 4)
        self._last = moment


def _fit(labelled: Labelled, plan: Plan) -> tuple[Model | None, str]:
    if not np.isfinite(labelled.block.dense).all():
        raise ValueError("a labelled item has features that are not finite")
    if plan.learner == EXTERNAL:
        return plan.given, "no predictions of your own model so far"
    try:
        learner = make_learner(plan.learner, plan.learner_parameters, labelled.block, len(plan.classes))
        model = learner.fit(
            labelled.block,
            labelled.targets,
            labelled.weights,
            multiple=plan.multiple,
            seed=plan.seed,
            warm=plan.warm,
        )
    except CannotFit as reason:
        return None, str(reason)
    return model, ""


def _strategy(
    plan: Plan, model: Model | None, why_not: str, labelled: Labelled
) -> tuple[PoolStrategy, str, str | None]:
    """The strategy that runs, why in one sentence, and what was asked for in vain."""
    if plan.strategy == AUTO:
        if model is None:
            return make_strategy("coverage", {}), f"Covering the pool: {why_not}.", None
        seen = int((labelled.targets.sum(axis=0) > 0).sum())
        sentence = (
            f"Uncertain items that stand for many others: {len(labelled):,} labelled items in {seen} of "
            f"{len(plan.classes)} classes; the more labels, the closer it looks at the boundary."
        )
        return make_strategy("uherding", dict(plan.strategy_parameters)), sentence, None
    strategy = make_strategy(plan.strategy, plan.strategy_parameters)
    if Need.PROBABILITIES in strategy.needs and model is None:
        return make_strategy("random", {}), f"{plan.strategy} needs a model.", f"random: {why_not}"
    return strategy, f"{plan.strategy}, as the project's settings say.", None


def _passes(shards: Sequence[Shard]) -> Iterator[Rows]:
    return (shard.load() for shard in shards)


def _sample(shards: Sequence[Shard], executor: Executor) -> Rows:
    """The rows with the lowest keyed hashes: uniform, fixed while the pool is, whatever the cut."""
    parts = list(executor.map_shards(_lowest, shards))
    ids = np.concatenate([part[0].ids for part in parts]) if parts else np.empty((0, 3), dtype=np.int64)
    if not parts:
        return Rows(ids, Block(np.empty((0, 1), dtype=np.float32)))
    order = np.argsort(np.concatenate([part[1] for part in parts]), kind="stable")[:SAMPLE_ROWS]
    return Rows(ids[order], Block.concatenate([part[0].block for part in parts]).take(order))


def _lowest(shard: Shard) -> tuple[Rows, Any]:
    rows = shard.load()
    hashes = keyed_hash(rows.ids, SAMPLE_KEY)
    keep = np.argsort(hashes, kind="stable")[:SAMPLE_ROWS]
    return Rows(rows.ids[keep], rows.block.take(keep)), hashes[keep]


def _score(
    shards: Sequence[Shard],
    strategy: PoolStrategy,
    state: Any,
    model: Model | None,
    plan: Plan,
    executor: Executor,
) -> Candidates:
    def one(shard: Shard) -> Candidates:
        rows = shard.load()
        if not len(rows.block):  # every item of the shard is answered or held
            return Candidates(rows.ids, rows.block, None, np.empty(0, dtype=np.float32), plan.seed)
        probabilities = model.probabilities(rows.block) if model is not None else None
        scores = strategy.score(ScoredRows(rows.ids, rows.block, probabilities), state)
        if not np.isfinite(scores).all():
            raise ValueError(f"strategy {strategy.name} gave a score that is not finite: the features are broken")
        everything = Candidates(rows.ids, rows.block, probabilities, scores, plan.seed)
        return _kept(everything, plan.size, strategy.explores)

    parts = [part for part in executor.map_shards(one, shards) if len(part)]
    if not parts:
        return Candidates(
            np.empty((0, 3), dtype=np.int64),
            Block(np.empty((0, 1), dtype=np.float32)),
            None,
            np.empty(0, dtype=np.float32),
            plan.seed,
        )
    merged = Candidates(
        np.concatenate([part.ids for part in parts]),
        Block.concatenate([part.block for part in parts]),
        None if parts[0].probabilities is None else np.concatenate([_given(part) for part in parts]),
        np.concatenate([part.scores for part in parts]),
        plan.seed,
    )
    return _kept(merged, plan.size, strategy.explores)


def _settled(candidates: Candidates, strategy: PoolStrategy, state: Any, model: Model | None) -> Candidates:
    """The candidates scored once more, all at once in the order of their hash.

    The last bits of a dense product depend on how many rows it has, so scores from shards depend on the cut.
    """
    if model is None or not len(candidates):
        return candidates
    probabilities = model.probabilities(candidates.block)
    scores = strategy.score(ScoredRows(candidates.ids, candidates.block, probabilities), state)
    return Candidates(candidates.ids, candidates.block, probabilities, scores, candidates.seed)


def _given(part: Candidates) -> Floats:
    assert part.probabilities is not None
    return part.probabilities


def _kept(everything: Candidates, size: int, explores: bool) -> Candidates:
    """The best by score and, where the strategy explores, as many by the keyed hash; in the order of the hash."""
    best = max(BEST_ROWS, size)
    if len(everything) > best:
        rows = everything.best(best)
        if explores:
            rows = np.union1d(rows, everything.by_hash()[: max(DRAWN_ROWS, size)])
    else:
        rows = np.arange(len(everything), dtype=np.int64)
    rows = rows[np.argsort(keyed_hash(everything.ids[rows], everything.seed), kind="stable")]
    probabilities = None if everything.probabilities is None else everything.probabilities[rows]
    dense = Block(np.ascontiguousarray(everything.block.dense[rows]))
    return Candidates(everything.ids[rows], dense, probabilities, everything.scores[rows], everything.seed)


__all__ = ["Labelled", "Plan", "Proposal", "propose", "words"]
