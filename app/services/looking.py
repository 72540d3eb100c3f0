"""What a round looks at: the whole pool, or the part of a large one whose turn it is, which is said in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.arrays import Indices
from app.core.block import Shard
from app.core.settings import Settings
from app.db import Project, Round
from app.features import Only, Part, StoredShard, newest, part_of
from app.loop.looks import BITS, PART, Look
from app.services import outside as models_outside
from app.services import pool

NOTHING = np.empty(0, dtype=np.int64)
KEPT = ".kept.npy"  # beside a round's model: the highest item number that it could see, then its best candidates


@dataclass(frozen=True)
class View:
    """The shards that a round scores, those that its sample is drawn from, the pool's rows, and what is said of it."""

    shards: Sequence[Shard]
    samples: Sequence[Shard]
    rows: int
    words: str


def is_parted(settings: Settings, features: pool.FeaturePool, *, outside: bool) -> bool:
    """Whether a pool is too large to be scored as a whole in each round, and no cluster is there to do it.

    What an outside model said is not computed anew, so its rounds look at all of it.
    """
    rows = sum(info.rows for info in features.shards)
    return rows > settings.whole_pool_items and not settings.dask_scheduler and not outside


def excluded(
    session: Session, settings: Settings, project_id: int, features: pool.FeaturePool, *, outside: bool
) -> Indices:
    """Sorted ids of the items that a round over the whole pool may not choose; a part asks for its own, see `part`."""
    if is_parted(settings, features, outside=outside):
        return NOTHING
    return pool.not_candidates(session, project_id)


def part(
    session: Session, settings: Settings, project: Project, features: pool.FeaturePool, number: int
) -> View | None:
    """The rows of round `number`: its turn, what the last rounds found best, and what is new; None: the whole pool.

    A turn in which nothing is left to ask is passed over.
    """
    if not is_parted(settings, features, outside=models_outside.is_external(project)):
        return None
    shards = newest(features.opened())
    rows = sum(shard.rows for shard in shards)
    seen, best = _kept(session, settings, project.id, features.version)
    fresh = sum(shard.rows for shard in shards if seen is not None and shard.span().high > seen)
    size = max(1, int(PART * settings.whole_pool_items))
    look = Look(rows, size, project.seed, number, None if seen is None else seen + 1, fresh)
    opened = [(shard, shard.ids()) for shard in shards]
    sampled = [part_of(shard, ids, look.sampled, BITS, NOTHING) for shard, ids in opened]
    for later in range(look.turns):
        look = replace(look, number=number + later)
        scored = [part_of(shard, ids, look.wanted, BITS, best) for shard, ids in opened]
        open_ids = pool.candidates_among(session, project.id, _blocks(scored + sampled), 1 << BITS)
        if any(Only(open_ids)(each.ids).any() for each in scored):
            break
    seen_now = sum(each.rows for each in scored)
    turn = look.number % look.turns + 1
    words = (
        f" Looked at {seen_now:,} of {rows:,} items: turn {turn} of {look.turns}, the best of the rounds before and "
        "new ones."
    )
    return View(_masked(scored, open_ids), _masked(sampled, open_ids), rows, words)


def keep(model_file: Path, features: pool.FeaturePool, best: Indices) -> None:
    """Remember the items of the best candidates for the next look, beside the round's model."""
    highest = max((shard.span().high for shard in features.opened()), default=0)
    np.save(model_file.with_suffix(KEPT), np.concatenate([[highest], best]).astype(np.int64))


def _kept(session: Session, settings: Settings, project_id: int, version: str) -> tuple[int | None, Indices]:
    row = session.execute(
        select(Round.model_file)
        .where(Round.project_id == project_id, Round.model_file.is_not(None), Round.featurizer == version)
        .order_by(Round.number.desc())
        .limit(1)
    ).first()
    file = settings.data / "models" / str(project_id) / str(row.model_file if row else "none")
    try:
        found = np.load(file.with_suffix(KEPT), allow_pickle=False)
    except FileNotFoundError:
        return None, NOTHING
    return int(found[0]), np.unique(found[1:])


def _blocks(parts: Sequence[Part]) -> Indices:
    """The first id (n,) of each block that rows of the parts are in."""
    held = np.concatenate([NOTHING, *(each.ids[:, 0] >> BITS for each in parts)])
    changes = np.diff(held, prepend=-1) != 0  # neighbours are of one block: few numbers are left to be sorted
    return np.unique(held[changes]) << BITS


def _masked(parts: Sequence[Part], open_ids: Indices) -> list[Shard]:
    made: list[Shard] = []
    for each in [part for part in parts if part.rows] or parts[:1]:
        shard = each.shard
        mask = Only(open_ids).within(shard.span())
        made.append(Part(StoredShard(shard.folder, shard.info, mask, shard.newer), each.positions, each.ids))
    return made
