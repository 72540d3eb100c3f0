"""The feature store."""

from app.features.copied import CopiedShard, CopyFault, check_address
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
    "CopiedShard",
    "CopyFault",
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
    "check_address",
    "fault",
    "gather",
    "newest",
    "part_of",
    "remove",
    "sweep",
    "without",
]
