"""How a round left the comparison of new items with earlier ones: said to people, to webhooks, and as a filter.

What was taken out since, or moved to the test set, is behind no alarm any more. An alarm with nothing left behind it is
over: people see that at once, and the next round compares what is left.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from app.db import Item, Project, Round, WriteSession
from app.evaluation.drift import FEWEST
from app.services import answered, outbox, status
from app.services.pool import IN_POOL

OVER = (
    "The new items that looked unlike the earlier ones are not in the pool any more; the next round looks at the rest."
)


@dataclass(frozen=True)
class Drift:
    """How a round left it: items up to `since`, the newest one of round `since_round`, are earlier ones, if behind
    `behind`. `looks` counts those of the whole project, `seen` are the new items at the last one.

    Items are those of the pool, labelled or not, that are open and real.
    """

    since: int
    since_round: int
    behind: int = 0
    looks: int = 0
    seen: int = 0
    new: int = 0
    labelled: int = 0  # of the new ones
    compared: tuple[int, int] = (0, 0)  # earlier and new items
    apart: dict[str, Any] | None = None
    chance: float | None = None
    alarm: bool = False
    items: list[int] = field(default_factory=list)  # the new ones that look most unlike the earlier ones
    lack: str | None = None  # why nothing can be compared

    @staticmethod
    def from_json(stored: dict[str, Any] | None) -> "Drift | None":
        """As a round kept it; None for nothing."""
        return Drift(**{**stored, "compared": tuple(stored["compared"])}) if stored else None

    @staticmethod
    def left_by(last: Round | None) -> "Drift | None":
        """As the newest evaluated round has left it; None for nothing."""
        return Drift.from_json(((last.metrics or {}) if last else {}).get("drift"))

    def over(self) -> "Drift":
        """The same without what was found: what is left is compared as if for the first time."""
        return replace(self, seen=0, compared=(0, 0), apart=None, chance=None, alarm=False, items=[])

    def to_json(self) -> dict[str, Any]:
        """As a round keeps it."""
        return asdict(self)


def there(session: Session, ids: Sequence[int]) -> dict[int, bool]:
    """Those of some items that are compared, and whether they are done; O(ids)."""
    found = session.execute(select(Item.id, Item.done).where(answered.one_of(session, Item.id, ids), *IN_POOL))
    return {row.id: row.done for row in found}


def shown(session: Session, last: Round | None) -> tuple[dict[str, Any], str | None]:
    """Whether new items look unlike the earlier ones by the newest evaluated round, how many that `drifted` finds are
    behind that, and its sentence; O(items behind it). The numbers of the sentence are those of the round.
    """
    found = Drift.left_by(last)
    if found is None or not found.alarm:
        return {"alarm": False, "items": 0}, words(found)
    left = there(session, found.items)
    if found.items and not left:
        return {"alarm": False, "items": 0}, OVER
    return {"alarm": True, "items": sum(not done for done in left.values())}, words(found)


def words(found: Drift | None) -> str | None:
    """What a round says of new items; None where none came in."""
    if found is None or found.new == 0:
        return None
    came = f"{found.new:,} items came in since round {found.since_round}"
    if found.lack:
        return f"{came}; whether they differ from the earlier ones cannot be told: {found.lack}."
    if found.apart is None and found.new < FEWEST:
        return f"{came}; from {FEWEST} on they are compared with the earlier ones."
    if found.apart is None:
        return f"{came}; one of the next rounds compares them with the earlier ones."
    value, low, high = (100 * found.apart[name] for name in ("value", "low", "high"))
    if not found.alarm:
        return f"{came}: no sign that they differ from the earlier ones (told apart in {value:.0f} of 100 pairs)."
    return (
        f"The {found.new:,} items that came in since round {found.since_round} look unlike the earlier ones: a model "
        f"tells them apart in {value:.0f} of 100 pairs ({low:.0f} to {high:.0f}; 50 is chance). What was measured so "
        "far holds for items like the earlier ones."
    )


def tell(session: WriteSession, project_id: int, number: int, last: Drift | None, found: Drift | None) -> None:
    """Say to webhooks that an alarm has begun."""
    if found is not None and found.alarm and not (last is not None and last.alarm):
        told = {"round": number, "items": found.new, "told_apart": (found.apart or {}).get("value")}
        outbox.emit(session, project_id, "drift.found", told | {"words": words(found)})


def drifted(session: Session, project: Project) -> ColumnElement[bool]:
    """Whether an item is one of those behind the standing alarm that are in the pool and that nobody has labelled."""
    found = Drift.left_by(status.last_evaluated(session, project.id))
    ids = found.items if found is not None and found.alarm else []
    return and_(answered.one_of(session, Item.id, ids), ~Item.done, *IN_POOL)
