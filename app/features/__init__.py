"""The feature store."""

from app.features.given import Given, GivenShard
from app.features.store import ShardInfo, StoredShard, adopt, append, gather, newest, remove, sweep, without

__all__ = [
    "Given",
    "GivenShard",
    "ShardInfo",
    "StoredShard",
    "adopt",
    "append",
    "gather",
    "newest",
    "remove",
    "sweep",
    "without",
]
