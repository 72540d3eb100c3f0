"""The feature store."""

from app.features.given import Given, GivenShard
from app.features.parts import Part, part_of
from app.features.store import (
    AllBut,
    DamagedShard,
    Only,
    ShardInfo,
    Span,
    StoredShard,
    adopt,
    append,
    fault,
    gather,
    newest,
    remove,
    sweep,
    without,
)

__all__ = [
    "AllBut",
    "DamagedShard",
    "Given",
    "GivenShard",
    "Only",
    "Part",
    "ShardInfo",
    "Span",
    "StoredShard",
    "adopt",
    "append",
    "fault",
    "gather",
    "newest",
    "part_of",
    "remove",
    "sweep",
    "without",
]
