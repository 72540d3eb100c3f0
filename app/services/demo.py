"""The demo: scikit-learn's handwritten digits as a ready project, and a race of simulated annotators on it.

Nothing is downloaded. 300 of the 1,797 digits come with labels as the project's own test set, so a true curve
with a band is there from the first round on. What the simulated annotators answer is never stored as answers.
"""

import hashlib
import io
import os
import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from PIL import Image
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app.core.arrays import AnyArray
from app.core.block import Block, Rows
from app.core.errors import Conflict, Invalid
from app.core.settings import Settings
from app.core.text import fold
from app.db import (
    Annotation,
    Database,
    FeatureSet,
    Flag,
    Item,
    Job,
    Lease,
    Media,
    Member,
    Prediction,
    Project,
    ProjectClass,
    QueueEntry,
    Round,
    Serving,
    User,
    WriteSession,
)
from app.db.session import now
from app.loop.serving import audit_reserved, draw
from app.services import jobs, pool, race, search
from app.services.access import Person, project_for
from app.services.jobs import Done, JobFailed, More, Running
from app.task_types.parsing import parse_task

NAME = "Handwritten digits"
SLUG = "handwritten-digits"
VISITOR = "Visitor"
DIGITS = 1_797
TEST_ITEMS = 300
SEED = 20_261_124
DARKEST = 16.0  # scikit-learn's digits count ink from 0 to 16
RACE_LABELS = 200
LARGEST_RACE = 600
SLICE_SECONDS = 1.5
GUIDELINES = """Which digit did the person write?

- A **1** may be a plain stroke; a **7** has a roof.
- A **9** closes at the top, a **4** may be open.
- Cannot read it? Press **Space**: somebody else may.
"""


def _digits() -> Any:
    from sklearn.datasets import load_digits  # a second to import, and most places have no demo

    return load_digits()


def ensure_demo(db: Database, settings: Settings, by: int | None = None) -> tuple[int, int]:
    """The demo's project and who manages it, made when they are not there; (project id, user id).

    That is the person who asks for it, or the visitor at their own machine, who has no password: a one-time link signs
    them in. Called again it changes nothing.
    """
    with db.read() as session:
        found = _existing(session, by)
    if found is not None:
        return found
    digits = _digits()
    pictures = [_png(pixels) for pixels in digits.images]
    with db.write() as session:
        moment = now(session)
        user_id = _visitor(session, moment) if by is None else by
        if (made := _made(session)) is not None:
            if session.get(Member, (made, user_id)) is None:
                session.add(Member(project_id=made, user_id=user_id, role="manager", created_at=moment))
            return made, user_id
        project = _project(session, user_id, moment)
        media = _store_pictures(session, settings, project.id, pictures, moment)
        _store_items(session, project, media, pictures, digits.target, moment)
        jobs.enqueue(session, "featurize", project.id)
        search.request(session, project.id)
        return project.id, user_id


def reset(session: WriteSession, person: Person, project_ref: int | str) -> None:
    """Erase every answer and round of the demo and begin again; the test set's labels stay.

    A round that runs meanwhile loses its job and publishes nothing.

    Raises:
        Conflict: the project is not the demo; answers of other projects are never erased this way.
    """
    project = _demo(session, person, project_ref)
    moment = now(session)
    session.execute(
        update(Job)
        .where(Job.project_id == project.id, Job.kind.in_(("round", "simulate")), Job.state.in_(("waiting", "running")))
        .values(state="cancelled", token=None, reason="the demo was reset", updated_at=moment)
    )
    answers = (Annotation.project_id == project.id) & (Annotation.origin != "import")
    session.execute(delete(Annotation).where(answers))
    session.execute(delete(Flag).where(Flag.project_id == project.id))
    session.execute(delete(Lease).where(Lease.project_id == project.id))
    own_rounds = select(Round.id).where(Round.project_id == project.id)
    for table in (QueueEntry, Prediction):
        session.execute(delete(table).where(table.round_id.in_(own_rounds)))
    session.execute(delete(Round).where(Round.project_id == project.id))
    session.execute(update(Item).where(Item.project_id == project.id, Item.split == "pool").values(done=False, skips=0))
    session.execute(
        update(Serving)
        .where(Serving.project_id == project.id)
        .values(round_id=None, slots_served=0, snapshot_annotation_id=0)
    )
    project.state = "open"
    if _has_features(session, project.id):
        jobs.enqueue(session, "round", project.id)


def start_race(session: WriteSession, person: Person, project_ref: int | str, labels: int = RACE_LABELS) -> int:
    """Let the two simulated annotators begin; the job's id. One that runs already is not started again.

    Raises:
        Conflict: the project is not the demo, or its pictures are still being read.
    """
    project = _demo(session, person, project_ref)
    if not 2 * race.STEP <= labels <= LARGEST_RACE:
        raise Invalid(f"labels is {2 * race.STEP} to {LARGEST_RACE}", fields={"labels": labels})
    if not _has_features(session, project.id):
        raise Conflict("the pictures are still being read: try again in a moment, or check that a worker is running")
    running = session.execute(
        select(Job.id).where(
            Job.project_id == project.id, Job.kind == "simulate", Job.state.in_(("waiting", "running"))
        )
    ).scalar()
    if running is not None:
        return running
    job_id = jobs.enqueue(session, "simulate", project.id, {"labels": labels}, created_by=person.id)
    assert job_id is not None  # only rounds and featurize passes wait at most once
    return job_id


def last_race(session: Session, person: Person, project_ref: int | str) -> dict[str, Any]:
    """The newest race: state, how many labels it goes to, the points of both curves so far."""
    project = project_for(session, person, project_ref)
    job = session.execute(
        select(Job).where(Job.project_id == project.id, Job.kind == "simulate").order_by(Job.id.desc()).limit(1)
    ).scalar_one_or_none()
    ready = _has_features(session, project.id)
    if job is None:
        return {"state": "none", "ready": ready, "labels": RACE_LABELS, "points": {arm: [] for arm in race.ARMS}}
    points = (job.progress or {}).get("points") or {arm: [] for arm in race.ARMS}
    labels = job.payload.get("labels", RACE_LABELS)
    return {"state": job.state, "ready": ready, "labels": labels, "points": points, "reason": job.reason}


def random_arm(session: Session, project_id: int) -> dict[int, dict[str, Any] | None]:
    """Accuracy by number of labels of the newest finished race's random annotator."""
    points = session.execute(
        select(Job.result["points"]["random"])
        .where(Job.project_id == project_id, Job.kind == "simulate", Job.state == "done")
        .order_by(Job.id.desc())
        .limit(1)
    ).scalar()
    return {each["labels"]: each["accuracy"] for each in points or ()}


def run(running: Running) -> Done | More:
    """Work one slice of the race; the points so far are its progress.

    Raises:
        JobFailed: the project is gone or has no features.
    """
    field_ = _field(running)
    state = race.Race.from_json(running.cursor)
    goal = int(running.payload.get("labels", RACE_LABELS))
    deadline = time.monotonic() + SLICE_SECONDS
    for _ in race.run(state, field_, goal):
        with running.db.write() as session:
            running.checkpoint(session, state.to_json(), _progress(state, goal))
        if time.monotonic() > deadline:
            return More()
    return Done({"points": state.points})


def _progress(state: race.Race, goal: int) -> dict[str, Any]:
    done = state.labels()
    return {"step": "simulate", "fraction": round(done / goal, 3), "done": done, "total": goal, "points": state.points}


def _field(running: Running) -> race.Field:
    assert running.project_id is not None
    with running.db.read() as session:
        project = session.get(Project, running.project_id)
        if project is None or project.deleted_at is not None:
            raise JobFailed("the project is gone")
        features = pool.active(session, running.settings, project.id)
        items = session.execute(
            select(Item.id, Item.key, Item.split).where(Item.project_id == project.id, Item.state == "open")
        ).all()
    if features is None:
        raise JobFailed("the pictures have no features yet")
    # The simulated annotators know the truth from scikit-learn; the project's rows hold the pictures only.
    digits = _digits().target
    known = {row.id: (int(digits[_number(row.key)]), row.split == "audit") for row in items if _ours(row.key)}
    parts = [shard.load() for shard in features.opened()]
    rows = Rows(np.concatenate([part.ids for part in parts]), Block.concatenate([part.block for part in parts]))
    kept = np.flatnonzero([int(item) in known for item in rows.ids[:, 0]])
    rows = Rows(rows.ids[kept], rows.block.take(kept))
    truth, test = zip(*(known[int(item)] for item in rows.ids[:, 0]), strict=True)
    return race.Field(rows, np.array(truth), np.array(test), tuple(range(1, 11)), project.modality, project.seed)


def _demo(session: Session, person: Person, project_ref: int | str) -> Project:
    project = project_for(session, person, project_ref, "manager")
    if not project.demo:
        raise Conflict("this is possible in the demo only")
    return project


def _made(session: Session) -> int | None:
    return session.execute(select(Project.id).where(Project.demo, Project.deleted_at.is_(None)).limit(1)).scalar()


def _existing(session: Session, by: int | None) -> tuple[int, int] | None:
    visitor = select(User.id).where(User.folded_name == fold(VISITOR))
    project_id, user_id = _made(session), by or session.execute(visitor).scalar()
    if project_id is None or user_id is None or session.get(Member, (project_id, user_id)) is None:
        return None
    return project_id, user_id


def _has_features(session: Session, project_id: int) -> bool:
    found = select(FeatureSet.id).where(FeatureSet.project_id == project_id, FeatureSet.active).limit(1)
    return session.execute(found).scalar() is not None


def _visitor(session: WriteSession, moment: datetime) -> int:
    """The visitor manages the demo and, being at their own machine, may try everything else."""
    found = session.execute(select(User.id).where(User.folded_name == fold(VISITOR))).scalar()
    if found is not None:
        return found
    user = User(name=VISITOR, folded_name=fold(VISITOR), admin=True, active=True, created_at=moment)
    session.add(user)
    session.flush()
    return user.id


def _project(session: WriteSession, user_id: int, moment: datetime) -> Project:
    task, classes = parse_task({"type": "classification", "classes": [str(digit) for digit in range(10)]})
    for digit, each in enumerate(classes):
        each["hotkey"] = str(digit)
    taken = session.execute(select(Project.id).where(Project.slug == SLUG)).scalar()
    project = Project(
        name=NAME,
        slug=SLUG if taken is None else f"{SLUG}-{taken}",
        modality="image",
        task=task,
        strategy={"name": "auto"},
        learner={"name": "auto"},
        featurizer={"name": "auto"},
        round_size=race.STEP,
        audit_share=0.0,  # the imported test set judges; no answer of the visitor is spent on it
        blind_share=0.0,
        guidelines=GUIDELINES,
        goal={"accuracy": 0.9},
        demo=True,
        seed=SEED,
        created_at=moment,
        updated_at=moment,
    )
    session.add(project)
    session.flush()
    for number, each in enumerate(classes, start=1):
        session.add(ProjectClass(project_id=project.id, number=number, aliases=[], position=number - 1, **each))
    session.add(Member(project_id=project.id, user_id=user_id, role="manager", created_at=moment))
    session.add(Serving(project_id=project.id))
    session.flush()
    return project


def _png(pixels: AnyArray) -> bytes:
    """Dark ink on white paper, 8 x 8 pixels; the page draws them as squares."""
    ink = 255 - np.round(pixels * (255 / DARKEST)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(ink, mode=None).save(out, "PNG")
    return out.getvalue()


def _store_pictures(
    session: WriteSession, settings: Settings, project_id: int, pictures: Sequence[bytes], moment: datetime
) -> dict[str, int]:
    """Write the files, then their rows; the media id of every hash."""
    by_hash = {hashlib.sha256(picture).hexdigest(): picture for picture in pictures}
    folder = settings.data / "media" / str(project_id)
    for digest, picture in by_hash.items():
        _write(folder / digest[:2] / digest, picture)
    rows = [
        {
            "project_id": project_id,
            "name": f"digit-{digest[:8]}.png",
            "sha256": digest,
            "type": "image/png",
            "size": len(picture),
            "width": 8,
            "height": 8,
            "created_at": moment,
        }
        for digest, picture in by_hash.items()
    ]
    session.execute(insert(Media), rows)
    stored = session.execute(select(Media.sha256, Media.id).where(Media.project_id == project_id)).all()
    return {row.sha256: row.id for row in stored}


def _write(path: Path, content: bytes) -> None:
    """A whole file or none: written beside its place, then moved there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f"{path.name}.{uuid4().hex[:8]}")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    beside.replace(path)


def _store_items(
    session: WriteSession,
    project: Project,
    media: dict[str, int],
    pictures: Sequence[bytes],
    digits: AnyArray,
    moment: datetime,
) -> None:
    test = set(np.random.default_rng(SEED).permutation(len(pictures))[:TEST_ITEMS].tolist())
    rows = [_item(project, media, picture, number, number in test, moment) for number, picture in enumerate(pictures)]
    session.execute(insert(Item), rows)
    known = session.execute(
        select(Item.id, Item.key).where(Item.project_id == project.id, Item.split == "audit").order_by(Item.id)
    ).all()
    session.execute(
        insert(Annotation), [_label(project, row.id, int(digits[_number(row.key)]), moment) for row in known]
    )


def _item(
    project: Project, media: dict[str, int], picture: bytes, number: int, test: bool, moment: datetime
) -> dict[str, Any]:
    digest = hashlib.sha256(picture).hexdigest()
    key = f"digit-{number:04}"
    image = {"media": media[digest], "sha256": digest, "name": f"{key}.png", "width": 8, "height": 8}
    return {
        "project_id": project.id,
        "key": key,
        "payload": {"image": image},
        "content_hash": digest[:32],
        "fingerprint": digest[:32],
        "meta": {},
        "split": "audit" if test else "pool",
        "reserved": not test and audit_reserved(project.seed, key, project.audit_share),
        "draw": draw(project.seed, key),
        "done": test,
        "created_at": moment,
        "updated_at": moment,
    }


def _ours(key: str) -> bool:
    return re.fullmatch(r"digit-[01]\d{3}", key) is not None and _number(key) < DIGITS


def _number(key: str) -> int:
    """A digit's place in scikit-learn's set."""
    return int(key.removeprefix("digit-"))


def _label(project: Project, item_id: int, digit: int, moment: datetime) -> dict[str, Any]:
    return {
        "project_id": project.id,
        "answer_id": uuid4(),
        "item_id": item_id,
        "annotator_name": "scikit-learn",
        "origin": "import",
        "kind": "import",
        "label": {"label": {"class_id": digit + 1}},
        "created_at": moment,
    }
