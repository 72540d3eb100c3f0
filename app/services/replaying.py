"""The labelled items of a project as a set to be replayed, and the job that replays it, slice by slice.

A job of lowest priority: between two slices every other job goes first, but for each eighth turn of a worker. A killed
worker's successor goes on in the middle of a run; what is finished is a row, written with the cursor in one commit.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.core.arrays import Floats, Indices
from app.core.errors import Conflict, Invalid
from app.core.settings import Settings
from app.db import Project, Simulation, SimulationRun
from app.features import gather
from app.learners import OUTSIDE
from app.loop.executors import LocalExecutor
from app.loop.named import Named
from app.loop.sets import Dataset, thinned
from app.loop.simulate import Conditions, Replay, Run, full_accuracy
from app.services import opening, pool, tasks
from app.services.jobs import Done, JobFailed, More, Running
from app.services.labels import LabelledItem, label_set
from app.task_types import Question

SLICE_SECONDS = 2.0  # a round is not begun that would end later, if it takes as long as the one before it
FEWEST_LABELLED = 100
FEWEST_JUDGES = 50  # labelled items of the own test set, or audit answers, from which they judge
HELD_OUT = 0.25  # of the labelled items, where neither can
MOST_LABELS = 1_000  # of a run, and of the model of every label: beyond these one fit may take longer than a slice
MOST_POOL, MOST_TEST = 4_000, 1_000  # items that are replayed and that judge, drawn where there are more


@dataclass(frozen=True)
class Drawn:
    """Which items are replayed: rows of item, unit, revision, 1 for held out, and the places of their classes."""

    rows: list[list[int]]
    class_ids: list[int]
    judged_by: str
    features: pool.FeaturePool
    learner: dict[str, Any]
    labelled: int  # items with a label that could be replayed, of which these are some

    def count(self, held_out: bool) -> int:
        """How many judge, or how many are replayed."""
        return sum(bool(row[3]) is held_out for row in self.rows)


@dataclass(frozen=True)
class Readiness:
    """How many items have a label that can be replayed, how many it takes, and what else is in the way."""

    labelled: int | None  # None where something else is in the way
    needed: int
    reason: str | None
    found: Drawn | None


def readiness(session: Session, settings: Settings, project: Project) -> Readiness:
    """Whether there is enough to replay; O(answers)."""
    try:
        found = drawn(session, settings, project)
    except (Conflict, Invalid) as error:
        return Readiness((error.fields or {}).get("labelled"), FEWEST_LABELLED, str(error), None)
    return Readiness(found.labelled, FEWEST_LABELLED, None, found)


def drawn(session: Session, settings: Settings, project: Project) -> Drawn:
    """The set as of now: the same draw for the same labels.

    The client's own test set judges where 50 of it are labelled, else the audit answers, which are a uniform sample,
    where 50 others are left to replay; else a drawn quarter of all labelled items. The others are the pool. Memory and
    time: O(answers).

    Raises:
        Conflict: the items have no features yet.
        Invalid: no learner for this question, or too few labelled items or classes.
    """
    asked = tasks.questions(session, project)
    if (silence := tasks.silence(asked)) is not None:
        raise Invalid(f"there is nothing to replay: {silence[0].lower()}{silence[1:-1]}")
    items = _usable(session, project)
    if len(items) < FEWEST_LABELLED:
        missing = FEWEST_LABELLED - len(items)
        raise Invalid(
            f"{len(items)} of {FEWEST_LABELLED} labelled items are there: {missing} more are needed",
            fields={"labelled": len(items), "missing": missing},
        )
    features = pool.active(session, settings, project.id)
    if features is None:
        raise Conflict("the items have no features yet: a worker is making them, try again in a moment")
    question = tasks.driving(asked)
    held, judged_by = _held_out(items, project.seed)
    test = _some([item for item in items if item.item_id in held], MOST_TEST, project.seed)
    rest = _some([item for item in items if item.item_id not in held], MOST_POOL, project.seed)
    shares = np.array([item.shares for item in rest])
    all_ids = opening.class_ids_of(session, project.id, question.id)
    present = np.flatnonzero((shares >= 0.5).any(axis=0))
    if len(present) < 2 and not question.options.get("multiple"):
        raise Invalid("the labelled items have one class only: label some of another one first")
    place = {int(column): number for number, column in enumerate(present)}
    rows = [
        [item.item_id, item.unit, item.revision, int(judges), *_places(item, place)]
        for judges, some in ((False, rest), (True, test))
        for item in some
    ]
    rows = [row for row in rows if len(row) > 4 or question.options.get("multiple")]
    learner = project.learner if project.learner.get("name") not in OUTSIDE else {"name": "auto"}
    return Drawn(rows, [all_ids[column] for column in present], judged_by, features, learner, len(items))


def _usable(session: Session, project: Project) -> list[LabelledItem]:
    """Labelled items whose label is no tie."""
    question = tasks.driving(tasks.questions(session, project))
    if not question.drives:
        return []
    class_ids = opening.class_ids_of(session, project.id, question.id)
    found = label_set(session, project.id, question, class_ids).items
    return [item for item in found if _is_clear(item, question)]


def _is_clear(item: LabelledItem, question: Question) -> bool:
    if question.options.get("multiple"):
        return True
    ranked = np.sort(item.shares)
    return bool(ranked[-1] > 0 and (len(ranked) == 1 or ranked[-1] > ranked[-2]))


def _held_out(items: Sequence[LabelledItem], seed: int) -> tuple[set[int], str]:
    own = {item.item_id for item in items if item.imported_test}
    if len(own) >= FEWEST_JUDGES and len(items) - len(own) >= FEWEST_JUDGES:
        return own, "imported"
    audit = {item.item_id for item in items if item.audit}
    if len(audit) >= FEWEST_JUDGES and len(items) - len(audit) >= FEWEST_JUDGES:
        return audit, "audit"
    return {item.item_id for item in _some(items, int(len(items) * HELD_OUT), seed)}, "drawn"


def _some(items: Sequence[LabelledItem], most: int, seed: int) -> list[LabelledItem]:
    """At most so many of them, in a drawn order."""
    ranked = sorted(items, key=lambda item: (item.item_id, item.unit))
    order = np.random.default_rng(seed % 2**63).permutation(len(ranked))
    return [ranked[number] for number in order[:most]]


def _places(item: LabelledItem, place: dict[int, int]) -> list[int]:
    columns = np.flatnonzero(item.shares >= 0.5) if (item.shares >= 0.5).any() else [int(item.shares.argmax())]
    return [place[int(column)] for column in columns if int(column) in place]


def load(features: pool.FeaturePool, project: Project, question: Question, simulation: Simulation | Drawn) -> Dataset:
    """The rows with their features; reads the identities of the whole pool and copies only these rows.

    Raises:
        JobFailed: an item of the set has no features any more.
    """
    rows = simulation.rows if isinstance(simulation, Drawn) else simulation.items
    class_ids = simulation.class_ids if isinstance(simulation, Drawn) else simulation.classes
    found, block = gather(features.opened(), np.array([row[:3] for row in rows], dtype=np.int64))
    if not found.all():
        raise JobFailed("items of the set were erased or changed meanwhile: start a new simulation")
    held = np.array([row[3] for row in rows], dtype=np.bool_)
    sets = _sets(rows, len(class_ids))
    multiple = bool(question.options.get("multiple"))
    names = {each.id: each.name for each in question.classes}
    pool_sets, test_sets = sets[~held], sets[held]
    return Dataset(
        name=project.slug,
        modality=project.modality,
        classes=tuple(names.get(number, str(number)) for number in class_ids),
        pool=block.take(~held),
        labels=_labels(pool_sets),
        test=block.take(held),
        test_labels=_labels(test_sets),
        sets=pool_sets if multiple else None,
        test_sets=test_sets if multiple else None,
        values=tuple(float(names[number]) for number in class_ids) if question.type == "rating" else None,
    )


def _sets(rows: Sequence[Sequence[int]], classes: int) -> Floats:
    sets = np.zeros((len(rows), classes), dtype=np.float32)
    for number, row in enumerate(rows):
        sets[number, row[4:]] = 1
    return sets


def _labels(sets: Floats) -> Indices:
    return np.asarray(sets.argmax(axis=1), dtype=np.int64)


def conditions_of(design: dict[str, Any]) -> Conditions:
    """Under what a simulation's runs are made."""
    learner = design["learner"]
    return Conditions(
        labels=design["labels"],
        round_size=design["round_size"],
        noise=design["noise"],
        audit_share=design["audit_share"],
        learner=learner.get("name", "auto"),
        learner_parameters={key: value for key, value in learner.items() if key != "name"},
    )


def run(running: Running) -> Done | More:
    """Work one slice.

    Raises:
        JobFailed: the simulation, its project or its features are gone.
    """
    deadline = time.monotonic() + SLICE_SECONDS
    with running.db.read() as session:
        simulation = session.execute(select(Simulation).where(Simulation.job_id == running.id)).scalar_one_or_none()
        if simulation is None:
            raise JobFailed("the simulation was deleted")
        project = session.get_one(Project, simulation.project_id)
        features = pool.active(session, running.settings, project.id)
        if project.deleted_at is not None or features is None or features.version != simulation.features:
            raise JobFailed("the features of the items were made anew meanwhile: start a new simulation")
        question = tasks.driving(tasks.questions(session, project))
        finished = finished_runs(session, simulation)
    data = thinned(load(features, project, question, simulation), simulation.design["imbalance"])
    if simulation.full_accuracy is None:
        _judge_all(running, simulation, data)
        return More()
    return _go_on(running, _Work(simulation, data, finished), deadline)


def finished_runs(session: Session, simulation: Simulation) -> dict[tuple[int, int], Run]:
    """Every finished run by seed and place of its strategy."""
    rows = session.execute(select(SimulationRun).where(SimulationRun.simulation_id == simulation.id)).scalars()
    return {(row.seed, row.place): Run(**row.result) for row in rows}


def _judge_all(running: Running, simulation: Simulation, data: Dataset) -> None:
    conditions = conditions_of(simulation.design)
    full = full_accuracy(data, conditions.learner, conditions.learner_parameters, most=MOST_LABELS)
    with running.db.write() as session:
        running.checkpoint(session)
        session.execute(update(Simulation).where(Simulation.id == simulation.id).values(full_accuracy=full))
    simulation.full_accuracy = full


class _Work:
    """What is to be run, what is done, and how long the rest may take."""

    def __init__(self, simulation: Simulation, data: Dataset, finished: dict[tuple[int, int], Run]) -> None:
        self.simulation, self.data, self.finished = simulation, data, finished
        self.strategies = [Named.of(each) for each in simulation.design["strategies"]]
        self.conditions = conditions_of(simulation.design)
        self.each = self.conditions.rounds(len(data.pool))

    def missing(self) -> list[tuple[int, int]]:
        """Seeds and places that are still to run: all strategies with the first seed first, none that refused."""
        refused = {place for (_, place), run in self.finished.items() if run.refused}
        places = [place for place in range(len(self.strategies)) if place not in refused]
        seeds = range(1, self.simulation.design["seeds"] + 1)
        return [(seed, place) for seed in seeds for place in places if (seed, place) not in self.finished]

    def progress(self, current: Run | None) -> dict[str, Any]:
        """How far it is, in runs, and the seconds of work that are left, by what the runs took so far."""
        missing = self.missing()
        done = len(self.finished)
        begun = current.rounds if current else 0
        rounds = sum(run.rounds for run in self.finished.values()) + begun
        seconds = sum(run.seconds for run in self.finished.values()) + (current.seconds if current else 0)
        left = max(0, len(missing) * self.each - begun)
        share = rounds / max(1, rounds + left)
        return {
            "step": "simulate",
            "fraction": round(share, 4),
            "done": done,
            "total": done + len(missing),
            "seconds_left": round(left * seconds / rounds, 1) if rounds else None,
        }


def _go_on(running: Running, work: _Work, deadline: float) -> Done | More:
    current = _taken_up(running.cursor, work)
    with LocalExecutor(1) as executor:
        for seed, place in work.missing():
            if (seed, place) in work.finished or place in _refused(work):
                continue
            named = work.strategies[place]
            state = current if current is not None else Run(work.data.name, named.title, seed)
            current = None
            replay = Replay(work.data, state, work.conditions, named.parameters, named.name)
            begun = time.monotonic()
            while not replay.step(executor):
                if (moment := time.monotonic()) + (moment - begun) > deadline:
                    _put_down(running, work, state, (seed, place))
                    return More()
                begun = moment
            _keep(running, work, state, (seed, place))
            if (moment := time.monotonic()) + (moment - begun) > deadline:
                return More()
    return Done({"simulation": work.simulation.id})


def _refused(work: _Work) -> set[int]:
    return {place for (_, place), run in work.finished.items() if run.refused}


def _taken_up(cursor: dict[str, Any] | None, work: _Work) -> Run | None:
    """The run that a slice left in its middle, where it is the next one to run."""
    missing = work.missing()
    if not cursor or not missing or tuple(cursor["at"]) != missing[0]:
        return None
    return Run(**cursor["run"])


def _put_down(running: Running, work: _Work, state: Run, at: tuple[int, int]) -> None:
    with running.db.write() as session:
        running.checkpoint(session, {"at": list(at), "run": asdict(state)}, work.progress(state))


def _keep(running: Running, work: _Work, state: Run, at: tuple[int, int]) -> None:
    """Store a finished run; the items in their order are not needed any more."""
    state.order = []
    work.finished[at] = state
    with running.db.write() as session:
        running.checkpoint(session, {}, work.progress(None))
        row = {"simulation_id": work.simulation.id, "seed": at[0], "place": at[1], "result": asdict(state)}
        session.execute(insert(SimulationRun).values(row))
