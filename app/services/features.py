"""Giving every item its vector: a background job in slices, with a stored cursor and progress.

Items without a vector are not candidates yet. The featurizer is fitted on a sample of the pool; when the pool
has outgrown that sample, a new feature set is built beside the old one and takes over when it is whole.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.orm import Session

from app.core.block import Block
from app.core.settings import Settings
from app.db import ClientFeature, FeatureSet, FeatureShard, Item, PendingFeature, Project, WriteSession
from app.db.session import now
from app.features import append
from app.featurizers import choose_featurizer, make_featurizer, needs_refit
from app.services import media, rounds
from app.services.jobs import Done, More, Running
from app.services.pool import feature_folder

SAMPLE = 50_000  # payloads that a featurizer is fitted on, at most
SLICE_SECONDS = 1.5
FIRST_CHUNK = 200
LARGEST_CHUNK = 20_000


def run(running: Running) -> Done | More:
    """Work one slice: fit a featurizer if none is there, then vectors for the next items."""
    assert running.project_id is not None
    with running.db.read() as session:
        project = session.get(Project, running.project_id)
        if project is None or project.deleted_at is not None:
            return Done({"skipped": "the project is deleted"})
        chosen = _working_set(session, project.id)
    if chosen is None:
        chosen = _fit(running, project)
        if chosen is None:
            return Done({"items": 0})
    deadline = time.monotonic() + SLICE_SECONDS
    cursor = running.cursor or {"chunk": FIRST_CHUNK, "added": 0}
    while time.monotonic() < deadline:
        added, cursor = _chunk(running, project, chosen, cursor)
        if added == 0:
            return _finish(running, project, chosen, cursor)
    return More()


def payloads(settings: Settings, modality: str, rows: Sequence[Row[Any]]) -> list[Any]:
    """What a featurizer reads of each item: text, the path of an image, or a row of columns."""
    if modality == "image":
        return [media.path_of(settings, row.project_id, (row.payload.get("image") or {}).get("sha256")) for row in rows]
    return [row.payload.get("text" if modality == "text" else "row") for row in rows]


def _working_set(session: Session, project_id: int) -> FeatureSet | None:
    """The set that is being built, else the active one."""
    return session.execute(
        select(FeatureSet).where(FeatureSet.project_id == project_id).order_by(FeatureSet.id.desc()).limit(1)
    ).scalar_one_or_none()


def _fit(running: Running, project: Project) -> FeatureSet | None:
    with running.db.read() as session:
        sample = _sample(session, project.id)
        own = session.execute(
            select(func.count())
            .select_from(ClientFeature)
            .join(Item, Item.id == ClientFeature.item_id)
            .where(Item.project_id == project.id)
        ).scalar_one()
    if not sample:
        return None
    running.report({"step": "fit", "fraction": 0.0})
    wanted = dict(project.featurizer)
    if wanted.get("name", "auto") == "auto" and own:
        wanted = {"name": "client"}
    content = payloads(running.settings, project.modality, sample)
    featurizer, sentence = choose_featurizer(project.modality, wanted)
    state = featurizer.fit(content)
    number = int(time.time_ns() // 1_000_000)
    version = f"{featurizer.name}-{number}"
    folder = feature_folder(running.settings, project.id, version)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    featurizer.save(state, folder / "state")
    with running.db.write() as session:
        running.checkpoint(session)
        row = FeatureSet(
            project_id=project.id,
            name=featurizer.name,
            version=version,
            sentence=sentence,
            active=False,
            fitted_rows=len(content),
            created_at=now(session),
        )
        session.add(row)
        session.flush()
        session.expunge(row)
    return row


def _sample(session: Session, project_id: int) -> Sequence[Row[Any]]:
    """A uniform sample of the pool: the items with the lowest draws, reserved and not."""
    return session.execute(
        _content().where(Item.project_id == project_id, Item.state == "open").order_by(Item.draw).limit(SAMPLE)
    ).all()


def _content() -> Any:
    return select(Item.id, Item.project_id, Item.revision, Item.payload)


def _chunk(
    running: Running, project: Project, chosen: FeatureSet, cursor: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """Vectors for the next items, pending ones last; how many rows were written."""
    begun = time.monotonic()
    with running.db.read() as session:
        rows = session.execute(
            _content()
            .where(Item.project_id == project.id, Item.id > chosen.featurized_to, Item.state != "deleted")
            .order_by(Item.id)
            .limit(cursor["chunk"])
        ).all()
        total = session.execute(
            select(func.count()).where(Item.project_id == project.id, Item.state != "deleted")
        ).scalar_one()
        pending = [] if rows else _pending(session, project.id, cursor["chunk"])
    todo = rows or pending
    if not todo:
        return 0, cursor
    vectors = _vectors(running, project, chosen, todo)
    ids = np.array([(row.id, 0, row.revision) for row in todo], dtype=np.int64)
    folder = feature_folder(running.settings, project.id, chosen.version)
    info = append(folder, ids, vectors)
    took = max(time.monotonic() - begun, 0.001)
    chunk = int(min(LARGEST_CHUNK, max(FIRST_CHUNK, cursor["chunk"] * min(4.0, 0.7 / took))))
    cursor = {"chunk": chunk, "added": cursor["added"] + len(todo)}
    with running.db.write() as session:
        progress = {"step": "features", "done": cursor["added"], "total": total}
        running.checkpoint(session, cursor, progress)
        _record(session, chosen, info)
        if rows:
            chosen.featurized_to = rows[-1].id
            session.execute(
                update(FeatureSet).where(FeatureSet.id == chosen.id).values(featurized_to=chosen.featurized_to)
            )
        session.execute(delete(PendingFeature).where(PendingFeature.item_id.in_([row.id for row in todo])))
    return len(todo), cursor


def _vectors(running: Running, project: Project, chosen: FeatureSet, rows: Sequence[Row[Any]]) -> Block:
    featurizer = make_featurizer(chosen.name, _options(project))
    folder = feature_folder(running.settings, project.id, chosen.version)
    state = featurizer.load(folder / "state")
    if chosen.name == "client":
        return featurizer.transform(_own_vectors(running, rows), state)
    return featurizer.transform(payloads(running.settings, project.modality, rows), state)


def _own_vectors(running: Running, rows: Sequence[Row[Any]]) -> list[Any]:
    with running.db.read() as session:
        found = session.execute(
            select(ClientFeature.item_id, ClientFeature.vector).where(
                ClientFeature.item_id.in_([row.id for row in rows])
            )
        ).all()
    vectors = {item_id: np.frombuffer(vector, dtype="<f4") for item_id, vector in found}
    return [vectors.get(row.id) for row in rows]


def _options(project: Project) -> dict[str, Any]:
    return {key: value for key, value in project.featurizer.items() if key != "name"}


def _record(session: WriteSession, chosen: FeatureSet, info: Any) -> None:
    session.add(
        FeatureShard(
            feature_set_id=chosen.id,
            name=info.name,
            rows=info.rows,
            bytes=info.bytes,
            checksum=info.checksum,
            sparse=info.sparse,
            created_at=now(session),
        )
    )


def _pending(session: Session, project_id: int, limit: int) -> Sequence[Row[Any]]:
    return session.execute(
        _content()
        .join(PendingFeature, PendingFeature.item_id == Item.id)
        .where(PendingFeature.project_id == project_id, Item.state != "deleted")
        .limit(limit)
    ).all()


def _finish(running: Running, project: Project, chosen: FeatureSet, cursor: dict[str, Any]) -> Done | More:
    """The pass is whole: the set takes over, a round is asked for, and a set for a grown pool is begun."""
    with running.db.write() as session:
        running.checkpoint(session, progress={"step": "features", "fraction": 1.0})
        total = session.execute(
            select(func.count()).where(Item.project_id == project.id, Item.state != "deleted")
        ).scalar_one()
        if not chosen.active:
            session.execute(update(FeatureSet).where(FeatureSet.project_id == project.id).values(active=False))
            session.execute(update(FeatureSet).where(FeatureSet.id == chosen.id).values(active=True))
        if cursor["added"]:
            rounds.after_features(session, project.id)
    if chosen.name != "client" and needs_refit(chosen.fitted_rows, total):
        _fit(running, project)
        running.report({"step": "features", "done": 0, "total": total})
        with running.db.write() as session:
            running.checkpoint(session, {"chunk": FIRST_CHUNK, "added": 0})
        return More()
    return Done({"items": cursor["added"]})
