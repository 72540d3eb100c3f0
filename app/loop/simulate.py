"""Replaying a labelled set: the same rounds as the server runs, driven by known labels, without a server.

Each run is one result file, so a stopped simulation goes on where it was. Audit items are drawn, charged and
cross-fitted as they are in a project; accuracy is measured on rows that no run ever labels.
"""

import csv
import itertools
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from app.core.arrays import Booleans, Indices
from app.core.block import Block, Rows
from app.evaluation.curves import label_ratio, labels_to, paired
from app.evaluation.metrics import hits
from app.featurizers import choose_featurizer
from app.learners import Model, make_learner
from app.loop.executors import LocalExecutor
from app.loop.propose import Labelled, Plan, Proposal, propose
from app.loop.serving import audit_reserved, draw, slot_kind

ROUND_SIZE = 20
RESULTS = 4  # raised whenever the same run would end otherwise, so that old files are not read as new ones


@dataclass(frozen=True)
class Dataset:
    """Features of the pool and of held-out rows, with their classes as numbers."""

    name: str
    modality: str
    classes: tuple[str, ...]
    pool: Block
    labels: Indices
    test: Block
    test_labels: Indices

    @property
    def keys(self) -> list[str]:
        """The items' keys, by which draws are made."""
        return [f"item-{number}" for number in range(len(self.labels))]


@dataclass
class Run:
    """One replay: accuracy on the held-out rows after each round."""

    dataset: str
    strategy: str
    seed: int
    labels: list[int] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    audit_labels: int = 0
    fallbacks: list[str] = field(default_factory=list)
    seconds: float = 0.0
    order: list[int] = field(default_factory=list)

    @property
    def mean_accuracy(self) -> float:
        """The mean over the curve."""
        return float(np.mean(self.accuracy)) if self.accuracy else 0.0

    def labels_to(self, target: float) -> int | None:
        """The first number of labels at which the accuracy is reached; None when it never is."""
        return labels_to(self.labels, self.accuracy, target)


@dataclass(frozen=True)
class _Open:
    """The pool's rows that may still be queried, as one shard."""

    block: Block
    open_rows: Indices

    @property
    def rows(self) -> int:
        return int(self.open_rows.size)

    def load(self) -> Rows:
        return Rows(_ids(self.open_rows), self.block.take(self.open_rows))


def _ids(rows: Indices) -> Indices:
    """Identities (item, unit, revision) as an empty server gives them to items that are pushed in this order."""
    ids = np.zeros((rows.size, 3), dtype=np.int64)
    ids[:, 0], ids[:, 2] = rows + 1, 1
    return ids


def simulate(
    dataset: Dataset,
    strategy: str,
    seed: int,
    *,
    labels: int = 600,
    round_size: int = ROUND_SIZE,
    audit_share: float = 0.1,
    learner: str = "auto",
    parameters: dict[str, Any] | None = None,
) -> Run:
    """Label `labels` items of a set in rounds, as one annotator who is always right would.

    `random` is the honest baseline: it pays no audit share, since all of its labels are a random sample.
    """
    begun = time.monotonic()
    run = Run(dataset.name, strategy, seed)
    share = 0.0 if strategy == "random" else audit_share
    keys = dataset.keys
    reserved = np.array([audit_reserved(seed, key, share) for key in keys])
    audit_order = sorted(np.flatnonzero(reserved), key=lambda row: draw(seed, keys[row]))
    answered: list[int] = []
    audit: list[int] = []
    served = 0
    labels = min(labels, len(keys))
    with LocalExecutor(1) as executor:
        for number in itertools.count(1):
            plan = Plan(
                classes=tuple(range(len(dataset.classes))),
                multiple=False,
                modality=dataset.modality,
                strategy=strategy,
                strategy_parameters=parameters or {},
                learner=learner,
                size=round_size,  # every prefix of the server's longer order is this one
                seed=int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint32)[0]),
            )
            proposal = _round(dataset, plan, answered, audit, reserved, executor)
            if proposal.fallback:
                run.fallbacks.append(f"round {number}: {proposal.fallback}")
            if answered:
                run.labels.append(len(answered))
                run.accuracy.append(_accuracy(dataset, proposal.model, answered))
            queue = [int(item) - 1 for item in proposal.ids[:, 0]]
            if len(answered) >= labels or not (queue or audit_order):
                break
            for _ in range(min(round_size, labels - len(answered), len(queue) + len(audit_order))):
                kind = slot_kind(seed, served, len(audit), share)
                served += 1
                if (kind == "audit" or not queue) and audit_order:
                    audit.append(int(audit_order.pop(0)))
                    answered.append(audit[-1])
                else:
                    answered.append(queue.pop(0))
    run.order, run.audit_labels = answered, len(audit)
    run.seconds = round(time.monotonic() - begun, 2)
    return run


def _round(
    dataset: Dataset,
    plan: Plan,
    answered: list[int],
    audit: list[int],
    reserved: Booleans,
    executor: LocalExecutor,
) -> Proposal:
    """Propose as the server does, from the rows that are neither answered nor reserved."""
    closed = reserved.copy()
    closed[answered] = True
    shard = _Open(dataset.pool, np.flatnonzero(~closed))
    return propose(_labelled(dataset, answered, audit), [shard], plan, executor, lambda _step, _fraction: None)


def _labelled(dataset: Dataset, answered: list[int], audit: Sequence[int]) -> Labelled:
    rows = np.array(answered, dtype=np.int64)
    targets = np.eye(len(dataset.classes), dtype=np.float32)[dataset.labels[rows]]
    return Labelled(_ids(rows), dataset.pool.take(rows), targets, np.ones(rows.size), np.isin(rows, audit))


def _accuracy(dataset: Dataset, model: Model | None, answered: list[int]) -> float:
    """Accuracy of the round's model on the held-out rows; before two classes that of the most frequent label."""
    if model is not None:
        return score(model, dataset)
    guess = int(np.bincount(dataset.labels[np.array(answered, dtype=np.int64)]).argmax())
    return float((dataset.test_labels == guess).mean())


def fit(labelled: Labelled, learner: str, seed: int) -> Model:
    """A model of labelled rows."""
    made = make_learner(learner, {}, labelled.block, labelled.targets.shape[1])
    return made.fit(labelled.block, labelled.targets, labelled.weights, multiple=False, seed=seed)


def score(model: Model, dataset: Dataset) -> float:
    """Accuracy on the held-out rows."""
    targets = np.eye(len(dataset.classes), dtype=np.float32)[dataset.test_labels]
    return float(hits(model.probabilities(dataset.test), targets, False).mean())


def full_accuracy(dataset: Dataset, learner: str = "auto") -> float:
    """Accuracy of a model of every label in the pool: what the curves are measured against."""
    everything = list(range(len(dataset.labels)))
    return score(fit(_labelled(dataset, everything, []), learner, 0), dataset)


def simulate_all(
    dataset: Dataset,
    strategies: Sequence[str],
    seeds: Iterable[int],
    *,
    labels: int,
    output: Path,
    done: Callable[[int], Any] = lambda _count: None,
) -> list[Run]:
    """Every strategy with every seed; finished runs are read from their files."""
    output.mkdir(parents=True, exist_ok=True)
    runs = []
    for seed in seeds:
        for strategy in strategies:
            file = output / f"{dataset.name}-{strategy}-{labels}-{seed}-v{RESULTS}.json"
            if file.exists():
                runs.append(Run(**json.loads(file.read_text())))
            else:
                runs.append(simulate(dataset, strategy, seed, labels=labels))
                aside = file.with_suffix(".tmp")
                aside.write_text(json.dumps(asdict(runs[-1])))
                aside.replace(file)
            done(1)
    return runs


def make_dataset(
    name: str,
    modality: str,
    pool: Sequence[Any],
    labels: Sequence[str],
    test: Sequence[Any],
    test_labels: Sequence[str],
    featurizer: dict[str, Any] | None = None,
) -> Dataset:
    """Featurize a labelled set as a project of that modality would be."""
    classes = tuple(sorted(set(labels) | set(test_labels)))
    place = {label: number for number, label in enumerate(classes)}
    made, _ = choose_featurizer(modality, featurizer or {"name": "auto"})
    state = made.fit(pool)
    return Dataset(
        name=name,
        modality=modality,
        classes=classes,
        pool=made.transform(pool, state),
        labels=np.array([place[label] for label in labels]),
        test=made.transform(test, state),
        test_labels=np.array([place[label] for label in test_labels]),
    )


def read_dataset(file: Path, *, text: str = "text", label: str = "label", held_out: float = 0.25) -> Dataset:
    """A labelled JSONL or CSV file: texts where the text column is there, else rows of a table.

    Raises:
        ValueError: no label column, or fewer than twenty labelled rows.
    """
    with file.open(encoding="utf-8-sig", newline="") as source:
        rows = (
            list(csv.DictReader(source))
            if file.suffix == ".csv"
            else [json.loads(line) for line in source if line.strip()]
        )
    rows = [row for row in rows if row.get(label) not in (None, "")]
    if len(rows) < 20:
        raise ValueError(f"{file} has {len(rows)} rows with a {label!r}: at least 20 are needed")
    modality = "text" if text in rows[0] else "table"
    payloads = [row[text] if modality == "text" else {k: v for k, v in row.items() if k != label} for row in rows]
    labels = [str(row[label]) for row in rows]
    order = np.random.default_rng(0).permutation(len(rows))
    cut = int(len(rows) * held_out)
    test, pool = order[:cut], order[cut:]
    return make_dataset(
        file.stem,
        modality,
        [payloads[row] for row in pool],
        [labels[row] for row in pool],
        [payloads[row] for row in test],
        [labels[row] for row in test],
    )


def paired_difference(runs: Sequence[Run], strategy: str, baseline: str = "random") -> dict[str, float]:
    """Mean difference of the curves' mean accuracy over paired seeds, with a bootstrap 95 % interval."""
    mine = {run.seed: run.mean_accuracy for run in runs if run.strategy == strategy}
    other = {run.seed: run.mean_accuracy for run in runs if run.strategy == baseline}
    seeds = sorted(mine.keys() & other.keys())
    return paired([mine[seed] for seed in seeds], [other[seed] for seed in seeds])


def ratio_to(runs: Sequence[Run], strategy: str, target: float, budget: int) -> dict[str, float | int] | None:
    """Labels to an accuracy as a share of what random needs, with a bootstrap 95 % interval over the seeds."""
    mine = [run.labels_to(target) for run in runs if run.strategy == strategy]
    other = [run.labels_to(target) for run in runs if run.strategy == "random"]
    return label_ratio(mine, other, budget)


def median_labels(runs: Sequence[Run], strategy: str, target: float) -> float | None:
    """The median labels to an accuracy over the seeds; None where half of them never reach it."""
    found = [run.labels_to(target) or np.inf for run in runs if run.strategy == strategy]
    middle = float(np.median(np.array(found, dtype=float))) if found else np.inf
    return None if np.isinf(middle) else middle


def write_results(runs: Sequence[Run], output: Path) -> str:
    """All curves as one CSV file, and a table for people."""
    with (output / "curves.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["dataset", "strategy", "seed", "labels", "accuracy"])
        for run in runs:
            writer.writerows(
                [run.dataset, run.strategy, run.seed, n, a] for n, a in zip(run.labels, run.accuracy, strict=True)
            )
    lines = [f"{'strategy':<18}{'mean accuracy':>14}{'at the end':>12}{'against random':>28}"]
    for strategy in dict.fromkeys(run.strategy for run in runs):
        own = [run for run in runs if run.strategy == strategy]
        versus = paired_difference(runs, strategy)
        band = f"{100 * versus['mean']:+.1f} ({100 * versus['low']:+.1f} to {100 * versus['high']:+.1f})"
        lines.append(
            f"{strategy:<18}{np.mean([run.mean_accuracy for run in own]):>14.3f}"
            f"{np.mean([run.accuracy[-1] for run in own]):>12.3f}{band if versus['seeds'] else '':>28}"
        )
    return "\n".join(lines)
