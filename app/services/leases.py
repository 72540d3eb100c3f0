"""Rows of leases: which items may still be given to a person, and the moves of a lease between its states.

The statements are text because the partial indexes are used only where a query repeats their condition word
for word; each costs a walk of as many index rows as it returns, whatever the pool's size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, TextualSelect, bindparam, func, insert, null, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.errors import Conflict
from app.db import AuditDraw, Item, Lease, QueueEntry, WriteSession, reads
from app.db.base import Json
from app.db.session import now
from app.services.access import Person, absent, visible

SKIPS_UNTIL_A_LOOK = 3  # after so many people skipped an item, a manager should look at it

# Counts, not NOT EXISTS: PostgreSQL turned that into a walk over all leases of the annotator for every item.
# And one CASE, of which PostgreSQL expects that half of the items pass: of the conditions themselves it expected one in
# a hundred thousand, so that it looked at the whole order and sorted it to find the first ten, 60 ms of every lease.
MAY_BE_GIVEN = f"""
    CASE WHEN items.skips < {SKIPS_UNTIL_A_LOOK}
    AND (SELECT count(*) FROM leases AS mine WHERE mine.item_id = items.id AND mine.unit = 0
         AND mine.annotator_id = :annotator AND mine.state IN ('live', 'answered', 'skipped')) = 0
    AND (SELECT count(*) FROM leases AS held WHERE held.item_id = items.id AND held.unit = 0
         AND held.state IN ('live', 'answered')) < :overlap
    THEN true ELSE false END
"""
ITEM_COLUMNS = ("id", "key", "payload", "revision", "fingerprint")
BRIEF_COLUMNS = ("id", "key", "fingerprint")  # without the content, for thousands of items at once
OPEN = "items.state = 'open' AND NOT items.done AND items.split = 'pool'"


@dataclass(frozen=True)
class Source:
    """Items in the order in which they may be given, with their place in a round's order where that is the source.

    `places` is the table of the order; a drawn place has its chance in place of a score.
    """

    where: str
    order: str
    places: Literal["queue", "audit_draws"] | None = None

    @cached_property
    def statement(self) -> Select[Any]:
        """All of them; parameters: project, annotator, overlap, limit, and those of the source."""
        return self._ordered(ITEM_COLUMNS)

    @cached_property
    def brief(self) -> Select[Any]:
        """The same without the items' content."""
        return self._ordered(BRIEF_COLUMNS)

    def counted(self, fitting: Sequence[ColumnElement[bool]] = (), most: int | None = None) -> Select[Any]:
        """How many there are that fit, counted up to `most`; takes no limit.

        Up to `most` in their order: without it SQLite walks an index of all items, a tenth of a second for a million.
        """
        chosen = self._ordered(("id",)).where(*fitting).limit(most)
        chosen = chosen if most is not None else chosen.order_by(None)
        return select(func.count()).select_from(chosen.subquery())

    def _ordered(self, columns: Sequence[str]) -> Select[Any]:
        items, origin = Item.__table__, Item.__table__
        place: list[Any] = [null().label(name) for name in ("rank", "score", "probabilities")]
        if self.places == "queue":
            queue = QueueEntry.__table__
            place = [queue.c.rank, queue.c.score, queue.c.probabilities]
            origin = queue.join(items, items.c.id == queue.c.item_id)
        elif self.places == "audit_draws":
            draws = AuditDraw.__table__
            place = [draws.c.place.label("rank"), draws.c.chance.label("score"), null().label("probabilities")]
            origin = draws.join(items, items.c.id == draws.c.item_id)
        where = text(f"{self.where} AND {MAY_BE_GIVEN}")
        if ":reserved" in self.where:
            where = where.bindparams(bindparam("reserved", type_=Item.reserved.type))
        chosen = select(*(items.c[name] for name in columns), *place).select_from(origin).where(where)
        return chosen.order_by(text(self.order)).limit(bindparam("limit"))


# Items that a manager put first, best first.
FIRST = Source(
    "items.project_id = :project AND items.priority > 0 AND items.state = 'open' AND NOT items.done"
    " AND items.split = 'pool' AND NOT items.reserved",
    "items.priority DESC, items.draw",
)
# The order that the current round published. Its items are looked up by their ids: words that no index of open items
# knows keep PostgreSQL from walking those instead, which it does for as long as it has not counted a pool.
LOOKED_UP = f"CASE WHEN {OPEN} AND NOT items.reserved THEN true ELSE false END"
QUEUE = Source(f"queue.round_id = :round AND NOT queue.done AND {LOOKED_UP}", "queue.rank", "queue")
# The audit order (reserved) or the seeded random order (not reserved).
DRAWN = Source(f"items.project_id = :project AND items.reserved = :reserved AND {OPEN}", "items.draw")

# The audit order where audit items are chosen: what was drawn and is not answered, then what would be drawn next.
CHOSEN = Source(
    f"audit_draws.project_id = :project AND audit_draws.listed AND {OPEN} AND items.reserved", "audit_draws.place",
    "audit_draws",
)  # fmt: skip

# Some items, by a condition that comes with the request.
HERE = Source(f"items.project_id = :project AND {OPEN}", "items.id")

EXPIRE = text("""
    UPDATE leases SET state = 'expired'
    WHERE project_id = :project AND state = 'live' AND expires_at <= :now
""").bindparams(bindparam("now", type_=Lease.expires_at.type))

LIVE_OF = """
    {first} SELECT leases.id, leases.item_id, leases.kind, leases.blind, leases.rank, leases.suggestion, leases.reason,
           leases.expires_at, leases.round_id, items.key, items.payload, items.fingerprint
    FROM leases JOIN items ON items.id = leases.item_id
    WHERE leases.annotator_id = :annotator AND leases.project_id = :project AND leases.state = 'live'
    AND leases.expires_at > :now AND items.state = 'open'
    ORDER BY leases.id LIMIT :limit
"""


def _live_of(first: str) -> TextualSelect:
    return reads(
        text(LIVE_OF.format(first=first)).bindparams(bindparam("now", type_=Lease.expires_at.type)),
        "id item_id kind blind rank suggestion reason expires_at round_id key payload fingerprint",
        blind=Lease.blind.type,
        suggestion=Json,
        reason=Json,
        expires_at=Lease.expires_at.type,
        payload=Json,
    )


LIVE = _live_of("")
EXPIRE_AND_LIVE = _live_of(f"WITH ended AS ({EXPIRE.text})")  # PostgreSQL's, in one turn

GIVE = insert(Lease.__table__).returning(Lease.__table__.c.id, sort_by_parameter_order=True)  # type: ignore[arg-type]  # a Table, always

ONE_AT_A_TIME = text("SELECT 1 FROM serving WHERE project_id = :project FOR UPDATE")
ONE_REQUEST = reads(
    text("SELECT pg_advisory_xact_lock(:lock) AS held, clock_timestamp() AS moment"),
    "held moment",
    moment=Lease.served_at.type,
)

MOVE = text("UPDATE leases SET state = :after WHERE id = :lease AND state = :before")

NOT_SKIPPED = text("UPDATE items SET skips = skips - 1 WHERE id = (SELECT item_id FROM leases WHERE id = :lease)")

NEXT_END = text("""
    SELECT min(expires_at) AS soonest FROM leases WHERE project_id = :project AND state = 'live'
""").columns(soonest=Lease.expires_at.type)


def one_at_a_time(session: WriteSession, project_id: int) -> None:
    """Let one transaction at a time give out items of a project, and no round publish meanwhile.

    What is held until the commit is held up for everybody, so this comes as late as it can; on SQLite the write lock
    does so by itself.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.core.execute(ONE_AT_A_TIME, {"project": project_id})


def one_request_at_a_time(session: WriteSession, project_id: int, annotator_id: int) -> datetime:
    """Let requests of one person for items of one project follow one another: the second one gets the same items.

    The time when it is this one's turn.
    """
    if session.get_bind().dialect.name == "sqlite":
        return now(session)
    lock = {"lock": (project_id % 2**31 << 32) + annotator_id % 2**32}
    moment: datetime = session.core.execute(ONE_REQUEST, lock).one().moment
    return now(session) if "now" in session.info else moment


def expire(session: WriteSession, project_id: int, moment: datetime) -> None:
    """Write the end of every lease whose moment has come; its slot is free from here on."""
    session.core.execute(EXPIRE, {"project": project_id, "now": moment})


def live_of(session: WriteSession, annotator_id: int, project_id: int, limit: int, moment: datetime) -> list[Row[Any]]:
    """The annotator's own live leases with their items, oldest first, once `expire` has been done."""
    values = {"annotator": annotator_id, "project": project_id, "limit": limit, "now": moment}
    if session.get_bind().dialect.name == "postgresql":
        return list(session.core.execute(EXPIRE_AND_LIVE, values).all())
    expire(session, project_id, moment)
    return list(session.core.execute(LIVE, values).all())


def free_slots(session: Session, item_ids: Iterable[int], overlap: int) -> dict[int, int]:
    """The lowest free slot of each item; items whose slots are all held are left out."""
    wanted = list(item_ids)
    if overlap == 1:
        return dict.fromkeys(wanted, 0)  # the candidates' own condition: no slot is held
    held: dict[int, set[int]] = {item: set() for item in wanted}
    rows = session.execute(
        select(Lease.item_id, Lease.slot).where(
            Lease.item_id.in_(wanted), Lease.unit == 0, text("leases.state IN ('live', 'answered')")
        )
    )
    for item_id, slot in rows:
        held[item_id].add(slot)
    return {
        item: next(slot for slot in range(overlap) if slot not in taken)
        for item, taken in held.items()
        if len(taken & set(range(overlap))) < overlap
    }


def give(session: WriteSession, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert live leases; their ids in the order given."""
    if not rows:
        return []
    return list(session.core.execute(GIVE, rows).scalars())


def settle(session: WriteSession, lease_id: int, state: str) -> bool:
    """Mark a lease answered if its slot is still this person's or is free again; False when it is taken."""
    if state == "live":
        return _move(session, lease_id, "live", "answered")
    try:
        with session.begin_nested():
            moved = _move(session, lease_id, state, "answered")
    except IntegrityError:
        return False
    if moved and state == "skipped":  # who answers has not skipped
        session.core.execute(NOT_SKIPPED, {"lease": lease_id})
    return moved


def _move(session: WriteSession, lease_id: int, before: str, after: str) -> bool:
    values = {"lease": lease_id, "before": before, "after": after}
    return bool(session.core.execute(MOVE, values).rowcount)


def again(session: WriteSession, lease: Lease, now: datetime, until: datetime) -> Lease | None:
    """End a lease, and a fresh live one on the slot that it held; None when somebody else holds it by now."""
    copied = (
        "project_id item_id unit slot annotator_id kind blind round_id rank task_version guidelines_version "
        "suggestion reason hold_hours"
    )
    lease.state = "released"
    session.flush()
    try:
        with session.begin_nested():
            revision = session.execute(select(Item.revision).where(Item.id == lease.item_id)).scalar_one()
            fresh = Lease(
                item_revision=revision,
                **{name: getattr(lease, name) for name in copied.split()},
                state="live",
                served_at=now,
                expires_at=until,
            )
            session.add(fresh)
            session.flush()
    except IntegrityError:
        return None
    return fresh


def content_changed(session: WriteSession, item_ids: Sequence[int]) -> None:
    """End every lease on items whose content is another one now: who answered or skipped the old one is asked anew."""
    concerning = text("leases.state IN ('live', 'answered', 'skipped')")
    session.execute(update(Lease).where(Lease.item_id.in_(item_ids), concerning).values(state="released"))
    session.execute(update(Item).where(Item.id.in_(item_ids)).values(skips=0, done=False))
    session.execute(update(QueueEntry).where(QueueEntry.item_id.in_(item_ids)).values(done=False))


def end(now: datetime, seconds: int, hold_hours: float | None) -> datetime:
    """When a lease that is given or renewed now ends."""
    return now + (timedelta(hours=hold_hours) if hold_hours else timedelta(seconds=seconds))


def mine(session: Session, lease_id: int, person: Person) -> Lease:
    """The lease, if it is this person's own; raises NotFound otherwise.

    Two requests that would move one lease at once follow one another.
    """
    lease, _ = visible(session, person, Lease, lease_id)
    if lease.annotator_id != person.id:
        raise absent(Lease)
    if isinstance(session, WriteSession):
        session.refresh(lease, with_for_update=True)
    return lease


def release_of(session: WriteSession, user_id: int, project_id: int | None = None) -> None:
    """Give back all that a person holds, in one project or everywhere: nobody waits for who is gone."""
    held = update(Lease).where(Lease.annotator_id == user_id, text("leases.state = 'live'"))
    if project_id is not None:
        held = held.where(Lease.project_id == project_id)
    session.execute(held.values(state="released"))


def renew(session: WriteSession, lease: Lease, until: datetime) -> None:
    """Move the end of a live lease, or of an expired one whose slot is still free; raises Conflict otherwise."""
    try:
        with session.begin_nested():
            if lease.state not in ("live", "expired"):
                raise Conflict(f"the lease is {lease.state}", lease_state=lease.state)
            lease.state, lease.expires_at = "live", until
            session.flush()
    except IntegrityError:
        raise Conflict("the lease ended and a colleague holds the item now", lease_state="expired") from None


def skip(session: WriteSession, lease: Lease, reason: str | None) -> None:
    """Mark a lease skipped and count it on the item; raises Conflict when it was answered."""
    if lease.state == "answered":
        raise Conflict("the item is answered: take the answer back first", lease_state="answered")
    try:
        with session.begin_nested():
            lease.state, lease.skip_reason = "skipped", reason
            session.flush()
    except IntegrityError:
        raise Conflict("another lease of yours on this item is in use", lease_state=lease.state) from None
    session.execute(update(Item).where(Item.id == lease.item_id).values(skips=Item.skips + 1))
