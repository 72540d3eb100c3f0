"""Erasing an item for good: its row keeps nothing of it at once, a job takes its file and its vectors from the disk.

The job is asked for in the transaction that empties the row, so a crash in between loses nothing; it can be run again.
What a fitted featurizer or model has learned of an item goes with its next fit, and backups are the operator's.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from app.core.settings import Settings
from app.db import (
    ClientFeature,
    Edit,
    FeatureSet,
    FeatureShard,
    Flag,
    Item,
    Job,
    Media,
    PendingFeature,
    Prediction,
    PredictionSet,
    PredictionShard,
    QueueEntry,
    Selected,
    WriteSession,
)
from app.features import ShardInfo, StoredShard, remove, without
from app.modalities import files
from app.services import jobs, media, search, snapping, thumbnails
from app.services.jobs import Done, More, Running
from app.services.pool import feature_folder
from app.services.versions import set_folder

LOOK_SECONDS = 0.2
# Tables whose rows of an item go with its content.
WITHOUT_CONTENT = (ClientFeature, Edit, PendingFeature, Prediction, QueueEntry, Flag, Selected)


def empty(session: WriteSession, item: Item) -> None:
    """Take content, metadata, key, notes and guesses out of an item's rows, and ask for the job. Answers stay."""
    found = files.file_in(item.payload)
    sha256 = found[1].get("sha256") if found is not None else None
    with search.kept_up(session, item.project_id, [item.id]):
        item.payload, item.meta, item.key, item.reason = {}, {}, f"erased-{item.id}", None
    item.content_hash = item.fingerprint = ""
    for table in WITHOUT_CONTENT:
        session.execute(delete(table).where(table.item_id == item.id))
    jobs.enqueue(session, "erase", item.project_id, {"item": item.id, "sha256": sha256})


def is_empty(item: Item) -> bool:
    """Whether an item was erased before."""
    return not item.payload and item.key == f"erased-{item.id}"


def run(running: Running) -> Done | More:
    """Remove the file that no other item shows, and the item's rows in every shard and snapshot.

    Cost: a pass over the items and over each snapshot's file.
    """
    assert running.project_id is not None
    project_id, given = running.project_id, running.payload
    shards = 0
    with running.db.read() as session:
        if _read_elsewhere(session, project_id, running.db.now()):
            time.sleep(LOOK_SECONDS)  # another worker may hold the item's content; its next slice will not
            return More()
        found = session.execute(
            select(FeatureShard, FeatureSet.version)
            .join(FeatureSet, FeatureSet.id == FeatureShard.feature_set_id)
            .where(FeatureSet.project_id == project_id)
        ).all()
        given_from_outside = session.execute(
            select(PredictionShard, PredictionSet.folder)
            .join(PredictionSet, PredictionSet.id == PredictionShard.set_id)
            .where(PredictionSet.project_id == project_id)
        ).all()
    for row, version in found:
        folder = feature_folder(running.settings, project_id, version)
        shards += _without(running, FeatureShard, row, folder, given["item"])
    for pushed, name in given_from_outside:
        folder = set_folder(running.settings, project_id, name)
        shards += _without(running, PredictionShard, pushed, folder, given["item"])
    snapshots = snapping.forget(running, given["item"])
    gone = forget_file(running, given["sha256"]) if given["sha256"] else False
    return Done({"shards": shards, "snapshots": snapshots, "file": gone})


def forget_file(running: Running, sha256: str) -> bool:
    """Remove a file, its names and its thumbnails, unless an item shows it; whether it went."""
    assert running.project_id is not None
    with running.db.write() as session:
        running.checkpoint(session)
        if _shown(session, running.project_id, sha256):
            return False
        session.execute(delete(Media).where(Media.project_id == running.project_id, Media.sha256 == sha256))
    _unlink(running.settings, running.project_id, sha256)
    return True


def drop_unnamed(running: Running, sha256: str) -> None:
    """Remove a file that came for an item which no longer wants it, unless somebody uploaded the same."""
    assert running.project_id is not None
    with running.db.read() as session:
        named = select(Media.id).where(Media.project_id == running.project_id, Media.sha256 == sha256).limit(1)
        if session.execute(named).first() is None:
            _unlink(running.settings, running.project_id, sha256)


def _read_elsewhere(session: Session, project_id: int, moment: datetime) -> bool:
    running = (Job.kind.in_(("featurize", "snapshot")), Job.state == "running", Job.lease_until > moment)
    return session.execute(select(Job.id).where(Job.project_id == project_id, *running).limit(1)).first() is not None


def _shown(session: Session, project_id: int, sha256: str) -> bool:
    named = or_(*(Item.payload[field]["sha256"].as_string() == sha256 for field in files.FIELDS))
    return session.execute(select(Item.id).where(Item.project_id == project_id, named).limit(1)).first() is not None


def _unlink(settings: Settings, project_id: int, sha256: str) -> None:
    thumbnails.forget(settings, project_id, sha256)
    path = media.path_of(settings, project_id, sha256)
    if path is not None:
        path.unlink(missing_ok=True)


def _without(running: Running, table: Any, row: Any, folder: Path, item_id: int) -> bool:
    """Put a copy of a shard in its place that lacks an item; whether it held it.

    The manifest's row stays where it is: which of two rows of an item counts depends on the order of the shards.
    """
    info = ShardInfo(row.name, row.rows, row.checksum, row.bytes, getattr(row, "sparse", False))
    fresh = without(StoredShard(folder, info), np.array([item_id], dtype=np.int64))
    if fresh is None:
        return False
    names: Sequence[Any] = ("name", "rows", "checksum", "bytes")  # a copy is sparse where the shard was
    with running.db.write() as session:
        running.checkpoint(session)
        session.execute(
            update(table)
            .where(table.id == row.id, table.name == row.name)
            .values({name: getattr(fresh, name) for name in names})
        )
    remove(folder, row.name)
    return True
