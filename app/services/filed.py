"""Whether files and rows agree: every row's file is as it was written, and no file has lain for days without a row."""

import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from app.core.contents import sha256_of
from app.core.settings import Settings
from app.db import (
    Database,
    FeatureSet,
    FeatureShard,
    Media,
    PredictionSet,
    PredictionShard,
    Project,
    Round,
    Serving,
    Snapshot,
)
from app.features import ShardInfo, StoredShard, fault
from app.learners import DAMAGED, load_model
from app.services import media, snapshot_files
from app.services.pool import feature_folder
from app.services.recounting import Finding
from app.services.sweeping import KEPT_SECONDS, unnamed
from app.services.versions import set_folder

AT_ONCE = 5_000
NAMED = 5


def files(db: Database, settings: Settings, *, every: bool) -> list[Finding]:
    """All kinds of files; with `every` stored media and snapshots are read as a whole instead of looked at."""
    kinds = (
        (
            "stored files are there as they were taken in",
            _media(db, settings, every),
            "bring them back from a backup, or push the items that show them again",
        ),
        (
            "the features that rounds use are whole",
            _features(db, settings),
            "start a round: it finds the damage and has them made anew; features that you pushed are pushed again",
        ),
        (
            "pushed predictions are whole",
            _predictions(db, settings),
            "push that version again under another name",
        ),
        ("the models of served rounds can be read", _models(db, settings), "start a round: it trains another one"),
        (
            "snapshots are whole",
            _snapshots(db, settings, every),
            "bring the file back from a backup, or delete the snapshot and make it again",
        ),
    )
    found = [_said(what, broken, advice) for what, broken, advice in kinds]
    old = list(unnamed(db, settings, time.time() - 2 * KEPT_SECONDS))
    words = ", ".join(str(path.relative_to(settings.data)) for path in old[:NAMED]) or "none"
    found.append(
        Finding("no file has lain without a row for days", not old, words, "start the service: it sweeps them")
    )
    return found


def _said(what: str, broken: Iterator[str], advice: str) -> Finding:
    listed = list(broken)
    words = f"{len(listed):,} wrong: {'; '.join(listed[:NAMED])}" if listed else "none is wrong"
    return Finding(what, not listed, words, advice)


def _media(db: Database, settings: Settings, every: bool) -> Iterator[str]:
    after = 0
    while True:
        with db.read() as session:
            page = (
                select(Media.id, Media.project_id, Media.sha256, Media.size, Media.name)
                .where(Media.id > after, Media.bucket.is_(None), Media.lost.is_(None))
                .order_by(Media.id)
                .limit(AT_ONCE)
            )
            rows = session.execute(page).all()
        for row in rows:
            if (reason := _media_fault(settings, row, every)) is not None:
                yield f"file {row.id} {reason}"
        if not rows:
            return
        after = rows[-1].id


def _media_fault(settings: Settings, row: Any, every: bool) -> str | None:
    path = media.path_of(settings, row.project_id, row.sha256)
    if path is None or not path.exists():
        return "is missing"
    if path.stat().st_size != row.size:
        return f"has {path.stat().st_size:,} bytes instead of {row.size:,}"
    return "holds other bytes than were taken in" if every and sha256_of(path) != row.sha256 else None


def _features(db: Database, settings: Settings) -> Iterator[str]:
    with db.read() as session:
        rows = session.execute(
            select(FeatureShard, FeatureSet.project_id, FeatureSet.version)
            .join(FeatureSet, FeatureSet.id == FeatureShard.feature_set_id)
            .where(FeatureSet.active)
            .order_by(FeatureShard.id)
        ).all()
    for row, project_id, version in rows:
        info = ShardInfo(row.name, row.rows, row.checksum, row.bytes, row.sparse)
        if (reason := fault(StoredShard(feature_folder(settings, project_id, version), info))) is not None:
            yield f"project {project_id}: {reason}"


def _predictions(db: Database, settings: Settings) -> Iterator[str]:
    with db.read() as session:
        rows = session.execute(
            select(PredictionShard, PredictionSet.project_id, PredictionSet.folder)
            .join(PredictionSet, PredictionSet.id == PredictionShard.set_id)
            .order_by(PredictionShard.id)
        ).all()
    for row, project_id, name in rows:
        info = ShardInfo(row.name, row.rows, row.checksum, row.bytes, False)
        if (reason := fault(StoredShard(set_folder(settings, project_id, name), info))) is not None:
            yield f"project {project_id}: {reason}"


def _models(db: Database, settings: Settings) -> Iterator[str]:
    with db.read() as session:
        rows = session.execute(
            select(Round.project_id, Round.number, Round.model_file)
            .join(Serving, Serving.round_id == Round.id)
            .where(Round.model_file.is_not(None))
        ).all()
    for row in rows:
        try:
            load_model(settings.data / "models" / str(row.project_id) / row.model_file)
        except DAMAGED as error:
            yield f"project {row.project_id}, round {row.number}: {error}"


def _snapshots(db: Database, settings: Settings, every: bool) -> Iterator[str]:
    with db.read() as session:
        rows = session.execute(
            select(Snapshot.project_id, Snapshot.name, Snapshot.file, Snapshot.bytes, Snapshot.sha256, Snapshot.erased)
            .join(Project, Project.id == Snapshot.project_id)
            .where(Snapshot.file.is_not(None))
        ).all()
    for row in rows:
        path = snapshot_files.folder(settings, row.project_id) / row.file
        if not path.exists():
            yield f"project {row.project_id}, {row.name} is missing"
        elif path.stat().st_size != row.bytes:
            yield f"project {row.project_id}, {row.name} has {path.stat().st_size:,} bytes instead of {row.bytes:,}"
        elif every and not row.erased and snapshot_files.hashed(settings, row.project_id, row.file) != row.sha256:
            yield f"project {row.project_id}, {row.name} holds other rows than were written"
