"""The feature store."""

from app.features.given import Given, GivenShard
from app.features.parts import Part, part_of
from app.features.store import (
    AllBut,
    Only,
    ShardInfo,
    Span,
    StoredShard,
    adopt,
    append,
    gather,
    newest,
    remove,
    sweep,
    without,
)

__all__ = [
    "AllBut",
    "Given",
    "GivenShard",
    "Only",
    "Part",
    "ShardInfo",
    "Span",
    "StoredShard",
    "adopt",
    "append",
    "gather",
    "newest",
    "part_of",
    "remove",
    "sweep",
    "without",
]
