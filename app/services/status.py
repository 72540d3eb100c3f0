"""What the loop is doing, in numbers and in sentences; true numbers or none, with the reason where one is missing."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session, defer

from app.core.text import write_json
from app.db import Database, FeatureSet, Item, Job, Lease, Project, Round, Serving, Worker
from app.services import advice, flags, goal, rounds, tallies, tasks
from app.services.access import Person, project_and_role
from app.services.leases import SKIPS_UNTIL_A_LOOK
from app.task_types import Question

WORKER_SILENCE = timedelta(seconds=30)
STANDING = text("""
    SELECT origin, kind, sum(versions) FROM (
        SELECT origin, kind, count(*) AS versions FROM annotations
        WHERE project_id = :project AND counted AND NOT retracted GROUP BY origin, kind
        UNION ALL
        SELECT earlier.origin, earlier.kind, -count(*) FROM annotations AS later
        JOIN annotations AS earlier ON earlier.answer_id = later.answer_id AND earlier.version = later.version - 1
        WHERE later.project_id = :project AND later.version > 1 AND earlier.counted AND NOT earlier.retracted
        GROUP BY earlier.origin, earlier.kind
        UNION ALL
        SELECT annotations.origin, annotations.kind, -count(*)
        FROM items CROSS JOIN annotations  -- SQLite keeps this order: it does not know how few they are
        WHERE items.project_id = :project AND items.revision > 1 AND annotations.item_id = items.id
        AND annotations.item_revision <> items.revision AND annotations.counted AND NOT annotations.retracted
        AND NOT EXISTS (
            SELECT 1 FROM annotations AS newer
            WHERE newer.answer_id = annotations.answer_id AND newer.version > annotations.version)
        GROUP BY annotations.origin, annotations.kind
    ) AS parts GROUP BY origin, kind
""")


def status(session: Session, person: Person, project_ref: int | str, moment: datetime) -> dict[str, Any]:
    """The status panel of a project, for every member; veiled for annotators."""
    project, role = project_and_role(session, person, project_ref)
    return of_project(session, project, moment, veiled=role == "annotator")


def of_project(session: Session, project: Project, moment: datetime, *, veiled: bool = False) -> dict[str, Any]:
    """The status of a project; O(1) but for the answers that stand, which walk a covering index.

    `veiled` counts what comes of audit items and of the order as of the last round: a count that moves with one answer
    and not with the next would tell who answers which items judge the model, and those are answered like all others.
    """
    serving = session.execute(select(Serving).where(Serving.project_id == project.id)).scalar_one()
    current = session.get(Round, serving.round_id, options=[defer(Round.labels)]) if serving.round_id else None
    job = rounds.waiting_or_running(session, project.id)
    asked = rounds.waiting_for_predictions(session, project.id)
    items = item_counts(session, project.id)
    stored = standing(session, project.id)
    worker = worker_state(session, moment)
    size = rounds.round_size(session, project, moment)
    fresh = rounds.new_answers(session, project.id, serving.snapshot_annotation_id, size)
    questions = tasks.questions(session, project)
    last = about(last_evaluated(session, project.id), tasks.driving(questions))
    failure = _last_failure(session, project.id)
    features = _features(session, project.id)
    silence = tasks.silence(questions)
    parts = goal.parts(session, project, items["answered"], headline(last), moment)
    found = {
        "state": project.state,
        "items": items,
        "annotations": stored["annotations"],
        "answers": stored["answers"],
        "audit": {"answers": _judged(last) if veiled else stored["audit"], "accuracy": headline(last)},
        "queue": {
            "depth": _depth(session, current, veiled),
            "round": current.number if current else None,
            "age_seconds": _age(current, moment),
        },
        "worker": worker,
        "round": {**_round_state(current, job, asked), "due_in": max(0, size - fresh), "size": size},
        "features": features,
        "fallback": current.fallback if current else None,
        "strategy": current.sentence if current else None,
        "last_failure": failure,
        "no_learner": silence,
        "goal": project.goal,
        "goal_parts": [asdict(part) for part in parts],
        "advice": _advice(
            project,
            items,
            stored,
            worker,
            features,
            failure,
            current,
            goal.reached(parts),
            asked,
            silence,
            _waits(job),
            _weighed(session, project, last, moment),
        ),
    }
    return found | {"version": _version(found)}


def item_counts(session: Session, project_id: int) -> dict[str, int]:
    """Items by state; `total` leaves out deleted ones, `test` are those of the client's own test set. O(1)."""
    tally = tallies.of_project(session, project_id)
    counts = {
        "open": tally.of("open", split="pool", done=False),
        "answered": tally.of("open", split="pool", done=True),
        "test": tally.of("open", split="audit"),
        "excluded": tally.of("excluded"),
        "fetching": tally.of("fetching"),
        "failed": tally.of("failed"),
        "total": tally.there,
    }
    skipped = select(func.count(func.distinct(Lease.item_id))).where(
        Lease.project_id == project_id, Lease.state == "skipped"
    )
    counts["skipped"] = session.execute(skipped).scalar_one()
    stuck = (Item.project_id == project_id, Item.state == "open", ~Item.done, Item.skips >= SKIPS_UNTIL_A_LOOK)
    counts["stuck"] = session.execute(select(func.count()).where(*stuck)).scalar_one() if counts["skipped"] else 0
    counts["flagged"] = flags.count(session, project_id)
    return counts


def standing(session: Session, project_id: int) -> dict[str, int]:
    """The answers that stand: `annotations` of every origin, `answers` that people gave here, `audit` ones of these.

    The newest version of each counts; retractions, uncounted ones and those on content that was replaced since are left
    out. One walk of a covering index, and a look at the versions that another one followed and at the items that were
    replaced.
    """
    found = session.execute(STANDING, {"project": project_id})
    rows = [(origin, kind, int(count)) for origin, kind, count in found]
    return {
        "annotations": sum(count for _, _, count in rows),
        "answers": sum(count for origin, _, count in rows if origin == "human"),
        "audit": sum(count for origin, kind, count in rows if origin == "human" and kind == "audit"),
    }


def worker_state(session: Session, moment: datetime) -> dict[str, Any]:
    """Whether any worker was seen in the last 30 seconds."""
    seen = session.execute(select(func.max(Worker.last_seen))).scalar_one_or_none()
    return {"alive": seen is not None and moment - seen < WORKER_SILENCE, "last_seen": seen}


def need_writes(db: Database) -> None:
    """Raise as the database does where it takes no writes, such as a replica or a file that may only be read."""
    with db.write() as session:
        session.execute(update(Worker).where(Worker.id == 0).values(last_seen=Worker.last_seen))  # nobody's row


def last_evaluated(session: Session, project_id: int) -> Round | None:
    """The newest round that has metrics."""
    return session.execute(
        select(Round)
        .options(defer(Round.labels))  # as long as there are answers
        .where(Round.project_id == project_id, Round.state == "done", Round.metrics.is_not(None))
        .order_by(Round.number.desc())
        .limit(1)
    ).scalar_one_or_none()


def about(round_: Round | None, question: Question) -> Round | None:
    """A round where it was about this question; None where another one drove the queue then."""
    return round_ if round_ is not None and is_about(question, round_.class_ids) else None


def is_about(question: Question, class_ids: Sequence[int] | None) -> bool:
    """Whether a round of these classes was about a question; one that kept none is taken to have been."""
    return not class_ids or bool({each.id for each in question.classes} & set(class_ids))


def headline(round_: Round | None) -> dict[str, Any] | None:
    """The accuracy that the curve shows: of the client's own test set where there is one, else of the audit share."""
    return None if round_ is None else (round_.metrics or {}).get("accuracy")


def _judged(last: Round | None) -> int:
    """How many answers judged the last round."""
    return int((headline(last) or {}).get("n", 0))


def _depth(session: Session, current: Round | None, veiled: bool) -> int:
    """Places of the order that are still to be answered; veiled, those that it had when it was published."""
    if current is None:
        return 0
    return current.queue_length if veiled else rounds.left_in_queue(session, current.id)


def _version(value: dict[str, Any]) -> str:
    """A mark that changes when a status changes in anything but the passing of time; for `?wait=` and `?seen=`."""
    queue = {key: part for key, part in value["queue"].items() if key != "age_seconds"}
    worker = {"alive": value["worker"]["alive"]}
    return hashlib.sha256(write_json(value | {"queue": queue, "worker": worker}).encode()).hexdigest()[:16]


def _round_state(current: Round | None, job: Job | None, asked: Round | None) -> dict[str, Any]:
    if asked is not None and (job is None or job.state == "waiting"):
        waits = {"state": asked.state, "step": None, "progress": None}
        return waits | {"reason": asked.sentence, "number": asked.number, "labels": asked.labels_count}
    if job is not None:
        progress = job.progress or {}
        state = "running" if job.state == "running" else "waiting"
        return {
            "state": state,
            "step": progress.get("step"),
            "progress": progress.get("fraction"),
            "reason": job.reason,
        }
    return {"state": current.state if current else None, "step": None, "progress": None, "reason": None}


def _waits(job: Job | None) -> str | None:
    """Why a round that was begun is begun again later, in a sentence."""
    if job is None or job.state != "running" or not job.reason:
        return None
    return f"The round is tried again by itself: {job.reason}."


def _age(current: Round | None, moment: datetime) -> float | None:
    if current is None or current.published_at is None:
        return None
    return round((moment - current.published_at).total_seconds(), 1)


def _last_failure(session: Session, project_id: int) -> dict[str, Any] | None:
    """The newest failure of a round, of its scoring or of a feature pass, unless a later one of its kind went well."""
    for kind in ("round", "score", "featurize"):
        job = session.execute(
            select(Job)
            .where(Job.project_id == project_id, Job.kind == kind, Job.state.in_(("done", "failed")))
            .order_by(Job.id.desc())
            .limit(1)
        ).scalar_one_or_none()
        if job is not None and job.state == "failed":
            return {"kind": kind, "job": job.id, "reason": job.reason, "at": job.updated_at}
    return None


def _features(session: Session, project_id: int) -> dict[str, Any]:
    chosen = session.execute(
        select(FeatureSet).where(FeatureSet.project_id == project_id, FeatureSet.active)
    ).scalar_one_or_none()
    job = session.execute(
        select(Job)
        .where(Job.project_id == project_id, Job.kind == "featurize", Job.state.in_(("waiting", "running")))
        .limit(1)
    ).scalar_one_or_none()
    progress = (job.progress or {}) if job else {}
    return {
        "featurizer": chosen.name if chosen else None,
        "sentence": chosen.sentence if chosen else None,
        "busy": job is not None,
        "done": progress.get("done"),
        "total": progress.get("total"),
    }


def _advice(
    project: Project,
    items: dict[str, int],
    stored: dict[str, int],
    worker: dict[str, Any],
    features: dict[str, Any],
    failure: dict[str, Any] | None,
    current: Round | None,
    reached: str | None,
    asked: Round | None,
    silence: str | None,
    waits: str | None,
    weighed: dict[str, Any],
) -> dict[str, Any]:
    """The one sentence that says what to do next: the first that holds; `weighed` is what the last round advised."""
    paused = f"The project is {project.state}: open it to go on."
    if weighed["stop"] and project.state == "paused" and (project.goal or {}).get("stops"):
        paused = f"{weighed['text']} The project is paused: open it to go on."
    fallback = current.fallback if current else None
    said = failure or {"kind": "", "reason": ""}
    sentences = (
        (project.state != "open", paused),
        (items["total"] == 0, "Push items to begin."),
        (not worker["alive"], "No worker is running: start one with labelwise worker; answers are kept meanwhile."),
        (failure is not None, f"The last {said['kind']} failed: {said['reason']}"),
        (waits is not None, waits or ""),
        (reached is not None, reached or ""),
        (current is None and features["busy"], "The model is reading the items."),
        (current is None, "The first order is being made."),
        (asked is not None, (asked.sentence if asked else None) or ""),
        (items["open"] == 0 and items["fetching"] > 0, "The items' files are being fetched."),
        (items["open"] == 0, "Every item is answered."),
        (silence is not None, silence or ""),
        (weighed["stop"], weighed["text"]),
        (fallback is not None, f"Served at {fallback}: go on labelling."),
        (stored["annotations"] == 0, "Start labelling: the first items cover the pool."),
    )
    text = next((text for holds, text in sentences if holds), weighed["text"])
    return {"stop": text == reached or (weighed["stop"] and text in (paused, weighed["text"])), "text": text}


def _weighed(session: Session, project: Project, last: Round | None, moment: datetime) -> dict[str, Any]:
    """What is advised after the newest evaluated round; to go on where it cannot be told."""
    found = advice.standing(session, project, last, moment)
    if found is not None and found["advice"]["because"]:
        return dict(found["advice"])
    return {"stop": False, "text": "Go on labelling: a new order follows after each batch.", "because": []}
