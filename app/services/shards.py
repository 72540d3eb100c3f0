"""Writing what an outside model says into shards of the feature store's form."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from app.core.arrays import Floats, Indices
from app.core.block import Block
from app.db import PredictionShard, WriteSession
from app.features import ShardInfo, append, remove
from app.services.versions import FEATURES, PROBABILITIES

SHARD_BYTES = 16_000_000


@dataclass
class ShardWriter:
    """Shards of a version, written as rows come; a shard counts from when it is named in the tables."""

    folder: Path
    width: int | None  # of the features, as the version began; 0: it has none
    waiting: list[tuple[Indices, Floats, Floats | None]] = field(default_factory=list)
    size: int = 0
    written: list[tuple[str, ShardInfo]] = field(default_factory=list)

    def take(self, ids: Indices, probabilities: Floats, features: Floats | None) -> None:
        """Keep rows until there are enough of them for a shard."""
        self.waiting.append((ids, probabilities, features))
        self.size += probabilities.nbytes + (0 if features is None else features.nbytes)
        if self.size >= SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if not self.waiting:
            return
        ids = np.concatenate([part[0] for part in self.waiting])
        probabilities = np.concatenate([part[1] for part in self.waiting])
        features = [part[2] for part in self.waiting if part[2] is not None]
        self.waiting, self.size = [], 0
        self.written.append((PROBABILITIES, append(self.folder, ids, Block(probabilities))))
        if features:
            self.written.append((FEATURES, append(self.folder, ids, Block(_unit(np.concatenate(features))))))

    def forget(self) -> None:
        """Remove what was written, as nothing names it."""
        for _, info in self.written:
            remove(self.folder, info.name)

    @property
    def rows(self) -> int:
        return sum(info.rows for kind, info in self.written if kind == PROBABILITIES)

    def name(self, session: WriteSession, set_id: int, moment: datetime) -> None:
        """Name what was written in the tables, in the caller's transaction."""
        for kind, info in self.written:
            session.add(
                PredictionShard(
                    set_id=set_id,
                    kind=kind,
                    name=info.name,
                    rows=info.rows,
                    bytes=info.bytes,
                    checksum=info.checksum,
                    created_at=moment,
                )
            )


def _unit(vectors: Floats) -> Floats:
    """Rows scaled to length one, as all features of the loop are."""
    length = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.where(length > 0, length, 1), dtype=np.float32)
