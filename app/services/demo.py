"""The demo: scikit-learn's handwritten digits as a ready project.

300 of the 1,797 digits come with labels as the project's own test set, so a true curve with a band is there from the
first round on. What the simulated annotators answer is never stored as answers; see `racing`.
"""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.core.errors import Conflict
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
from app.services import digits, jobs, race, search
from app.services.access import Person, project_for
from app.task_types.parsing import parse_task

NAME = "Handwritten digits"
SLUG = "handwritten-digits"
VISITOR = "Visitor"
GUIDELINES = """Which digit did the person write?

- A **1** may be a plain stroke; a **7** has a roof.
- A **9** closes at the top, a **4** may be open.
- Cannot read it? Press **Space**: somebody else may.
"""


def ensure_demo(db: Database, settings: Settings, by: int | None = None) -> tuple[int, int]:
    """The demo's project and who manages it, made when they are not there; (project id, user id).

    That is the person who asks for it, or the visitor at their own machine, who has no password: a one-time link signs
    them in. Called again it changes nothing.
    """
    with db.read() as session:
        found = _existing(session, by)
    if found is not None:
        return found
    known = digits.load()
    pictures = [digits.png(pixels) for pixels in known.images]
    with db.write() as session:
        moment = now(session)
        user_id = _visitor(session, moment) if by is None else by
        if (made := _made(session)) is not None:
            if session.get(Member, (made, user_id)) is None:
                session.add(Member(project_id=made, user_id=user_id, role="manager", created_at=moment))
            return made, user_id
        project = _project(session, user_id, moment)
        media = digits.store_pictures(session, settings, project.id, pictures, moment)
        digits.store_items(session, project, media, pictures, known.target, moment)
        jobs.enqueue(session, "featurize", project.id)
        search.request(session, project.id)
        return project.id, user_id


def reset(session: WriteSession, person: Person, project_ref: int | str) -> None:
    """Erase every answer and round of the demo and begin again; the test set's labels stay.

    A round that runs meanwhile loses its job and publishes nothing.

    Raises:
        Conflict: the project is not the demo; answers of other projects are never erased this way.
    """
    project = of(session, person, project_ref)
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
    if has_features(session, project.id):
        jobs.enqueue(session, "round", project.id)


def of(session: Session, person: Person, project_ref: int | str) -> Project:
    """The demo behind the door. Raises Conflict for another project."""
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


def has_features(session: Session, project_id: int) -> bool:
    """Whether the pictures were read."""
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
        seed=digits.SEED,
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
