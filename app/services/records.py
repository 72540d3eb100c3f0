"""What is kept of a round beside its row: what it rests on, what it chose, and what it said of whom.

A record is some tens of kilobytes and stays as long as its round. It holds ids of items, of annotations and of classes,
nothing that an item says; what it holds of an erased item goes with it.
"""

import platform
import sys
import zlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app.core.arrays import Floats, Indices
from app.db import Round, RoundRecord, WriteSession
from app.evaluation.thresholds import ROUNDED
from app.learners import OUTSIDE
from app.loop.auditing import Answers
from app.loop.propose import Proposal
from app.services.turn_state import Turn

PACKAGES = ("labelwise", "numpy", "scipy", "scikit-learn")
TIE = 1e-6  # shares of classes that differ by less are a tie
STRATA = ("audit", "imported")
BROKEN, SPOKEN = "broken", "spoken"
LIKELY = 0.05  # probabilities of judged items from which on they are kept


def keep(session: WriteSession, turn: Turn, proposal: Proposal) -> None:
    """Keep what a published round rests on and what it chose; one that an earlier attempt kept is written anew."""
    learned = set(session.execute(select(Round.labels).where(Round.id == turn.round_id)).scalar_one())
    row = {
        "round_id": turn.round_id,
        "project_id": turn.project_id,
        "recipe": _recipe(turn, learned),
        "left_out": packed(turn.excluded),
        "choice": choice_of(proposal),
        "sample": sample_of(turn, proposal),
        "judged": None,
    }
    session.execute(delete(RoundRecord).where(RoundRecord.round_id == turn.round_id))
    session.execute(insert(RoundRecord), [row])


def keep_judged(session: WriteSession, turn: Turn, judged: Mapping[str, Answers], terms: Mapping[str, Any]) -> None:
    """Keep what was said of the items that judge the round, and the `terms` on which it was judged."""
    found = {**terms, **judged_of(turn.class_ids, judged, turn.plan.multiple)}
    for name, each in judged.items():
        found[name]["chances"] = chances_of(each.said, turn.class_ids)
    session.execute(update(RoundRecord).where(RoundRecord.round_id == turn.round_id).values(judged=found))


def keep_broken(session: WriteSession, round_id: int, broken: Mapping[str, list[int]]) -> None:
    """Keep which judging items each kind of disturbance makes wrong, where the round has a record of its judges."""
    judged = session.execute(select(RoundRecord.judged).where(RoundRecord.round_id == round_id)).scalar_one_or_none()
    if judged is not None:
        found = {**judged, BROKEN: dict(broken)}
        session.execute(update(RoundRecord).where(RoundRecord.round_id == round_id).values(judged=found))


def of_round(session: Session, round_id: int) -> RoundRecord | None:
    """The record of a round; None of one that published nothing, or that an earlier release ran."""
    return session.get(RoundRecord, round_id)


def forget(session: WriteSession, project_id: int, item_id: int) -> int:
    """Take what was chosen and said of an item out of every record of its project; how many held it.

    Cost: a pass over the project's records.
    """
    held = 0
    ids = session.execute(select(RoundRecord.round_id).where(RoundRecord.project_id == project_id)).scalars().all()
    for round_id in ids:
        record = session.get_one(RoundRecord, round_id)
        choice = [place for place in record.choice if place[0] != item_id]
        sample = without(record.sample, item_id)
        judged = record.judged and {
            name: without(each, item_id) if name in STRATA else each for name, each in record.judged.items()
        }
        if judged and judged.get(SPOKEN):
            told = [each for each in judged[SPOKEN]["told"] if each != item_id]
            judged[SPOKEN] = {**judged[SPOKEN], "told": told}
        if judged and BROKEN in judged:
            judged[BROKEN] = {kind: [each for each in ids if each != item_id] for kind, ids in judged[BROKEN].items()}
        if (len(choice), sample, judged) != (len(record.choice), record.sample, record.judged):
            record.choice, record.sample, record.judged = choice, sample, judged
            held += 1
        session.flush()
        session.expunge(record)
    return held


def without(rows: dict[str, Any], item_id: int) -> dict[str, Any]:
    """Lists side by side, `items` among them, without an item's place."""
    kept = [at for at, each in enumerate(rows["items"]) if each != item_id]
    return {name: [values[at] for at in kept] for name, values in rows.items()}


def versions() -> dict[str, str]:
    """What a round's numbers depend on besides its data: Python, the packages that compute, the machine's kind."""
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        **{name: version(name) for name in PACKAGES},
        "machine": platform.machine(),
    }


def packed(ids: Indices) -> bytes:
    """Sorted ids (n,), or numbers that change seldom, as their differences, compressed: about a byte each at most."""
    return zlib.compress(np.diff(np.asarray(ids, dtype="<i8"), prepend=0).astype("<i8").tobytes())


def unpacked(data: bytes) -> Indices:
    """The ids that `packed` was given."""
    return np.cumsum(np.frombuffer(zlib.decompress(data), dtype="<i8")).astype(np.int64)


def choice_of(proposal: Proposal) -> list[list[Any]]:
    """Item, unit, revision and score of each place; a score that is not finite is null."""
    scores = [float(each) if np.isfinite(each) else None for each in proposal.scores]
    return [[*map(int, each), score] for each, score in zip(proposal.ids, scores, strict=True)]


def sample_of(turn: Turn, proposal: Proposal) -> dict[str, Any]:
    """The items of the sample and the class, or classes, that each was taken for; empty without a model."""
    if proposal.sample_probabilities is None:
        return {"items": [], "said": []}
    said = taken_for(proposal.sample_probabilities, turn.class_ids, turn.plan.multiple)
    return {"items": [int(each) for each in proposal.sample_ids[:, 0]], "said": said}


def judged_of(class_ids: Sequence[int], judged: Mapping[str, Answers], multiple: bool) -> dict[str, Any]:
    """By stratum: items, what each was taken for, and what was answered (null: a tie)."""
    return {
        name: {
            "items": [int(each) for each in found.items],
            "said": taken_for(found.said, class_ids, multiple),
            "answers": answered_with(found.targets, class_ids, multiple),
        }
        for name, found in judged.items()
    }


def chances_of(probabilities: Floats, class_ids: Sequence[int]) -> list[list[list[float]]]:
    """Of each row the classes (their ids) that have 0.05 or more, and the most probable one in any case, with what."""
    kept = probabilities >= LIKELY
    kept[np.arange(len(kept)), probabilities.argmax(axis=1)] = True
    return [
        [[class_ids[int(at)], round(float(row[at]), ROUNDED)] for at in np.flatnonzero(which)]
        for row, which in zip(probabilities, kept, strict=True)
    ]


def taken_for(probabilities: Floats, class_ids: Sequence[int], multiple: bool) -> list[Any]:
    """The id of each row's most probable class; where several may hold, the ids of those that do."""
    if multiple:
        return [[class_ids[int(at)] for at in np.flatnonzero(row >= 0.5)] for row in probabilities]
    return [class_ids[int(at)] for at in probabilities.argmax(axis=1)]


def answered_with(targets: Floats, class_ids: Sequence[int], multiple: bool) -> list[Any]:
    """The same of answers: the class that most of them name, None where no class is ahead.

    Where several may hold, the classes that most of them name, None where half of them name one and half do not.
    """
    if multiple:
        tied = (np.abs(targets - 0.5) < TIE).any(axis=1)
        said = zip(taken_for(targets, class_ids, multiple), tied, strict=True)
        return [None if tie else named for named, tie in said]
    best = [np.flatnonzero(row >= row.max() - TIE) for row in targets]
    return [class_ids[int(at[0])] if len(at) == 1 else None for at in best]


def _recipe(turn: Turn, learned: set[int]) -> dict[str, Any]:
    plan = turn.plan
    own = plan.given is None and plan.learner not in OUTSIDE
    return {
        "plan": {
            "multiple": plan.multiple,
            "strategy": plan.strategy,
            "strategy_parameters": dict(plan.strategy_parameters),
            "learner": plan.learner,
            "learner_parameters": dict(plan.learner_parameters) if own else {},  # an address stays in the settings
            "size": plan.size,
            "values": None if plan.values is None else list(plan.values),
            "apart": plan.apart,
        },
        "merged": {str(number): into for number, into in turn.merged.items()},
        "silence": turn.silence,
        "others": sorted(learned ^ set(turn.labels.annotation_ids)),  # answers that were read, but for its own labels
        "newest": turn.labels.newest_annotation,
        "shards": [info.name for info in turn.features.shards],
        "warm": plan.warm is not None,
        "predictions": None if turn.version is None else turn.version.set_id,
        "parted": turn.view is not None,
        "guard": turn.guard.to_json(),
        "cost_exponent": None if turn.pricing is None else turn.pricing.exponent,
        "versions": versions(),
    }
