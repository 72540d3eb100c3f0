"""Replaying a labelled set: the same rounds as the server runs, driven by known labels, without a server.

A replay goes round by round, and what it has is plain data, so it can be put down and taken up. Audit items are drawn,
charged and cross-fitted as they are in a project; accuracy is measured on rows that no run ever labels.
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from app.core.arrays import Booleans, Floats, Indices
from app.core.block import Block, Rows
from app.core.errors import AppError, Invalid
from app.evaluation.curves import labels_to
from app.evaluation.guard import Guard
from app.evaluation.metrics import hits
from app.learners import Model, make_learner
from app.loop.executors import Executor, LocalExecutor
from app.loop.guarding import guarded, twin
from app.loop.marks import learner_mark, title_of
from app.loop.memory import PeakMemory
from app.loop.named import BASELINE, Named
from app.loop.propose import Labelled, Plan, Proposal, propose
from app.loop.serving import audit_reserved, draw, slot_kind
from app.loop.sets import Dataset
from app.strategies import AUTO

ROUND_SIZE = 20
RESULTS = 8  # raised whenever the same run would end otherwise, so that old files are not read as new ones


@dataclass(frozen=True)
class Conditions:
    """Under what a set is replayed; `noise` is the share of answers that name a wrong class."""

    labels: int = 600
    round_size: int = ROUND_SIZE
    noise: float = 0.0
    audit_share: float = 0.1
    learner: str = AUTO
    learner_parameters: dict[str, Any] = field(default_factory=dict)
    apart: bool = False  # audit answers teach nothing

    def __post_init__(self) -> None:
        """Raise Invalid for what cannot be."""
        if self.labels < 1 or self.round_size < 1:
            raise Invalid("labels and the round size are 1 or more")
        if not 0 <= self.noise < 1:
            raise Invalid("noise is a share from 0 to less than 1", fields={"noise": self.noise})

    def rounds(self, rows: int) -> int:
        """How many rounds a run takes in a pool of so many rows: one an order, and one for the last labels."""
        return math.ceil(min(self.labels, rows) / self.round_size) + 1


@dataclass
class Run:
    """One replay: accuracy on the held-out rows after each round.

    `refused` says why the strategy could not run; then the curve ends there. `choosing` are the seconds of all rounds
    without fitting the learner, `peak_bytes` what a round needed at most beyond what was held before it. `guard` is the
    no-harm guard as it stands, `guarded` the rounds that were served with it up, `drawn` what was drawn for it from the
    rows that are not reserved.
    """

    dataset: str
    strategy: str
    seed: int
    labels: list[int] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    audit_labels: int = 0
    fallbacks: list[str] = field(default_factory=list)
    seconds: float = 0.0
    order: list[int] = field(default_factory=list)
    rounds: int = 0
    choosing: float = 0.0
    peak_bytes: int | None = None
    refused: str | None = None
    guard: dict[str, Any] | None = None
    guarded: list[int] = field(default_factory=list)
    drawn: list[int] = field(default_factory=list)

    @property
    def mean_accuracy(self) -> float:
        """The mean over the curve."""
        return float(np.mean(self.accuracy)) if self.accuracy else 0.0

    def labels_to(self, target: float) -> int | None:
        """The first number of labels at which the accuracy is reached; None when it never is."""
        return labels_to(self.labels, self.accuracy, target)


@dataclass(frozen=True)
class OpenRows:
    """The pool's rows that may still be queried, as one shard."""

    block: Block
    open_rows: Indices

    @property
    def rows(self) -> int:
        return int(self.open_rows.size)

    def load(self) -> Rows:
        return Rows(_ids(self.open_rows), self.block.take(self.open_rows))

    def mapped(self) -> tuple[Rows, None]:
        return self.load(), None


def _ids(rows: Indices) -> Indices:
    """Identities (item, unit, revision) as an empty server gives them to items that are pushed in this order."""
    ids = np.zeros((rows.size, 3), dtype=np.int64)
    ids[:, 0], ids[:, 2] = rows + 1, 1
    return ids


class Replay:
    """One run in the making; `run` is all that is needed to go on from where it is.

    `random` is the honest baseline: it pays no audit share, since all of its labels are a random sample.
    """

    def __init__(
        self,
        dataset: Dataset,
        run: Run,
        conditions: Conditions,
        parameters: dict[str, Any] | None = None,
        name: str | None = None,
        watch: Callable[[Proposal], None] | None = None,
    ) -> None:
        """`name` and `parameters` are the strategy that runs; the name is the run's own unless it is given.

        `watch` is told of each round's proposal before its batch is answered.
        """
        self.run = run
        self._watcher = watch
        self._dataset = dataset
        self._conditions = conditions
        self._name = name or run.strategy
        self._parameters = parameters or {}
        self._share = 0.0 if self._name == BASELINE else conditions.audit_share
        self._answers = answers(dataset, run.seed, conditions.noise)
        keys = dataset.keys
        self._reserved: Booleans = np.array([audit_reserved(run.seed, key, self._share) for key in keys])
        held = sorted(np.flatnonzero(self._reserved), key=lambda row: draw(run.seed, keys[row]))
        taken = set(run.order)
        self._audit_order = [int(row) for row in held if int(row) not in taken]
        self._goal = min(conditions.labels, len(keys))
        self._over = False

    def step(self, executor: Executor) -> bool:
        """Work one round: propose, judge, answer a batch. True when the run is over.

        A strategy that refuses, or fails, ends its run with the reason.
        Cost: a fit, a pass over the pool and a pass over the held-out rows.
        """
        if self._over:
            return True
        begun = time.monotonic()
        self.run.rounds += 1
        labelled, plan, half = self._labelled(), self._plan(), Guard.from_json(self.run.guard).raised
        try:
            with PeakMemory() as memory:
                proposal = propose(labelled, [self._open()], plan, executor, lambda _step, _fraction: None)
        except (AppError, ValueError) as error:
            self._refuse(str(error))
        except Exception as error:  # a strategy of somebody's package may raise anything; the others shall still run
            self._refuse(f"{type(error).__name__}: {error}")
        else:
            self._note(proposal, memory)
            if self._watcher is not None:
                self._watcher(proposal)
            if half:
                self.run.guarded.append(self.run.rounds)
            if proposal.model is not None:
                self._watch(labelled, plan)
            self._answer([int(item) - 1 for item in proposal.ids[:, 0]], half)
        self.run.seconds = round(self.run.seconds + time.monotonic() - begun, 4)
        return self._over

    def state(self) -> tuple[Labelled, Plan]:
        """What the next round would learn from, and what it would do."""
        return self._labelled(), self._plan()

    def _refuse(self, reason: str) -> None:
        self.run.refused, self._over = reason[:2_000], True

    def _note(self, proposal: Proposal, memory: PeakMemory) -> None:
        run = self.run
        run.choosing = round(run.choosing + sum(proposal.seconds.values()) - proposal.seconds["train"], 4)
        if memory.bytes is not None:
            run.peak_bytes = max(run.peak_bytes or 0, memory.bytes)
        if proposal.fallback:
            run.fallbacks.append(f"round {run.rounds}: {proposal.fallback}")
            if proposal.model is not None:  # what is lacking now will never come
                return self._refuse(proposal.fallback.partition(": ")[2])
        if run.order:
            run.labels.append(len(run.order))
            run.accuracy.append(self._accuracy(proposal.model))
        return None

    def _watch(self, labelled: Labelled, plan: Plan) -> None:
        """The guard after a round, by the twin that the server would look at."""
        guard = Guard.from_json(self.run.guard)
        if plan.guarded and guard.waits_for(self.run.audit_labels):
            self.run.guard = guarded(twin(labelled, plan), plan, guard).to_json()

    def _answer(self, queue: list[int], half: bool) -> None:
        """Give the answers of one batch, from the order and from the audit order as the server would.

        `half`: the guard is up, so half of them are random, from all other rows where no audit row is left.
        """
        order, room = self.run.order, len(queue) + len(self._audit_order)
        if self._over or len(order) >= self._goal or room == 0:
            self._over = True
            return
        for _ in range(min(self._conditions.round_size, self._goal - len(order), room)):
            kind = slot_kind(self.run.seed, len(order), self.run.audit_labels, self._share, guarded=half)
            if (kind == "audit" or not queue) and self._audit_order:
                order.append(self._audit_order.pop(0))
                self.run.audit_labels += 1
            elif kind == "audit" and half:
                order.append(self._drawn())
                self.run.drawn.append(order[-1])
                queue = [row for row in queue if row != order[-1]]
            elif queue:
                order.append(queue.pop(0))

    def _drawn(self) -> int:
        """The first open row of the seeded random order that is not reserved."""
        rows, keys = self._open().open_rows, self._dataset.keys
        return int(min(rows, key=lambda row: draw(self.run.seed, keys[row])))

    def _open(self) -> OpenRows:
        """The rows that are neither answered nor reserved."""
        closed = self._reserved.copy()
        closed[np.array(self.run.order, dtype=np.int64)] = True
        return OpenRows(self._dataset.pool, np.flatnonzero(~closed))

    def _labelled(self) -> Labelled:
        rows = np.array(self.run.order, dtype=np.int64)
        audit = self._reserved[rows]
        features, order = self._dataset.pool.take(rows), 1 + np.arange(rows.size)
        chosen = ~audit & ~np.isin(rows, self.run.drawn)
        return Labelled(_ids(rows), features, self._answers[rows], np.ones(rows.size), audit, chosen, order)

    def _plan(self) -> Plan:
        data, run = self._dataset, self.run
        return Plan(
            classes=tuple(range(len(data.classes))),
            multiple=data.multiple,
            modality=data.modality,
            strategy=self._name,
            strategy_parameters=self._parameters,
            learner=self._conditions.learner,
            learner_parameters=self._conditions.learner_parameters,
            apart=self._conditions.apart,
            size=self._conditions.round_size,  # every prefix of the server's longer order is this one
            seed=int(np.random.SeedSequence([run.seed, run.rounds]).generate_state(1, np.uint32)[0]),
            values=data.values,
        )

    def _accuracy(self, model: Model | None) -> float:
        """Accuracy of the round's model on the held-out rows; before there is one, of what was answered most."""
        if model is not None:
            return score(model, self._dataset)
        guess = self._answers[np.array(self.run.order, dtype=np.int64)].mean(axis=0)
        test = self._dataset.test_targets
        return float(hits(np.broadcast_to(guess, test.shape), test, self._dataset.multiple).mean())


def answers(dataset: Dataset, seed: int, noise: float) -> Floats:
    """What the pool's rows are answered, (n, c): the truth, but for a share of rows, drawn by the seed alone.

    A wrong answer names another class, each as likely; where several may hold, one class is on the wrong side.
    """
    targets = dataset.targets
    rows, classes = targets.shape
    if noise == 0 or classes < 2:
        return targets
    rng = np.random.default_rng([seed, rows, classes])
    wrong = np.flatnonzero(rng.random(rows) < noise)
    given = targets.copy()
    if dataset.multiple:
        flipped = rng.integers(0, classes, wrong.size)
        given[wrong, flipped] = 1 - given[wrong, flipped]
        return given
    shift = rng.integers(1, classes, wrong.size)
    given[wrong] = np.eye(classes, dtype=np.float32)[(dataset.labels[wrong] + shift) % classes]
    return given


def simulate(
    dataset: Dataset,
    strategy: str,
    seed: int,
    *,
    labels: int = 600,
    round_size: int = ROUND_SIZE,
    audit_share: float = 0.1,
    noise: float = 0.0,
    learner: str = AUTO,
    parameters: dict[str, Any] | None = None,
) -> Run:
    """Label `labels` items of a set in rounds, as one annotator who is right but for the noise would."""
    conditions = Conditions(labels, round_size, noise, audit_share, learner)
    return _whole(Replay(dataset, Run(dataset.name, strategy, seed), conditions, parameters))


def score(model: Model, dataset: Dataset) -> float:
    """Accuracy on the held-out rows."""
    return float(hits(model.probabilities(dataset.test), dataset.test_targets, dataset.multiple).mean())


def full_accuracy(
    dataset: Dataset, learner: str = AUTO, parameters: dict[str, Any] | None = None, most: int | None = None
) -> float:
    """Accuracy of a model of every true label in the pool, or of `most` drawn ones: what the curves are measured by."""
    rows = np.arange(len(dataset.pool))
    if most is not None and len(rows) > most:
        rows = np.sort(np.random.default_rng(0).permutation(len(rows))[:most])
    block, targets = dataset.pool.take(rows), dataset.targets[rows]
    made = make_learner(learner, parameters or {}, block, targets.shape[1])
    return score(made.fit(block, targets, np.ones(len(rows)), multiple=dataset.multiple, seed=0), dataset)


def simulate_all(
    dataset: Dataset,
    strategies: Sequence[str | Named],
    seeds: Iterable[int],
    *,
    output: Path,
    labels: int = 600,
    conditions: Conditions | None = None,
    done: Callable[[int], Any] = lambda _rounds: None,
) -> list[Run]:
    """Every strategy with every seed; finished runs are read from their files. `done` hears of runs as they end.

    `conditions` say more than `labels`, and are taken instead of them.
    """
    conditions = conditions or Conditions(labels)
    output.mkdir(parents=True, exist_ok=True)
    runs = []
    for seed in seeds:
        for given in strategies:
            named = Named(given) if isinstance(given, str) else given
            file = output / _file_name(dataset, named, seed, conditions)
            if file.exists():
                runs.append(Run(**json.loads(file.read_text())))
            else:
                runs.append(
                    _whole(
                        Replay(dataset, Run(dataset.name, named.title, seed), conditions, named.parameters, named.name)
                    )
                )
                aside = file.with_suffix(".tmp")
                aside.write_text(json.dumps(asdict(runs[-1])))
                aside.replace(file)
            done(1)
    return runs


def _whole(replay: Replay) -> Run:
    with LocalExecutor(1) as executor:
        while not replay.step(executor):
            pass
    return replay.run


def _file_name(dataset: Dataset, named: Named, seed: int, conditions: Conditions) -> str:
    """A name that says all that a run depends on besides its data; what is as usual is left out."""
    usual = Conditions()
    more = [
        f"{short}{value}"
        for short, value, as_usual in (
            ("b", conditions.round_size, usual.round_size),
            ("n", conditions.noise, usual.noise),
            ("a", conditions.audit_share, usual.audit_share),
            ("l", learner_mark(conditions.learner, conditions.learner_parameters), usual.learner),
            ("apart", conditions.apart, usual.apart),
        )
        if value != as_usual
    ]
    return "-".join([dataset.name, title_of(named), *more, str(conditions.labels), str(seed), f"v{RESULTS}.json"])
