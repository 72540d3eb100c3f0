"""One proposal: fit the learner, score the pool shard by shard, choose an ordered batch.

The algorithm of the papers: it knows no database and is seeded, so the same round gives the same choice, on any
number of threads and under any cut of the pool into shards. Memory does not grow with the pool.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from app.core.arrays import Booleans, Doubles, Floats, Indices
from app.core.block import Block, Shard
from app.learners import OUTSIDE, CannotFit, Model, make_learner
from app.loop.executors import Executor
from app.loop.needs import NONE, Aims, heads_for, missing
from app.loop.pricing import Pricing, priced, wider
from app.loop.scoring import candidates_of, kept_by, over, sample_of
from app.loop.words import words
from app.strategies import AUTO, OF_WORDS, Candidates, Context, Need, PoolStrategy, ScoredRows, make_strategy

Progress = Callable[[str, float], None]

NO_WEIGHT = " No candidate has a weight above nought."
SAME = 1e-6  # between probabilities that differ by rounding alone


def unheard(step: str, fraction: float) -> None:
    """The progress of what nobody waits for."""


@dataclass(frozen=True)
class Labelled:
    """Labelled rows: identities (n, 3), features, class shares (n, c), weights (n,), membership of the audit set.

    `chosen` (n,) marks those that a strategy asked for and `order` (n,) grows with the time of their answers; what
    compares chosen with random labels needs both, a round does without.
    """

    ids: Indices
    block: Block
    targets: Floats
    weights: Doubles
    audit: Booleans
    chosen: Booleans | None = None
    order: Indices | None = None

    def __len__(self) -> int:
        return int(self.ids.shape[0])

    def take(self, rows: Any) -> "Labelled":
        """The rows at the given positions (indices or a mask)."""
        chosen = None if self.chosen is None else self.chosen[rows]
        order = None if self.order is None else self.order[rows]
        mine = self.ids[rows], self.block.take(rows), self.targets[rows], self.weights[rows], self.audit[rows]
        return Labelled(*mine, chosen, order)


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
    values: tuple[float, ...] | None = None  # the numbers that the classes stand for, in a rating
    given: Model | None = None  # an outside model, whose probabilities come with the rows; nothing is fitted
    apart: bool = False  # audit answers judge and teach nothing

    @property
    def guarded(self) -> bool:
        """Whether `auto` chooses, its guard is left on, and the learner can be taught anew to compare."""
        return self.strategy == AUTO and self.given is None and self.strategy_parameters.get("guard", True) is True


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
    best: Indices  # items of the candidates with the highest scores, chosen or not


def propose(
    labelled: Labelled,
    shards: Sequence[Shard],
    plan: Plan,
    executor: Executor,
    progress: Progress,
    *,
    samples: Sequence[Shard] | None = None,
    pool_rows: int | None = None,
    pricing: Pricing | None = None,
    aims: Aims | None = None,
) -> Proposal:
    """Fit, score, choose. `progress` hears of each step and may raise to cancel.

    Where the shards are a part of the pool, `samples` are those that stand for the whole of it, of `pool_rows` rows.
    `pricing` weighs the candidates by what they cost, where it can; `aims` are for strategies that ask for them.

    Cost: one pass over the pool's features, O(n d c), and O(candidates x sample x d) for the choice.

    Raises:
        ValueError: features or labels that are not finite.
    """
    if plan.apart:
        labelled = labelled.take(~labelled.audit)
    clock = _Clock()
    model, why_not = _fit(labelled, plan)
    clock.lap("train")
    progress("sample", 0.1)
    sample = sample_of(shards if samples is None else samples, executor)
    if not np.isfinite(sample.block.dense).all():
        raise ValueError("an item of the pool has features that are not finite")
    sample_probabilities = model.probabilities(sample.block) if model and len(sample.block) else None
    clock.lap("sample")
    if len(sample.block):
        blind = sample_probabilities is not None and not tells_apart(sample_probabilities)
        strategy, sentence, fallback = _strategy(plan, model, why_not, labelled, blind, aims)
    else:
        strategy, sentence, fallback = make_strategy("random", {}), "Nothing is left to ask.", None
    context = Context(
        labelled=labelled.block,
        targets=labelled.targets,
        classes=len(plan.classes),
        multiple=plan.multiple,
        pool_rows=sum(shard.rows for shard in shards) if pool_rows is None else pool_rows,
        sample=ScoredRows(sample.ids, sample.block, sample_probabilities),
        modality=plan.modality,
        seed=plan.seed,
        size=plan.size,
        labelled_probabilities=None if model is None or plan.given else model.probabilities(labelled.block),
        heads=heads_for(strategy, labelled, plan.multiple, plan.seed),
        over=over(shards, executor),
        values=plan.values,
        examples=None if aims is None else aims.examples,
    )
    rng = np.random.default_rng(plan.seed)
    state = strategy.prepare(context, rng)
    clock.lap("prepare")
    progress("score", 0.4)
    again = sample.block.sparse is None and plan.given is None
    candidates = candidates_of(
        shards, strategy, state, model, seed=plan.seed, size=plan.size, executor=executor, again=again,
        wider=wider(strategy, pricing),
    )  # fmt: skip
    clock.lap("score")
    candidates, told = priced(candidates, strategy, pricing)
    if aims is not None:
        candidates, more = _weighed(candidates, strategy, aims)
        told += more
    progress("choose", 0.8)
    chosen = strategy.choose(candidates, min(plan.size, len(candidates)), state, rng)
    clock.lap("choose")
    return Proposal(
        ids=candidates.ids[chosen],
        scores=candidates.scores[chosen],
        probabilities=None if candidates.probabilities is None else candidates.probabilities[chosen],
        model=model,
        strategy=strategy.name,
        sentence=sentence + told,
        fallback=fallback,
        sample_ids=sample.ids,
        sample_probabilities=sample_probabilities,
        seconds=clock.laps,
        best=candidates.ids[candidates.best(kept_by(strategy, plan.size)), 0],
    )


def _weighed(candidates: Candidates, strategy: PoolStrategy, aims: Aims) -> tuple[Candidates, str]:
    """The candidates with their weights where the strategy needs some, and what is said of it."""
    if not {Need.EXAMPLES, Need.WEIGHTS} & strategy.needs:
        return candidates, ""
    if Need.WEIGHTS not in strategy.needs or aims.weights is None:
        return candidates, aims.told
    weights = aims.weights(candidates.ids)
    none = len(weights) and not (weights > 0).any()
    return replace(candidates, weights=weights), aims.told + (
        " No candidate has a weight above nought." if none else ""
    )


def tells_apart(probabilities: Floats) -> bool:
    """Whether the probabilities (n, c) of any two rows differ; a single row cannot say."""
    return len(probabilities) < 2 or bool((np.ptp(probabilities, axis=0) > SAME).any())


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
    if plan.learner in OUTSIDE:
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
    plan: Plan, model: Model | None, why_not: str, labelled: Labelled, blind: bool, aims: Aims | None
) -> tuple[PoolStrategy, str, str | None]:
    """The strategy that runs, why in one sentence, and what was asked for in vain.

    `blind`: the model says the same of every item, so that nothing is more doubtful than the rest.
    """
    if plan.strategy == AUTO:
        if blind:
            return make_strategy("coverage", {}), "Covering the pool: the model says the same of every item.", None
        if model is None:
            return make_strategy("coverage", {}), f"Covering the pool: {why_not}.", None
        seen = int((labelled.targets.sum(axis=0) > 0).sum())
        sentence = (
            f"Uncertain items that stand for many others: {len(labelled):,} labelled items in {seen} of "
            f"{len(plan.classes)} classes; the more labels, the closer it looks at the boundary."
        )
        suited = {} if labelled.block.sparse is None else OF_WORDS
        return make_strategy(AUTO, {**suited, **plan.strategy_parameters}), sentence, None
    strategy = make_strategy(plan.strategy, plan.strategy_parameters)
    for need in sorted(strategy.needs):
        no_model = why_not if not model else ""
        asked = plan.multiple, plan.learner in OUTSIDE, len(labelled), no_model
        if lack := missing(need, *asked, numbers=plan.values is not None, aims=aims or NONE):
            return make_strategy("random", {}), f"{plan.strategy} needs {need}.", f"random: {lack}"
    if lack := _unfit(strategy, len(plan.classes)):
        return make_strategy("random", {}), f"{plan.strategy} cannot be used: {lack}.", f"random: {lack}"
    return strategy, f"{plan.strategy}, as the project's settings say.", None


def _unfit(strategy: PoolStrategy, classes: int) -> str:
    """Why a strategy cannot work with so many classes, if it says so."""
    said = getattr(strategy, "unfit", None)
    return "" if said is None else str(said(classes))


__all__ = ["Labelled", "Plan", "Proposal", "propose", "tells_apart", "words"]
