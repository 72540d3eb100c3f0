"""The versions that a scorer's answers make: begun, carried on from the one before, completed, and cleared away."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.core.arrays import Indices
from app.core.settings import Settings
from app.db import PredictionSet, PredictionShard, Project, Round, WriteSession
from app.db.session import now
from app.features import ShardInfo, adopt
from app.services import choosing, labels, tasks, versions
from app.services.asking import About, host
from app.services.jobs import Running
from app.services.versions import FEATURES, PROBABILITIES, set_folder

WANTED = "wanted.npy"  # beside the shards of a version: the ids of the items that are asked about
KEPT = 2  # complete versions of a scorer: the one in use, and the one before
MARK = "scorer:"  # begins `completed_by` of what no request has completed


@dataclass
class Begun:
    """How far a version is: `at` of `total` items were asked about, and of `silent` ones nothing was said.

    `width` is that of its features, as in PredictionSet; `carried` says that rows of the version before are in it.
    """

    set: int
    folder: str
    total: int
    carried: bool
    at: int = 0
    silent: int = 0
    width: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in the job's cursor."""
        return {"begun": asdict(self)}

    @staticmethod
    def from_json(cursor: dict[str, Any]) -> "Begun":
        """Read what `to_json` wrote."""
        return Begun(**cursor["begun"])


@dataclass(frozen=True)
class Prepared:
    """What lies on the disk for a version that has no row yet."""

    folder: str
    total: int
    shards: list[tuple[str, ShardInfo]]  # carried on, by kind
    width: int | None


def prepare(
    running: Running, project: Project, row: Round, about: About, class_ids: list[int], *, most: int, whole: bool
) -> Prepared:
    """Choose whom to ask about, and lay the files of a version down: the ids, and what goes on to be used."""
    settings, url = running.settings, str(project.learner.get("url"))
    with running.db.read() as session:
        before_row = None if whole else _before(session, project.id, url, class_ids)
        before = versions.opened(session, settings, before_row.id, class_ids) if before_row else None
        same = before_row is not None and not about.trains and _said(before_row.version) == about.version != ""
        question = tasks.driving(tasks.questions(session, project))
        known = labels.label_set(session, project.id, question, class_ids).items
        labelled = np.unique(np.array([item.item_id for item in known], dtype=np.int64))
        chosen = choosing.choose(session, project.id, before, same=same, most=most, labelled=labelled, seed=row.seed)
        carried: list[tuple[str, Any]] = []
        if chosen.goes_on and before_row is not None:
            for kind in (PROBABILITIES, FEATURES):
                carried += [(kind, each) for each in versions.shards_of(session, settings, before_row, kind)]
    name = uuid4().hex
    folder = set_folder(settings, project.id, name)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    np.save(folder / WANTED, chosen.items, allow_pickle=False)
    adopted = [(kind, adopt(each, folder)) for kind, each in carried]
    return Prepared(name, len(chosen.items), adopted, before_row.width if adopted and before_row else None)


def record(
    session: WriteSession, prepared: Prepared, project: Project, row: Round, about: About, class_ids: list[int]
) -> Begun:
    """The row of a prepared version, open, with the shards that it carries on; in the caller's transaction."""
    moment = now(session)
    model = host(str(project.learner.get("url")))[:100]
    version = f"{about.version}/round-{row.number}" if about.version else f"round-{row.number}"
    taken = select(PredictionSet.id).where(PredictionSet.project_id == project.id, PredictionSet.model == model)
    if session.execute(taken.where(PredictionSet.version == version)).first() is not None:
        version = f"{version}-{prepared.folder[:6]}"  # the round was scored before, and waits once more
    made = PredictionSet(
        project_id=project.id,
        model=model,
        version=version,
        round_number=row.number,
        use="both",
        state="open",
        folder=prepared.folder,
        class_ids=class_ids,
        width=prepared.width,
        rows=sum(info.rows for kind, info in prepared.shards if kind == PROBABILITIES),
        created_at=moment,
    )
    session.add(made)
    session.flush()
    for kind, info in prepared.shards:
        session.add(
            PredictionShard(
                set_id=made.id,
                kind=kind,
                name=info.name,
                rows=info.rows,
                bytes=info.bytes,
                checksum=info.checksum,
                created_at=moment,
            )
        )
    return Begun(made.id, prepared.folder, prepared.total, bool(prepared.shards), width=prepared.width)


def wanted(folder: Path) -> Indices | None:
    """The ids of the items that a version asks about, memory-mapped; None where the file has gone."""
    try:
        found: Indices = np.load(folder / WANTED, mmap_mode="r", allow_pickle=False)
    except ValueError:  # a file of no rows cannot be mapped
        found = np.load(folder / WANTED, allow_pickle=False)
    except OSError:
        return None
    return found


def complete(session: WriteSession, project: Project, set_id: int) -> list[str]:
    """Make a version one that counts, in the caller's transaction; the folders that nobody needs after it."""
    mark = _mark(str(project.learner.get("url")))
    values = {"state": "complete", "completed_at": now(session), "completed_by": mark}
    session.execute(update(PredictionSet).where(PredictionSet.id == set_id).values(values))
    own = select(PredictionSet.id, PredictionSet.folder).where(
        PredictionSet.project_id == project.id,
        PredictionSet.state == "complete",
        PredictionSet.completed_by.startswith(MARK),
    )
    old = session.execute(own.order_by(PredictionSet.id.desc()).offset(KEPT)).all()
    _delete(session, [each.id for each in old])
    return [each.folder for each in old]


def drop(running: Running, cursor: dict[str, Any] | None) -> None:
    """Forget a version that will not be completed, and its files."""
    if not cursor or "begun" not in cursor:
        return
    begun = Begun.from_json(cursor)
    with running.db.write() as session:
        running.checkpoint(session)
        state = session.execute(select(PredictionSet.state).where(PredictionSet.id == begun.set)).scalar_one_or_none()
        if state == "complete":
            return
        _delete(session, [begun.set])
    assert running.project_id is not None
    clear(running.settings, running.project_id, [begun.folder])


def clear(settings: Settings, project_id: int, folders: Sequence[str]) -> None:
    """Remove the files of versions that have no row any more."""
    for name in folders:
        shutil.rmtree(set_folder(settings, project_id, name), ignore_errors=True)


def _before(session: Session, project_id: int, url: str, class_ids: list[int]) -> PredictionSet | None:
    """The newest version of this very scorer, if it told the same classes apart."""
    found = session.execute(
        select(PredictionSet)
        .where(PredictionSet.project_id == project_id, PredictionSet.state == "complete")
        .where(PredictionSet.completed_by == _mark(url))
        .order_by(PredictionSet.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found if found is not None and found.class_ids == class_ids else None


def _said(version: str) -> str:
    """What the scorer called itself, of the name of one of its versions."""
    return version.rpartition("/round-")[0]


def _mark(url: str) -> str:
    return MARK + hashlib.sha256(url.encode()).hexdigest()[:40]


def _delete(session: WriteSession, set_ids: list[int]) -> None:
    session.execute(delete(PredictionShard).where(PredictionShard.set_id.in_(set_ids)))
    session.execute(delete(PredictionSet).where(PredictionSet.id.in_(set_ids)))
