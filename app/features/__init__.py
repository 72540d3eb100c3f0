"""The feature store."""

from app.features.store import ShardInfo, StoredShard, append, gather, newest, remove, sweep, without

__all__ = ["ShardInfo", "StoredShard", "append", "gather", "newest", "remove", "sweep", "without"]
