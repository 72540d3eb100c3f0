"""Running a stored round again from what is kept of it, and saying line by line what is the same and what differs."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.core.errors import Conflict
from app.core.settings import Settings
from app.core.text import parse_json, write_json
from app.db import Database, Project
from app.features import DamagedShard
from app.loop.executors import one_thread
from app.loop.propose import unheard
from app.services import records, turn
from app.services.measuring import Measured, measure, unmeasured
from app.services.recalled import Recalled, recall

SHOWN = 10  # figures that differ
# They rest on the clock, on prices, on new items, on the rounds before, on what is counted beside, on a later job.
NOT_AGAIN = ("stopping", "cost", "drift", "labelled", "disputed", "unanswered", "robustness")
ABOUT = 1e-9
UNCOUNTED = (
    "its estimate rests on audit items that had no answer then, which are not kept: the choice alone is compared"
)


@dataclass(frozen=True)
class Line:
    """One thing that was compared."""

    same: bool
    what: str
    detail: str


@dataclass(frozen=True)
class Rerun:
    """What came of running a round again; `changed` says what is other than it was and was not gone by."""

    lines: list[Line]
    changed: list[str]

    @property
    def same(self) -> bool:
        """Whether everything that was compared is equal."""
        return all(each.same for each in self.lines)


def rerun(db: Database, settings: Settings, project_id: int, number: int, *, current: bool = False) -> Rerun:
    """Run a round again: the answers, the pool, the seed and the settings that it had; with `current`, the answers that
    its items have now. Nothing is written. Costs what the round cost.

    Raises:
        Conflict: something that it rests on is gone, or cannot be read; says what.
    """
    with db.read() as session:
        found = recall(db, session, settings, session.get_one(Project, project_id), number, current=current)
        session.expunge_all()
    try:
        with one_thread():
            proposal = turn.think(settings, found.turn, unheard)
            measured = _measured(db, found, proposal)
    except DamagedShard as damage:
        raise Conflict(f"round {number} cannot be run again: {damage}") from None
    fresh = records.choice_of(proposal), records.sample_of(found.turn, proposal)
    told = [] if measured is not None or not (found.record.judged or {}).get("look") else [UNCOUNTED]
    return Rerun([*_choice(found, *fresh), *_metrics(found, measured)], [*found.changed, *told])


def _measured(db: Database, found: Recalled, proposal: Any) -> Measured | None:
    if found.row.metrics is None or not (found.record.judged or {}).get("counted"):
        return None
    try:
        return measure(db, found.turn, proposal, found.terms, unheard)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return unmeasured(found.terms)


def _choice(found: Recalled, choice: list[list[Any]], sample: Mapping[str, Any]) -> Iterator[Line]:
    stored = found.record.choice
    places = [one[:2] == other[:2] for one, other in zip(stored, choice, strict=False)]
    same = sum(places)
    detail = f"{same:,} of {max(len(stored), len(choice)):,} places"
    if same < len(places):
        detail += f", the first other one is place {places.index(False) + 1}"
    yield Line(same == len(stored) == len(choice), "order", detail)
    apart = [_apart(one[3], other[3]) for one, other in zip(stored, choice, strict=False) if one[:2] == other[:2]]
    furthest = max(apart, default=0.0)
    yield Line(furthest <= ABOUT, "scores", f"apart by {furthest:.3g} at most")
    then = dict(zip(found.record.sample["items"], found.record.sample["said"], strict=True))
    now = dict(zip(sample["items"], sample["said"], strict=True))
    alike = sum(now.get(item) == said for item, said in then.items())
    detail = f"{alike:,} of {max(len(then), len(now)):,} items of the sample taken for the same class"
    yield Line(then == now, "predictions", detail)


def _metrics(found: Recalled, measured: Measured | None) -> Iterator[Line]:
    if measured is None:
        return
    stored = dict(_figures({k: v for k, v in (found.row.metrics or {}).items() if k not in NOT_AGAIN}))
    fresh = dict(_figures(parse_json(write_json(measured.metrics).encode())))
    other = [name for name in {**stored, **fresh} if not _equal(stored.get(name), fresh.get(name))]
    detail = f"{len({**stored, **fresh}) - len(other):,} of {len({**stored, **fresh}):,} figures"
    yield Line(not other, "metrics", detail)
    for name in sorted(other, key=lambda each: (each.count(".") + each.count("["), each))[:SHOWN]:
        yield Line(False, name, f"{stored.get(name)} then, {fresh.get(name)} now")


def _figures(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every number, text and null of nested metrics under its path."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _figures(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _figures(each, f"{name}[{place}]")
    else:
        yield name, value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=0, abs_tol=ABOUT)
    return bool(one == other)


def _apart(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one == other else math.inf
    return abs(one - other)
