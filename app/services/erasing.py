"""Erasing an item for good: its row keeps nothing of it at once, a job takes its file and its vectors from the disk.

The job is asked for in the transaction that empties the row, so a crash in between loses nothing; it can be run again.
It also writes a tombstone, so that a restored backup is emptied of the item too (`tombstones`), has the rounds that
learned from it marked and their models removed, and a new round asked for.
"""

import json
import os
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.core.settings import Settings
from app.db import (
    Annotation,
    AuditDraw,
    ClientFeature,
    Database,
    Delivery,
    Edit,
    FeatureSet,
    FeatureShard,
    Flag,
    Item,
    Job,
    KeyedRequest,
    Lease,
    Media,
    PendingFeature,
    Prediction,
    PredictionSet,
    PredictionShard,
    QueueEntry,
    RejectedRow,
    Round,
    Selected,
    Webhook,
    WriteSession,
)
from app.features import ShardInfo, StoredShard, remove, without
from app.modalities import files
from app.services import contested, jobs, media, records, rounds, scrubbing, search, snapping, thumbnails
from app.services.jobs import Done, More, Running
from app.services.pool import feature_folder
from app.services.versions import set_folder

LOOK_SECONDS = 0.2
# Tables whose rows of an item go with its content.
WITHOUT_CONTENT = (ClientFeature, Edit, PendingFeature, Prediction, QueueEntry, Flag, Selected, AuditDraw)


def empty(session: WriteSession, item: Item) -> None:
    """Take content, metadata, key, answers, notes and guesses out of an item's rows, and ask for the job.

    Answers go as well: a transcription is the content once more, and what was said of somebody is about them still.
    """
    found = files.file_in(item.payload)
    sha256 = found[1].get("sha256") if found is not None else None
    _quoted(session, item)
    answers = select(Annotation.id).where(Annotation.item_id == item.id)
    taught = list(session.execute(answers).scalars())
    session.execute(delete(Annotation).where(Annotation.item_id == item.id))
    session.execute(
        update(Lease)
        .where(Lease.item_id == item.id)
        .values(suggestion=None, reason=None, skip_reason=None, state=_ended())
    )
    with search.kept_up(session, item.project_id, [item.id]):
        item.payload, item.meta, item.key, item.reason = {}, {}, f"erased-{item.id}", None
    item.content_hash = item.fingerprint = ""
    for table in WITHOUT_CONTENT:
        session.execute(delete(table).where(table.item_id == item.id))
    asked = {"item": item.id, "made": item.created_at.isoformat(), "sha256": sha256, "taught": taught}
    jobs.enqueue(session, "erase", item.project_id, asked)


def _ended() -> Any:
    """Nobody holds an erased item any more."""
    return case((Lease.state == "live", "released"), else_=Lease.state)


def _quoted(session: WriteSession, item: Item) -> None:
    """What quotes an item elsewhere: answers kept for repeated requests, rows refused, and what webhooks were told."""
    key = item.key.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    named = [f'%"{name}":{item.id}{end}%' for name in ("item", "item_id") for end in (",", "}")]
    for part in (*named, f"%{json.dumps(key, ensure_ascii=False)}%"):
        session.execute(delete(KeyedRequest).where(KeyedRequest.answer.like(part, escape="\\")))
    imports = select(Job.id).where(Job.project_id == item.project_id)
    session.execute(delete(RejectedRow).where(RejectedRow.job_id.in_(imports), RejectedRow.key == item.key))
    hooks = select(Webhook.id).where(Webhook.project_id == item.project_id)
    told = select(Delivery).where(Delivery.webhook_id.in_(hooks), Delivery.event == "flag.created")
    for delivery in session.execute(told).scalars():
        if delivery.data.get("item") == item.id:
            delivery.data = {"item": item.id, "erased": True}


def is_empty(item: Item) -> bool:
    """Whether an item was erased before."""
    return not item.payload and item.key == f"erased-{item.id}"


def run(running: Running) -> Done | More:
    """Remove the file that no other item shows, and the item's rows in every shard and snapshot.

    Cost: a pass over the items, over each snapshot's file, over the lists of labels and the records of its rounds.
    """
    given = running.payload
    if running.project_id is None:  # a person: the rows are done
        write_tombstones(running.settings, [("user", given["user"], given["made"])])
        return _last(running, {"user": given["user"]})
    project_id = running.project_id
    if "made" in given:  # not of a job that an earlier version asked for
        write_tombstones(running.settings, [("item", given["item"], given["made"])])
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
    marked = _untaught(running, project_id, set(given.get("taught", ())))
    with running.db.write() as session:
        running.checkpoint(session)
        records.forget(session, project_id, given["item"])
        contested.forget(session, project_id, given["item"])
    return _last(running, {"shards": shards, "snapshots": snapshots, "file": gone, "rounds": marked})


def _last(running: Running, result: dict[str, Any]) -> Done:
    with running.db.write() as session:
        running.checkpoint(session)
        scrubbing.request(session)
    return Done(result)


def write_tombstones(settings: Settings, named: Iterable[tuple[str, int, str]]) -> None:
    """Add lines to the list of who and what was erased: kind, number, the moment it was made. Synced to the disk."""
    new = [json.dumps({"kind": kind, "id": number, "made": made}) + "\n" for kind, number, made in named]
    if not new:
        return
    file = settings.data / "erased.jsonl"
    with os.fdopen(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "a") as to:
        to.write("".join(new))
        to.flush()
        os.fsync(to.fileno())


def _untaught(running: Running, project_id: int, taught: set[int]) -> int:
    """Mark the rounds that learned from an item, remove their models but the newest, and ask for a round without it.

    How many were marked. The newest model is needed until the next round has made its own, which removes it.
    """
    if not taught:
        return 0
    with running.db.read() as session:
        numbers = session.execute(select(Round.id).where(Round.project_id == project_id).order_by(Round.id)).scalars()
        learned = [number for number in numbers.all() if taught & set(_labels_of(session, number))]
    with running.db.write() as session:
        running.checkpoint(session)
        session.execute(update(Round).where(Round.id.in_(learned)).values(erased=Round.erased + 1))
        if learned:
            rounds.make_due(session, project_id)
    drop_marked_models(running, project_id)
    return len(learned)


def _labels_of(session: Session, round_id: int) -> list[int]:
    found: list[int] = session.execute(select(Round.labels).where(Round.id == round_id)).scalar_one()
    return found


def drop_marked_models(running: Running, project_id: int) -> None:
    """Remove the models of rounds that learned from an erased item, but for the newest model of all."""
    with running.db.write() as session:
        running.checkpoint(session)
        kept = select(func.max(Round.id)).where(Round.project_id == project_id, Round.model_file.is_not(None))
        newest = session.execute(kept).scalar_one()
        marked = (Round.project_id == project_id, Round.erased > 0, Round.model_file.is_not(None), Round.id != newest)
        gone = session.execute(select(Round.id, Round.model_file).where(*marked)).all()
        session.execute(update(Round).where(Round.id.in_([row.id for row in gone])).values(model_file=None))
    folder = running.settings.data / "models" / str(project_id)
    for row in gone:
        for each in folder.glob(f"{Path(row.model_file).stem}.*"):
            each.unlink(missing_ok=True)


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


def drop_unnamed(db: Database, settings: Settings, project_id: int, sha256: str) -> None:
    """Remove a file that came and is not wanted, unless somebody uploaded the same."""
    with db.read() as session:
        named = select(Media.id).where(Media.project_id == project_id, Media.sha256 == sha256).limit(1)
        if session.execute(named).first() is None:
            _unlink(settings, project_id, sha256)


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
