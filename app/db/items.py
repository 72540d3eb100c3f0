"""Items, the files they show, and which vectors of them lie in the feature store."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base

OPEN = text("state = 'open' AND NOT done AND split = 'pool'")
REVISED = text("revision > 1")


class Item(Base):
    """One thing to label. Deleting it is a state; only erasure removes the row."""

    __tablename__ = "items"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'excluded', 'deleted', 'failed', 'fetching')", name="state"),
        CheckConstraint("split IN ('pool', 'audit')", name="split"),
        CheckConstraint("origin = 'real' OR (split = 'pool' AND NOT reserved)", name="synthetic_never_audit"),
        # A deleted item's key may be pushed again and is then a new item.
        Index(
            "uq_items_key",
            "project_id",
            "key",
            unique=True,
            sqlite_where=text("state != 'deleted'"),
            postgresql_where=text("state != 'deleted'"),
        ),
        # The audit order (reserved) and the seeded random order (not reserved) in one walk of the index.
        Index("ix_items_open", "project_id", "reserved", "draw", sqlite_where=OPEN, postgresql_where=OPEN),
        Index(
            "ix_items_first",
            "project_id",
            "priority",
            sqlite_where=text("priority > 0 AND state = 'open' AND NOT done"),
            postgresql_where=text("priority > 0 AND state = 'open' AND NOT done"),
        ),
        Index(
            "ix_items_fetching",
            "project_id",
            sqlite_where=text("state = 'fetching'"),
            postgresql_where=text("state = 'fetching'"),
        ),
        Index("ix_items_created", "project_id", "id"),  # pages, exports and the featurizer's pass walk it
        Index("ix_items_updated", "project_id", "updated_at", "id"),
        Index("ix_items_revised", "project_id", sqlite_where=REVISED, postgresql_where=REVISED),
        Index("ix_items_counts", "project_id", "state", "split", "done", "reserved"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    key: Mapped[str] = mapped_column(String(512))
    payload: Mapped[dict[str, Any]]  # {"text": ...}, {"row": {...}} or {"image": {"sha256"...} or {"address"}}
    content_hash: Mapped[str] = mapped_column(String(32))  # of the payload as sent: changed or not
    fingerprint: Mapped[str] = mapped_column(String(32))  # equal for near-identical content
    meta: Mapped[dict[str, Any]] = mapped_column("metadata")
    revision: Mapped[int] = mapped_column(default=1)  # moves when the content of an answered item is replaced
    split: Mapped[str] = mapped_column(String(8), default="pool")  # audit: the client's own test set
    reserved: Mapped[bool] = mapped_column(default=False)  # member of the audit share, drawn at insertion
    draw: Mapped[int]  # keyed hash of (project seed, key): the audit order and the random order
    state: Mapped[str] = mapped_column(String(8), default="open")
    reason: Mapped[str | None] = mapped_column(Text)  # why it failed
    priority: Mapped[int] = mapped_column(default=0)
    done: Mapped[bool] = mapped_column(default=False)  # every slot holds a counted answer; derived, never the guard
    skips: Mapped[int] = mapped_column(default=0)  # how many people skipped it
    origin: Mapped[str] = mapped_column(String(16), default="real")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Media(Base):
    """A name of a stored file, which lies under the hash of its bytes; the client's name is only data.

    The same bytes under two names are two rows and one file. A file that stays in a bucket is a row for each of its
    versions, and its hash is that of address and version: nobody has read all of its bytes.
    """

    __tablename__ = "media"
    __table_args__ = (
        UniqueConstraint("project_id", "sha256", "name"),
        Index("ix_media_name", "project_id", "name"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(500))
    sha256: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(64))  # sniffed by us, never the client's word
    size: Mapped[int]
    width: Mapped[int | None]
    height: Mapped[int | None]
    seconds: Mapped[float | None]  # of a clip
    frames_per_second: Mapped[float | None]  # of a clip of video
    bucket: Mapped[str | None] = mapped_column(String(64))  # where the file stays; None for stored ones
    path: Mapped[str | None] = mapped_column(Text)
    version: Mapped[str | None] = mapped_column(String(300))
    lost: Mapped[str | None] = mapped_column(Text)  # why it cannot be read in its bucket any more
    created_at: Mapped[datetime]


class FeatureSet(Base):
    """One fitted featurizer of a project. The newest active one is used; its shards follow."""

    __tablename__ = "feature_sets"
    __table_args__ = (UniqueConstraint("project_id", "version"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(64))  # names the folder of the shards
    sentence: Mapped[str] = mapped_column(Text, default="")  # what was picked and why
    active: Mapped[bool] = mapped_column(default=False)
    fitted_rows: Mapped[int] = mapped_column(default=0)
    featurized_to: Mapped[int] = mapped_column(default=0)  # every item up to this id has its vector
    created_at: Mapped[datetime]


class FeatureShard(Base):
    """The manifest row of one shard: a file without its row is swept, a row is written only after its file."""

    __tablename__ = "feature_shards"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    feature_set_id: Mapped[int] = mapped_column(ForeignKey("feature_sets.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int]
    bytes: Mapped[int]
    checksum: Mapped[str] = mapped_column(String(64))
    sparse: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class PendingFeature(Base):
    """An item that wants a new vector although the pass has gone by: its content changed."""

    __tablename__ = "pending_features"

    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)


class ClientFeature(Base):
    """The client's own vector of an item, until the feature store has taken it."""

    __tablename__ = "client_features"

    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    vector: Mapped[bytes]  # float32, little endian
