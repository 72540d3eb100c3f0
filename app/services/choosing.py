"""Which items a scorer is asked about in a round, so that a pool of a million costs no million questions each time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.arrays import Doubles, Floats, Indices
from app.db import Item
from app.services import pool
from app.services.versions import Version
from app.strategies import keyed_hash

ROWS_AT_ONCE = 100_000
DRAWN = 10  # one in so many of those asked again is drawn by lot, so that a wrong but certain opinion comes up again
STALE = 2  # a version holds at most so many rows an item, counting those that later ones replaced


@dataclass(frozen=True)
class Chosen:
    """Whom to ask about: item ids (n,), sorted; whether the rows of the version before stay in use for the others."""

    items: Indices
    goes_on: bool


def choose(
    session: Session, project_id: int, before: Version | None, *, same: bool, most: int, labelled: Indices, seed: int
) -> Chosen:
    """What is asked in this round.

    Everything, where nothing was asked before, where the pool has `most` items or fewer (0: however many), or where
    vectors of two versions would be mixed. Else what is new, what is labelled and the `most` of which the version
    before was least sure. `same`: the scorer says that it has not changed, so only what is new is asked. Memory: 50
    bytes an item of the pool.
    """
    ids = _open_items(session, project_id)
    if before is None:
        return Chosen(ids[:, 0], False)
    new = ids[~before.given.has(ids)[0], 0]
    worn = before.given.starts[-1] > STALE * max(len(ids), 1)
    if same and not worn:
        return Chosen(new, True)
    if worn or most == 0 or len(ids) <= most or before.features is not None:
        return Chosen(ids[:, 0], False)
    again = _least_sure(session, project_id, ids, before, most, seed)
    wanted = np.union1d(np.union1d(new, again), np.intersect1d(labelled, ids[:, 0]))
    return Chosen(wanted, True)


def _open_items(session: Session, project_id: int) -> Indices:
    """Item, unit and revision (n, 3) of every open item, in the order of their ids."""
    rows = session.execute(
        select(Item.id, Item.revision).where(Item.project_id == project_id, Item.state == "open").order_by(Item.id),
        execution_options={"yield_per": 10_000},
    )
    flat = np.fromiter((value for row in rows for value in (row[0], 0, row[1])), dtype=np.int64)
    return flat.reshape(-1, 3)


def _least_sure(session: Session, project_id: int, ids: Indices, before: Version, most: int, seed: int) -> Indices:
    """The `most` candidates closest to another opinion, one in ten of them by lot."""
    candidates = ids[pool.candidates_only(pool.not_candidates(session, project_id))(ids)]
    parts = list(_sureness(candidates, before))
    known = np.concatenate([part[0] for part in parts]) if parts else candidates[:0]
    sure = np.concatenate([part[1] for part in parts]) if parts else np.empty(0)
    by_lot = np.argsort(keyed_hash(known, seed), kind="stable")[: most // DRAWN]
    closest = np.argsort(sure, kind="stable")[: most - len(by_lot)]
    return np.union1d(known[by_lot, 0], known[closest, 0])


def _sureness(ids: Indices, before: Version) -> Iterator[tuple[Indices, Doubles]]:
    for start in range(0, len(ids), ROWS_AT_ONCE):
        some = ids[start : start + ROWS_AT_ONCE]
        found, probabilities = before.given.of(some)
        yield some[found], sureness(probabilities, several=before.given.several)


def sureness(probabilities: Floats, *, several: bool) -> Doubles:
    """How far each row (n, c) is from another opinion, (n,) in [0, 1]: the gap of its two best classes.

    Where several classes may hold: how far the least certain class is from a half.
    """
    if several or probabilities.shape[1] < 2:
        return np.asarray(np.abs(2 * probabilities - 1).min(axis=1), dtype=np.float64)
    best = np.partition(probabilities, -2, axis=1)
    return np.asarray(best[:, -1] - best[:, -2], dtype=np.float64)
