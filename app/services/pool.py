"""Where a project's vectors lie and which of them are candidates: the meeting of the tables and the feature store."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from app.core.arrays import Indices
from app.core.settings import Settings
from app.db import FeatureSet, FeatureShard, Item, Lease
from app.features import AllBut, Only, ShardInfo, StoredShard
from app.services.leases import SKIPS_UNTIL_A_LOOK

# What the pool is: a test set was chosen, synthetic items were made, and what was taken out is here no more.
IN_POOL = (Item.state == "open", Item.split == "pool", Item.origin == "real")


@dataclass(frozen=True)
class FeaturePool:
    """The active feature set of a project: its folder, its shards and its version."""

    set_id: int
    version: str
    sentence: str
    folder: Path
    shards: list[ShardInfo]

    def opened(self, keep: AllBut | Only | None = None) -> list[StoredShard]:
        """The shards, memory-mapped when their turn comes; `keep` says which of their items are candidates."""
        shards = [StoredShard(self.folder, info) for info in self.shards]
        return shards if keep is None else [replace(each, keep=keep.within(each.span())) for each in shards]


def feature_folder(settings: Settings, project_id: int, version: str) -> Path:
    """Where the shards of one feature set lie."""
    return settings.data / "features" / str(project_id) / version


def active(session: Session, settings: Settings, project_id: int) -> FeaturePool | None:
    """The feature set that rounds use, with its manifest; None before the first pass."""
    found = session.execute(
        select(FeatureSet).where(FeatureSet.project_id == project_id, FeatureSet.active)
    ).scalar_one_or_none()
    if found is None:
        return None
    rows = session.execute(
        select(FeatureShard).where(FeatureShard.feature_set_id == found.id).order_by(FeatureShard.id)
    ).scalars()
    shards = [ShardInfo(row.name, row.rows, row.checksum, row.bytes, row.sparse) for row in rows]
    folder = feature_folder(settings, project_id, found.version)
    return FeaturePool(found.id, found.version, found.sentence, folder, shards)


def no_features(session: Session, project_id: int) -> str:
    """Why a project has no active feature set, in words."""
    if session.execute(select(Item.id).where(Item.project_id == project_id).limit(1)).first() is None:
        return "the project has no items yet: push some first"
    return "the items have no features yet: a worker is making them, ask again in a moment"


def not_candidates(session: Session, project_id: int) -> Indices:
    """Sorted ids of the items that a round may not choose: answered, reserved, excluded, in somebody's hands.

    The pool is the complement, so what is loaded grows with the answers and the audit share, not with it.
    """
    closed = select(Item.id).where(
        Item.project_id == project_id,
        or_(text("items.state != 'open'"), Item.done, Item.reserved, Item.split != "pool"),
    )
    ids = np.fromiter(session.execute(closed).scalars(), dtype=np.int64)
    return np.union1d(ids, _with_people(session, project_id))


# One text of all numbers: as many rows would take several times as long to read.
# On SQLite the index of the counts ends with the item's number; elsewhere the primary key gives the rows of a range.
AMONG = {
    "sqlite": text("""
        SELECT group_concat(items.id) FROM json_each(:firsts) AS block
        CROSS JOIN items INDEXED BY ix_items_counts
        WHERE items.project_id = :project AND items.state = 'open' AND items.split = 'pool' AND items.done = :no
        AND items.reserved = :no
        AND items.id BETWEEN block.value AND block.value + :more
    """),
    "postgresql": text("""
        SELECT string_agg(CAST(items.id AS text), ',')
        FROM unnest(CAST(:firsts AS bigint[])) AS block(first)
        JOIN items ON items.id BETWEEN block.first AND block.first + :more
        WHERE items.project_id = :project AND items.state = 'open' AND items.split = 'pool' AND NOT items.done
        AND NOT items.reserved
    """),
}


def candidates_among(session: Session, project_id: int, firsts: Indices, length: int) -> Indices:
    """Sorted ids of the items that a round may choose in some blocks of ids, given by the first of each (n,).

    Costs what the blocks hold and what people hold, whatever the pool's length.
    """
    sqlite = session.get_bind().dialect.name == "sqlite"
    blocks = json.dumps(firsts.tolist()) if sqlite else firsts.tolist()
    given = {"project": project_id, "firsts": blocks, "more": length - 1} | ({"no": False} if sqlite else {})
    found = session.execute(AMONG["sqlite" if sqlite else "postgresql"], given).scalar()
    open_ids = np.sort(np.fromstring(found or "", dtype=np.int64, sep=","))
    return open_ids[~np.isin(open_ids, _with_people(session, project_id))]


def _with_people(session: Session, project_id: int) -> Indices:
    """Items in somebody's hands, and those that several people skipped."""
    own = select(Lease.item_id).where(Lease.project_id == project_id)
    held = own.where(text("leases.state = 'live'"))
    stuck = select(Item.id).where(Item.id.in_(own.where(Lease.state == "skipped")), Item.skips >= SKIPS_UNTIL_A_LOOK)
    return np.concatenate([np.fromiter(session.execute(query).scalars(), dtype=np.int64) for query in (held, stuck)])


def candidates_only(excluded: Indices) -> AllBut:
    """A mask over identities (n, 3) that leaves the excluded items out; O(n log excluded)."""
    return AllBut(excluded)
