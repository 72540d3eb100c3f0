"""The feature store."""

from app.features.given import Given, GivenShard
from app.features.store import (
    AllBut,
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
    "ShardInfo",
    "Span",
    "StoredShard",
    "adopt",
    "append",
    "gather",
    "newest",
    "remove",
    "sweep",
    "without",
]
