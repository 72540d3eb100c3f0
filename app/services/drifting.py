"""Whether what comes in is like what the labels were drawn from: looked at in a round, kept with it, said to people.

New items are those that came in after the labels began to teach; they are compared with a sample of the items before
them, labelled or not: of the labelled ones alone the choice of the strategy would be told apart. Once thirty of the new
ones are labelled they are new no more. Where as many of them are gone as would have to come in for another look, or all
that an alarm names, what is left is compared anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import func, select

from app.core.arrays import Floats, Indices
from app.db import FeatureSet, Item, Job, Project
from app.evaluation.drift import FEWEST, GROWN, MOST, alarms, told_apart
from app.features import StoredShard, gather, newest
from app.featurizers import make_featurizer, options_of
from app.modalities import MODALITIES
from app.services import features, opening
from app.services.answered import one_of
from app.services.borrowing import Files
from app.services.drift import Drift, there
from app.services.jobs import Running
from app.services.pool import IN_POOL
from app.services.turn_state import Turn
from app.strategies import keyed_hash

KEY = 0xD21F7
SHOWN = 100  # items behind an alarm, at most
LETTERS = 4_000  # of a text, that are compared
MOST_FILES = 150  # on either side, which have to be read again
# They learn nothing from items, so that what they stored treats all items alike; others are taught anew by both sides.
AS_STORED = frozenset({"client", "onnx-text", "onnx-image", "onnx-frames"})
COMING = ("import", "bucket", "fetch")  # while they work, what has come is a part of what comes


@dataclass(frozen=True)
class _Side:
    """Identities (n, 3) of some items, and what a featurizer reads of them."""

    ids: Indices
    content: Sequence[Any]


def look(running: Running, turn: Turn, last: Drift | None) -> Drift | None:
    """Compare the new items where they grew by a quarter since the last look; no transaction is open meanwhile.

    The database counts the new items, O(new items). A comparison passes over the identities of the pool, a shard at a
    time, and reads the vectors or contents of at most 2,000 items (of files 300). Twice as many are looked up to be
    drawn, and where most of those are gone four times as many in another pass, until there are enough or no more.
    """
    shards = newest(turn.features.opened())
    labels = np.array([each.item_id for each in opening.taught(turn.labels.items)], dtype=np.int64)
    highest = max((shard.span().high for shard in shards), default=-1)
    if len(labels) < FEWEST or highest < 0:
        return None
    if last is None:
        return Drift(highest, turn.number)
    now = _counted(running, turn, labels, last, highest)
    if now.labelled >= FEWEST:
        behind = now.since if now.alarm else now.behind  # after an alarm the items before it are no measure any more
        return Drift(highest, turn.number, behind, now.looks)
    is_due = now.new >= GROWN * now.seen or _is_shrunk(now)
    if now.new < FEWEST or not is_due or _is_coming(running, turn.project_id):
        return now
    return _compared(running, turn, now, shards, labels)


def _counted(running: Running, turn: Turn, labels: Indices, last: Drift, highest: int) -> Drift:
    """What the last look left, of the items that are there now; without its alarm where nothing is left behind it."""
    came = (Item.project_id == turn.project_id, Item.id > last.since, Item.id <= highest)
    with running.db.read() as session:
        new = int(session.execute(select(func.count()).select_from(Item).where(*came, *IN_POOL)).scalar_one())
        labelled = len(there(session, labels[labels > last.since].tolist()))
        left = there(session, last.items)
    now = replace(last, new=new, labelled=labelled, items=[each for each in last.items if each in left])
    if not last.alarm:
        return replace(now, seen=min(last.seen, new))
    is_over = (last.items and not left) or (_is_shrunk(now) and new < FEWEST)
    return now.over() if is_over else now


def _is_shrunk(now: Drift) -> bool:
    """Whether so many of the items behind an alarm are gone that it need not hold of the others."""
    return now.alarm and GROWN * now.new <= now.seen


def _compared(running: Running, turn: Turn, now: Drift, shards: list[StoredShard], labels: Indices) -> Drift:
    with running.db.read() as session:
        name = session.get_one(FeatureSet, turn.features.set_id).name
        project = session.get_one(Project, turn.project_id)
    field_of = MODALITIES[turn.modality]
    if name not in AS_STORED and (field_of.media or "").startswith("video/"):
        return replace(now, lack="clips would have to be decoded again")
    most = MOST if name in AS_STORED or field_of.media is None else MOST_FILES
    bounds = ((now.behind, now.since), (now.since, np.iinfo(np.int64).max))
    sides = [_drawn(running, project, shards, each, most) for each in bounds]
    if min(len(side.ids) for side in sides) < FEWEST:
        return now
    if name not in AS_STORED and any(isinstance(side.content, Files) for side in sides):
        return replace(now, lack="files in buckets would have to be fetched again")
    vectors = [_stored(turn, side) for side in sides] if name in AS_STORED else _anew(running, project, name, sides)
    number = now.looks + 1
    told = told_apart(vectors[0], vectors[1], turn.plan.seed)
    alarm = alarms(told, number)
    order = np.argsort(-told.unlike, kind="stable")
    unlike = [int(sides[1].ids[row, 0]) for row in order if told.unlike[row] > 0.5]
    known = set(labels.tolist())
    return replace(
        now,
        looks=number,
        seen=now.new,
        compared=(len(vectors[0]), len(vectors[1])),
        apart=told.apart.to_json(),
        chance=float(f"{told.chance:.3g}"),
        alarm=alarm,
        items=[each for each in unlike if each not in known][:SHOWN] if alarm else [],
        lack=None,
    )


def _between(shard: StoredShard, above: int, to: int) -> Indices:
    """The newest revisions (n, 3) of a shard's items in a range of ids; nothing is read of a shard beyond it."""
    span = shard.span()
    if span.high <= above or span.low > to:
        return np.empty((0, 3), dtype=np.int64)
    ids = shard.ids()
    return np.asarray(ids[shard.candidates(ids) & (ids[:, 0] > above) & (ids[:, 0] <= to)])


def _lowest(shards: list[StoredShard], above: int, to: int, most: int) -> Indices:
    """The identities with the lowest keyed hashes in a range of ids, (n, 3): a uniform draw, the same at every look."""
    kept = np.empty((0, 3), dtype=np.int64)
    for shard in shards:
        both = np.concatenate([kept, _between(shard, above, to)])
        kept = both[np.argsort(keyed_hash(both, KEY), kind="stable")[:most]]
    return kept


def _is_coming(running: Running, project_id: int) -> bool:
    coming = select(Job.id).where(
        Job.project_id == project_id, Job.kind.in_(COMING), Job.state.in_(("waiting", "running"))
    )
    with running.db.read() as session:
        return session.execute(coming.limit(1)).first() is not None


def _drawn(running: Running, project: Project, shards: list[StoredShard], bounds: tuple[int, int], most: int) -> _Side:
    """A uniform draw of the items in a range of ids that are compared, at most so many, with their content."""
    chosen = _chosen(running, shards, bounds, most)
    columns = select(Item.id, Item.project_id, Item.revision, Item.payload)
    with running.db.read() as session:
        still = columns.where(one_of(session, Item.id, [each[0] for each in chosen]), *IN_POOL)
        rows = {row.id: row for row in session.execute(still)}
        kept = [each for each in chosen if each[0] in rows]
        drawn = [rows[each[0]] for each in kept]
        content = features.payloads(session, running.settings, project.modality, drawn) if drawn else []
    return _Side(np.array(kept, dtype=np.int64).reshape(-1, 3), content)


def _chosen(running: Running, shards: list[StoredShard], bounds: tuple[int, int], most: int) -> list[list[int]]:
    """The identities of such a draw, in its order."""
    wanted = 2 * most
    while True:
        some = _lowest(shards, *bounds, wanted)
        with running.db.read() as session:
            found = there(session, some[:, 0].tolist())
        if len(found) >= most or len(some) < wanted:
            return [each for each in some.tolist() if each[0] in found][:most]
        wanted *= 4


def _stored(turn: Turn, side: _Side) -> Floats:
    return gather(turn.features.opened(), side.ids)[1].dense


def _anew(running: Running, project: Project, name: str, sides: Sequence[_Side]) -> list[Floats]:
    """Vectors by the same featurizer, taught by both sides alike."""
    featurizer = make_featurizer(name, options_of(name, project.featurizer, running.settings.text_encoder))
    both = [each[:LETTERS] if isinstance(each, str) else each for side in sides for each in side.content]
    dense = featurizer.transform(both, featurizer.fit(both)).dense
    return [dense[: len(sides[0].ids)], dense[len(sides[0].ids) :]]
