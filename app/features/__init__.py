"""The feature store."""

from app.features.store import ShardInfo, StoredShard, append, gather, remove, sweep, without

__all__ = ["ShardInfo", "StoredShard", "append", "gather", "remove", "sweep", "without"]
