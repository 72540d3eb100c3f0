"""Giving every item its vector: a background job in slices, with a stored cursor and progress.

Items without a vector are not candidates yet. The featurizer is fitted on a sample of the pool; when the pool
has outgrown that sample, a new feature set is built beside the old one and takes over when it is whole.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Row, delete, select, update
from sqlalchemy.orm import Session

from app.core.block import Block
from app.core.errors import Unavailable
from app.core.settings import Settings
from app.db import FeatureSet, FeatureShard, Item, Media, PendingFeature, Project, WriteSession
from app.db.session import now
from app.features import append
from app.featurizers import choose_featurizer, make_featurizer, needs_refit, options_of
from app.modalities import MODALITIES, files
from app.services import buckets, jobs, media, rounds, tallies, vectors
from app.services.borrowing import Files, remember_lost, transform
from app.services.jobs import Done, More, Running
from app.services.pool import feature_folder
from app.services.rows import read_of

SAMPLE = 50_000  # payloads that a featurizer is fitted on, at most
MOST_BORROWED = 2_000  # files in buckets that a featurizer is fitted on
SLICE_SECONDS = 1.5
AGAIN_SECONDS = 30.0  # until a bucket that is down is asked again
FIRST_CHUNK = 200
FIRST_FILES = 32  # which may come from a slow bucket
FIRST_CLIPS = 4  # of video: decoding one may take a second
LARGEST_CHUNK = 20_000


def run(running: Running) -> Done | More:
    """Work one slice: fit a featurizer if none is there, then vectors for the next items."""
    try:
        return _slice(running)
    except Unavailable:  # a bucket is down: what has its vector keeps it, and the pass goes on later
        assert running.project_id is not None
        with running.db.write() as session:
            running.checkpoint(session)
            jobs.enqueue(session, "featurize", running.project_id, delay_seconds=AGAIN_SECONDS)
        return Done({"waiting": "a bucket cannot be read now"})


def _slice(running: Running) -> Done | More:
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
    cursor = running.cursor or {"chunk": _fewest(project), "added": 0}
    while time.monotonic() < deadline:
        added, cursor = _chunk(running, project, chosen, cursor)
        if added == 0:
            return _finish(running, project, chosen, cursor)
    return More()


def payloads(session: Session, settings: Settings, modality: str, rows: Sequence[Row[Any]]) -> Sequence[Any]:
    """What a featurizer reads of each item: text, the path of a file, or a row of columns; see `Files` for buckets."""
    field = MODALITIES[modality].field
    held = [read_of(row.payload, field) for row in rows]
    if MODALITIES[modality].media is None:
        return held
    hashes = [(each or {}).get("sha256") for each in held]
    paths = [media.whole_path(settings, row.project_id, sha256) for row, sha256 in zip(rows, hashes, strict=True)]
    away = {each["media"] for each in held if each and "bucket" in each}
    if not away:
        return paths
    found = {row.id: row for row in session.execute(select(Media).where(Media.id.in_(away))).scalars()}
    here: list[Any] = [
        found.get(each["media"]) if each and "bucket" in each else path for each, path in zip(held, paths, strict=True)
    ]
    return Files(buckets.granted(session, settings, rows[0].project_id), here)


def make_anew(running: Running, version: str) -> bool:
    """Forget a damaged feature set and ask for another one; False where only who pushed the vectors has them."""
    with running.db.write() as session:
        running.checkpoint(session)
        damaged = (FeatureSet.project_id == running.project_id, FeatureSet.version == version)
        if session.execute(select(FeatureSet.name).where(*damaged)).scalar_one_or_none() == "client":
            return False
        assert running.project_id is not None
        session.execute(delete(FeatureSet).where(*damaged))
        jobs.at_once(session, "featurize", running.project_id)
    return True


def _working_set(session: Session, project_id: int) -> FeatureSet | None:
    """The set that is being built, else the active one."""
    return session.execute(
        select(FeatureSet).where(FeatureSet.project_id == project_id).order_by(FeatureSet.id.desc()).limit(1)
    ).scalar_one_or_none()


def _fit(running: Running, project: Project) -> FeatureSet | None:
    with running.db.read() as session:
        sample = _sample(session, project.id)
        width = vectors.width_of(session, project.id)
        total = tallies.of_project(session, project.id).there
    wanted = dict(project.featurizer)
    if wanted.get("name", "auto") == "auto" and width is not None:
        wanted = {"name": "client"}
    if not sample or (wanted["name"] == "client" and width is None):
        return None
    running.report({"step": "fit", "fraction": 0.0})
    if wanted["name"] == "client":
        content: Sequence[Any] = [np.zeros(width or 1, dtype=np.float32)]
    else:
        with running.db.read() as session:
            content = payloads(session, running.settings, project.modality, sample)
    featurizer, sentence = choose_featurizer(
        project.modality, wanted, encoder=running.settings.text_encoder, sample=content, rows=total
    )
    # Files in buckets cost a request each: a fit sees fewer of them, spread over the sample.
    state = featurizer.fit(content[:: -(-len(content) // MOST_BORROWED)] if isinstance(content, Files) else content)
    remember_lost(running.db, content)
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
    """Vectors for the next items, pending ones last; how many items were looked at."""
    begun = time.monotonic()
    with running.db.read() as session:
        rows = session.execute(
            _content()
            .where(Item.project_id == project.id, Item.id > chosen.featurized_to, Item.state != "deleted")
            .order_by(Item.id)
            .limit(cursor["chunk"])
        ).all()
        total = tallies.of_project(session, project.id).there
        pending = [] if rows else _pending(session, project.id, cursor["chunk"])
    seen = rows or pending
    if not seen:
        return 0, cursor
    todo = _with_content(running, project, chosen, seen)
    info = None
    if todo:
        block = _vectors(running, project, chosen, todo)
        ids = np.array([(row.id, 0, row.revision) for row in todo], dtype=np.int64)
        info = append(feature_folder(running.settings, project.id, chosen.version), ids, block)
    took = max(time.monotonic() - begun, 0.001)
    chunk = int(min(LARGEST_CHUNK, max(_fewest(project), cursor["chunk"] * min(4.0, 0.7 / took))))
    cursor = {"chunk": chunk, "added": cursor["added"] + len(todo)}
    with running.db.write() as session:
        progress = {"step": "features", "done": cursor["added"], "total": total}
        running.checkpoint(session, cursor, progress)
        if info is not None:
            _record(session, chosen, info)
        if rows:
            chosen.featurized_to = rows[-1].id
            session.execute(
                update(FeatureSet).where(FeatureSet.id == chosen.id).values(featurized_to=chosen.featurized_to)
            )
        session.execute(delete(PendingFeature).where(PendingFeature.item_id.in_([row.id for row in seen])))
    return len(seen), cursor


def _fewest(project: Project) -> int:
    """How many items are read at once at least."""
    if MODALITIES[project.modality].media is None:
        return FIRST_CHUNK
    return FIRST_CLIPS if MODALITIES[project.modality].media == "video/" else FIRST_FILES


def _with_content(
    running: Running, project: Project, chosen: FeatureSet, rows: Sequence[Row[Any]]
) -> Sequence[Row[Any]]:
    """The items that can have a vector: pushed with one where those are used, and with a file that is here."""
    if chosen.name == "client":
        with running.db.read() as session:
            own = vectors.of_items(session, [row.id for row in rows])
        return [row for row in rows if row.id in own]
    if MODALITIES[project.modality].media is not None:
        return [row for row in rows if files.is_here(row.payload)]
    return rows


def _vectors(running: Running, project: Project, chosen: FeatureSet, rows: Sequence[Row[Any]]) -> Block:
    featurizer = make_featurizer(
        chosen.name, options_of(chosen.name, project.featurizer, running.settings.text_encoder)
    )
    folder = feature_folder(running.settings, project.id, chosen.version)
    state = featurizer.load(folder / "state")
    if chosen.name != "client":
        with running.db.read() as session:
            content = payloads(session, running.settings, project.modality, rows)
        block = transform(featurizer, content, state)
        remember_lost(running.db, content)
        return block
    with running.db.read() as session:
        own = vectors.of_items(session, [row.id for row in rows])
    return featurizer.transform([own.get(row.id) for row in rows], state)


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
        tally = tallies.of_project(session, project.id)
        if not chosen.active:
            session.execute(update(FeatureSet).where(FeatureSet.project_id == project.id).values(active=False))
            session.execute(update(FeatureSet).where(FeatureSet.id == chosen.id).values(active=True))
        if cursor["added"]:
            rounds.make_due(session, project.id)
        # Only what a fit would see may ask for one: a pool whose other files are lost would ask for ever.
        fits = tally.of("open")
    if chosen.name != "client" and needs_refit(chosen.fitted_rows, fits):
        _fit(running, project)
        running.report({"step": "features", "done": 0, "total": tally.there})
        with running.db.write() as session:
            running.checkpoint(session, {"chunk": FIRST_CHUNK, "added": 0})
        return More()
    return Done({"items": cursor["added"]})
