"""Two learners of one project compared: a job fits both to the labels of now and keeps what each says of the judges.

What is kept names items and classes by their ids alone; keys and names are looked up when it is shown.
"""

import time
from collections.abc import Sequence
from dataclasses import fields
from typing import Any
from urllib.parse import quote

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, Invalid, NotFound
from app.core.filters import MAX_KEYS
from app.core.settings import Settings
from app.db import Item, Job, Project, Round, RoundRecord, WriteSession
from app.learners import LEARNERS, OUTSIDE
from app.loop import contenders
from app.services import (
    answered,
    auditing,
    comparing,
    jobs,
    opening,
    pairs,
    pool,
    projects,
    records,
    status,
    tasks,
    turn,
)
from app.services.access import Person, project_for
from app.services.contested import KIND
from app.services.jobs import Done, JobFailed, Running
from app.services.labels import label_set
from app.services.pairs import Pair
from app.services.turn_state import Progress, Turn, labelled_rows
from app.strategies import AUTO

SEED = 0xC0117E57  # so that the folds are others than a round's
SHOWN = 20  # comparisons in a list
NOTHING = "nothing judges both learners"
LONGEST = 4_000  # characters of a filter that goes into the address of a page


def enqueue(
    session: WriteSession, settings: Settings, person: Person, ref: int | str, learners: list[dict[str, Any]]
) -> int:
    """Ask for a comparison of two learners with their parameters, for managers; the job's id.

    Raises:
        Invalid: no such learner or parameter, an outside one, or twice the same.
        Conflict: there are no items, or they have no features yet, no learner runs for such a question,
            or the newest round says that chosen audit items alone would judge.
    """
    project = project_for(session, person, ref, "manager")
    both = [projects.check_plugin("learner", each, project.modality) for each in learners]
    if outside := [each["name"] for each in both if each["name"] in OUTSIDE]:
        raise Invalid(
            f"learner {outside[0]} is trained elsewhere: push its predictions and compare those with a round",
            fields={"learners": outside},
        )
    if both[0] == both[1]:
        raise Invalid("both learners are the same", fields={"learners": "twice the same"})
    if (silence := tasks.silence(tasks.questions(session, project))) is not None:
        raise Conflict(silence)
    if pool.active(session, settings, project.id) is None:
        raise Conflict(pool.no_features(session, project.id))
    _check_judges(session, project)
    job_id = jobs.enqueue(session, KIND, project.id, {"learners": both}, created_by=person.id)
    assert job_id is not None, "any number of these may wait"
    return job_id


def _check_judges(session: Session, project: Project) -> None:
    """Raise Conflict where nothing would judge, as far as the newest round knows; the job looks at what is there then.

    That is where audit items were chosen, and no answered item is of the client's own test set.
    """
    last = status.last_evaluated(session, project.id)
    audit = ((last.metrics or {}) if last else {}).get("audit") or {}
    if (audit.get("how") or {}).get("choice") != "active":
        return
    tests = select(Item.id).where(Item.project_id == project.id, Item.state == "open", Item.split == "audit", Item.done)
    if session.execute(tests.limit(1)).first() is None:
        raise Conflict(f"{NOTHING}: {auditing.NO_SAMPLE}")


def offered() -> list[dict[str, Any]]:
    """The learners that a form offers, each with its parameters and their defaults."""
    own = {
        name: [{"name": each.name, "default": each.default} for each in fields(made)] for name, made in LEARNERS.items()
    }
    return [{"name": name, "parameters": known} for name, known in {AUTO: [], **own}.items()]


def run(running: Running) -> Done:
    """Fit both learners, with no transaction open, and keep what they say.

    Raises:
        JobFailed: the project is gone, or nothing judges both.
    """
    prepared = _load(running)
    progress, began = Progress(running), time.monotonic()
    tests = [item for item in prepared.labels.items if item.imported_test]
    heldout = labelled_rows(prepared, tests) if tests else None
    labelled = labelled_rows(prepared, opening.taught(prepared.labels.items))
    with running.db.read() as session:
        drawn = not auditing.judges(session, prepared).chosen
    sides = []
    for place, given in enumerate(running.payload["learners"]):
        progress("train", place / 2)
        parameters = {name: value for name, value in given.items() if name != "name"}
        found = contenders.judged(labelled, heldout, prepared.plan, given["name"], parameters)
        sides.append(records.judged_of(prepared.class_ids, found, prepared.plan.multiple))
    shared = [name for name in records.STRATA if all(name in side for side in sides) and (drawn or name != "audit")]
    if not shared:
        why = "too few audit answers, or labels of one class alone"
        raise JobFailed(f"{NOTHING}: {why if drawn else auditing.NO_SAMPLE}")
    return Done(
        {
            "learners": running.payload["learners"],
            "labels": len(labelled),
            "round": prepared.number or None,
            "seconds": round(time.monotonic() - began, 3),
            "judged": [{name: side[name] for name in shared} for side in sides],
        }
    )


def _load(running: Running) -> Turn:
    """The labels and the features of now, and the plan of a round that would be run now."""
    assert running.project_id is not None
    with running.db.read() as session:
        project = session.get(Project, running.project_id)
        if project is None or project.deleted_at is not None:
            raise JobFailed("the project is gone")
        features = pool.active(session, running.settings, project.id)
        asked = tasks.questions(session, project)
        question, silence = tasks.driving(asked), tasks.silence(asked)
        if features is None or silence is not None:
            raise JobFailed(silence or "the items have no features any more: start a round, then compare again")
        class_ids = opening.class_ids_of(session, project.id, question.id)
        labels = label_set(session, project.id, question, class_ids)
        last = select(Round.number).where(Round.project_id == project.id).order_by(Round.number.desc()).limit(1)
        number = session.execute(last).scalar() or 0
        seed = int(np.random.SeedSequence([project.seed, SEED]).generate_state(1, np.uint32)[0])
        plan = turn.plan_of(project, question, class_ids, silence, size=1, seed=seed)
        nothing = np.empty(0, dtype=np.int64)
        return Turn(
            project.id, 0, number, project.modality, class_ids, plan, features, labels, nothing, time.monotonic(), None,
            None, silence,
        )  # fmt: skip


def show(session: Session, person: Person, ref: int | str, number: int) -> dict[str, Any]:
    """A comparison by the number of its job, for managers: which items judge is for them to see.

    Raises:
        NotFound: there is no such comparison in the project.
        Conflict: it is not done; says what it waits for or why it failed.
    """
    project = project_for(session, person, ref, "manager")
    own = select(Job).where(Job.project_id == project.id, Job.kind == KIND, Job.id == number)
    job = session.execute(own).scalar_one_or_none()
    if job is None:
        raise NotFound("there is no such comparison, or it is not yours")
    if job.state != "done" or job.result is None:
        why = f"the comparison is {job.state}" if job.reason is None else f"the comparison {job.state}: {job.reason}"
        raise Conflict(why, job_state=job.state)
    return _shown(session, project, job.id, job.result)


def listed(session: Session, person: Person, ref: int | str) -> list[dict[str, Any]]:
    """The newest comparisons of a project, newest first, for managers."""
    project = project_for(session, person, ref, "manager")
    rows = session.execute(
        select(Job).where(Job.project_id == project.id, Job.kind == KIND).order_by(Job.id.desc()).limit(SHOWN)
    ).scalars()
    return [
        {
            "id": row.id,
            "state": row.state,
            "learners": row.payload["learners"],
            "created_at": row.created_at,
            "reason": row.reason,
        }
        for row in rows
    ]


def _shown(session: Session, project: Project, number: int, stored: dict[str, Any]) -> dict[str, Any]:
    question = tasks.driving(tasks.questions(session, project))
    kept = [RoundRecord(judged={**side, "drawn": True}) for side in stored["judged"]]
    shared = pairs.common(kept[0], kept[1], question.merged)
    paired = comparing.paired_of(shared.pairs)
    names = tuple(_named(each) for each in stored["learners"])
    return {
        "id": number,
        "learners": stored["learners"],
        "labels": stored["labels"],
        "round": stored["round"],
        "seconds": stored["seconds"],
        "words": comparing.words((names[0], names[1]), shared, paired),
        "accuracy": comparing.accuracy_of(shared, paired),
        "classes": comparing.classes_of(session, project, question, shared.pairs),
        "gained": comparing.changed(session, question, shared.gained, _filter(session, shared.gained)),
        "lost": comparing.changed(session, question, shared.lost, _filter(session, shared.lost)),
    }


def _filter(session: Session, given: Sequence[Pair]) -> str | None:
    """The filter that finds these items by their keys; None where they are too many for one."""
    if len(given) > MAX_KEYS:
        return None
    ids = [each.item for each in given]
    keys = session.execute(select(Item.key).where(answered.one_of(session, Item.id, ids)).order_by(Item.id)).scalars()
    text = "&".join(f"key={quote(key, safe='')}" for key in keys)
    return text if len(text) <= LONGEST else None


def _named(given: dict[str, Any]) -> str:
    """A learner as a person writes it: `ridge`, `logistic (strength 0.1)`."""
    more = ", ".join(f"{name} {value}" for name, value in given.items() if name != "name")
    return f"{given['name']} ({more})" if more else str(given["name"])
