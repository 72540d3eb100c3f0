"""Selections: the next items by name, thousands at once, to be labelled elsewhere; and a look at the order.

A selection takes the next slots of the project as leases do, so that its share of audit items is the project's own; a
filter chooses by its own and so brings none. Items that are not held may be selected, and served, again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, null, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.errors import Conflict, Invalid
from app.core.filters import Filter
from app.core.settings import Settings
from app.db import Database, Item, Project, QueueEntry, Selected, Serving, WriteSession
from app.db.session import now
from app.services import auditing, filters, leases, picking, serving
from app.services.access import Person, project_for
from app.services.picking import Order, Pick, Take

MAX_HOLD_HOURS = 7 * 24
TRIES = 3  # passes to fill up what colleagues took while a selection was being made
AT_ONCE = 5_000  # ids of a statement
HELD_AT_ONCE = 500  # leases of a transaction
NOBODY = 0  # an annotator's id that no lease has


@dataclass(frozen=True)
class Ask:
    """How many items are wanted, of which, and for how long they are held; `filter` may be empty."""

    count: int
    filter: Filter
    hold_hours: float | None = None


@dataclass(frozen=True)
class Entry:
    """One selected item.

    `rank` is its place in the selection, from 0. `score` is the strategy's, None where chance chose.
    `inclusion_probability`: of being in a selection of this size, given the round: 1 where no chance is in it; of an
    audit or random item k / N, for the k of its kind that were selected and the N that were open to be drawn. Where
    audit items are chosen, the chance with which this one was drawn when its turn came, of those left then.
    """

    rank: int
    item: int
    key: str
    score: float | None
    kind: str
    inclusion_probability: float


@dataclass(frozen=True)
class Selection:
    """What was selected, by which round's order; `words` says what is other than asked for."""

    round: int | None
    strategy: str
    words: str | None
    held_until: datetime | None
    items: list[Entry]


@dataclass(frozen=True)
class _Look:
    order: Order
    picks: list[Pick]
    sizes: dict[str, int]  # how many were open to be drawn, by kind


def check(settings: Settings, ask: Ask) -> None:
    """Raise Invalid for a count or a time that is out of bounds."""
    if not 1 <= ask.count <= settings.select_items:
        raise Invalid(f"count is 1 to {settings.select_items:,}", fields={"count": ask.count})
    if ask.hold_hours is not None and not 0 < ask.hold_hours <= MAX_HOLD_HOURS:
        raise Invalid(f"hold_hours is more than 0 and at most {MAX_HOLD_HOURS}", fields={"hold_hours": ask.hold_hours})


def open_project(session: Session, person: Person, ref: int | str) -> Project:
    """The project that a manager selects from. Raises Conflict where it is paused or closed."""
    project = project_for(session, person, ref, "manager")
    if project.state != "open":
        raise Conflict(f"the project is {project.state}: open it first")
    return project


def from_order(db: Database, settings: Settings, person: Person, ref: int | str, ask: Ask) -> Selection:
    """The next items of the published order, and behind its end of the seeded random order, as serving does.

    The pool is looked at without a lock; what is held is looked at once more in the transaction that holds it.
    Cost: O(count) index rows; a pass over the open items where the random order is used.

    Raises:
        Invalid: the count or the time is out of bounds, or the filter names a class that the project does not have.
        Conflict: the project is not open.
    """
    check(settings, ask)
    with db.write() as session:
        project_id, served = _begin(session, person, ref, ask)
    first: _Look | None = None
    found: list[Pick] = []
    until: datetime | None = None
    for _ in range(TRIES):
        with db.read() as session:
            look = _look(session, project_id, person, replace(ask, count=ask.count - len(found)), served + len(found))
        first = first or look
        kept, until = _keep(db, project_id, person, ask, look)
        found += kept
        if len(kept) == len(look.picks) or len(found) >= ask.count:
            break
    assert first is not None
    strategy = first.order.strategy if first.order.round_id is not None else "random"
    return Selection(first.order.number, strategy, _words(first.order, ask, found), until, _entries(found, first.sizes))


def _begin(session: WriteSession, person: Person, ref: int | str, ask: Ask) -> tuple[int, int]:
    """The project, and how many slots were served before those of this selection."""
    if ask.hold_hours is not None:
        person.need("label")
    project = open_project(session, person, ref)
    leases.expire(session, project.id, now(session))
    slots = 0 if ask.filter else ask.count
    moved = update(Serving).where(Serving.project_id == project.id).values(slots_served=Serving.slots_served + slots)
    return project.id, session.execute(moved.returning(Serving.slots_served)).scalar_one() - slots


def _look(session: Session, project_id: int, person: Person, ask: Ask, served: int) -> _Look:
    project = session.get_one(Project, project_id)
    order = picking.order_of(session, project)
    fitting = filters.conditions(session, project, ask.filter)
    whose = person if ask.hold_hours is not None else replace(person, id=NOBODY)
    take = Take(session, project, whose, order, ask.count, set(), fitting, brief=True)
    chosen_by_filter = bool(ask.filter)
    wanted = ["query"] * ask.count if chosen_by_filter else picking.kinds(project, order, served, ask.count)
    picks = take.picks(picking.choose(take, wanted, audit=not chosen_by_filter))
    counts = Counter(pick.kind for pick in picks)
    by_lot = counts["audit"] and not auditing.is_active(project)
    sizes = {"audit": take.count_of(leases.DRAWN, reserved=True)} if by_lot else {}
    if counts["random"]:
        sizes["random"] = take.count_of(leases.DRAWN, reserved=False) - counts["query"]
    return _Look(order, picks, sizes)


def _keep(db: Database, project_id: int, person: Person, ask: Ask, look: _Look) -> tuple[list[Pick], datetime | None]:
    """Hold what is still free where that is asked for; else remember the audit items, for when answers come back.

    Thousands are held in several transactions, so that people who label meanwhile do not wait for all of them.
    """
    if ask.hold_hours is None:
        if not any(pick.kind == "audit" for pick in look.picks):
            return look.picks, None
        with db.write() as session:
            project = session.get_one(Project, project_id)
            leases.one_at_a_time(session, project_id)
            valid = _still_drawn(session, project, look.picks)
            picking.give_audits(session, project, valid)
            _remember(session, project_id, [each.row.id for each in valid if each.kind == "audit"], look.order.round_id)
        return valid, None
    kept: list[Pick] = []
    until = None
    for start in range(0, len(look.picks), HELD_AT_ONCE):
        with db.write() as session:
            project = session.get_one(Project, project_id)
            until = now(session) + timedelta(hours=ask.hold_hours)
            some = look.picks[start : start + HELD_AT_ONCE]
            kept += hold(session, project, person, look.order, some, ask.hold_hours)
    return kept, until


def hold(
    session: WriteSession, project: Project, person: Person, order: Order, picks: Sequence[Pick], hours: float
) -> list[Pick]:
    """Give leases on those of the picks that may be given still; these."""
    leases.one_at_a_time(session, project.id)
    kept: list[Pick] = []
    picks = _still_drawn(session, project, picks)
    for start in range(0, len(picks), AT_ONCE):
        some = picks[start : start + AT_ONCE]
        here = [Item.id.in_([pick.row.id for pick in some])]
        take = Take(session, project, person, order, len(some), set(), here, brief=True)
        free = {row.id for row in take.rows(leases.HERE)}
        kept += take.picks([(pick.row, pick.kind) for pick in some if pick.row.id in free])
    picking.give_audits(session, project, kept)
    moment = now(session)
    rows = serving.lease_rows(project, person, order, kept, moment, moment + timedelta(hours=hours), hours)
    leases.give(session, rows)
    return kept


def _still_drawn(session: WriteSession, project: Project, picks: Sequence[Pick]) -> list[Pick]:
    """The picks without the audit items that a round took out of its order since they were looked at."""
    audits = [pick.row.id for pick in picks if pick.kind == "audit"]
    if not audits or not auditing.is_active(project):
        return list(picks)
    left = auditing.listed(session, project.id, audits)
    return [pick for pick in picks if pick.kind != "audit" or pick.row.id in left]


def _remember(session: WriteSession, project_id: int, item_ids: list[int], round_id: int | None) -> None:
    insert: Any = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    moment = now(session)
    rows = [
        {"item_id": each, "project_id": project_id, "round_id": round_id, "selected_at": moment} for each in item_ids
    ]
    session.execute(insert(Selected).on_conflict_do_nothing(), rows)


def _entries(found: Sequence[Pick], sizes: dict[str, int]) -> list[Entry]:
    counts = Counter(pick.kind for pick in found)
    chances = {kind: min(1.0, counts[kind] / max(size, 1)) for kind, size in sizes.items()}
    return [
        Entry(
            rank, pick.row.id, pick.row.key, pick.row.score if pick.kind == "query" else None, pick.kind,
            round(_chance(pick, chances), 6),
        )
        for rank, pick in enumerate(found)
    ]  # fmt: skip


def _chance(pick: Pick, chances: dict[str, float]) -> float:
    drawn = pick.kind == "audit" and pick.row.score is not None
    return float(pick.row.score) if drawn else chances.get(pick.kind, 1.0)


def _words(order: Order, ask: Ask, found: Sequence[Pick]) -> str | None:
    said = []
    drawn = sum(pick.kind == "random" for pick in found)
    if drawn:
        said.append(f"{drawn:,} are drawn at random: {order.fallback or 'the order of the round ends before them'}")
    if len(found) < ask.count:
        said.append(f"no more than {len(found):,} items {'that fit ' if ask.filter else ''}are open now")
    return "; ".join(said) or None


@dataclass(frozen=True)
class Place:
    """An item that is asked about soon, and where the page behind it begins."""

    item: int
    key: str
    payload: dict[str, Any]
    reason: dict[str, Any]
    behind: list[Any]


# What the next person may be given: nobody holds all of its slots.
AWAITED = text("""
    items.skips < :most_skips AND (SELECT count(*) FROM leases AS held WHERE held.item_id = items.id
    AND held.unit = 0 AND held.state IN ('live', 'answered')) < :overlap
""").bindparams(most_skips=leases.SKIPS_UNTIL_A_LOOK)


def queue(
    session: Session, person: Person, ref: int | str, limit: int, behind: list[Any] | None
) -> tuple[Project, Order, list[Place]]:
    """The next items of the order, best first, without audit items; for reviewers and managers.

    Items that managers put first come first. `behind` is what the last place of the page before says.
    """
    project = project_for(session, person, ref, "reviewer")
    order = picking.order_of(session, project)
    places: list[Place] = []
    if order.has_first and (behind is None or len(behind) == 2):
        places = [
            Place(row.id, row.key, row.payload, serving.reason(order, Pick(row, "query", 0)), [row.priority, row.draw])
            for row in _put_first(session, project, limit, behind)
        ]
    if order.round_id is not None and len(places) < limit:
        rank = behind[0] if behind is not None and len(behind) == 1 else -1
        places += [
            Place(row.id, row.key, row.payload, serving.reason(order, Pick(row, "query", 0)), [row.rank])
            for row in _in_order(session, project, order.round_id, limit - len(places), rank)
        ]
    return project, order, places


COLUMNS = (Item.id, Item.key, Item.payload)
OPEN = text(f"{leases.OPEN} AND NOT items.reserved")


def _put_first(session: Session, project: Project, limit: int, behind: list[Any] | None) -> Sequence[Row[Any]]:
    first = (
        select(*COLUMNS, Item.priority, Item.draw, null().label("rank"))
        .where(Item.project_id == project.id, text("items.priority > 0"), OPEN, AWAITED)
        .order_by(Item.priority.desc(), Item.draw)
        .limit(limit)
    )
    if behind is not None:
        first = first.where(tuple_(-Item.priority, Item.draw) > tuple_(-behind[0], behind[1]))
    return session.execute(first, {"overlap": project.overlap}).all()


def _in_order(session: Session, project: Project, round_id: int, limit: int, rank: int) -> Sequence[Row[Any]]:
    ordered = (
        select(*COLUMNS, QueueEntry.rank, QueueEntry.score, QueueEntry.probabilities)
        .join(QueueEntry, QueueEntry.item_id == Item.id)
        .where(QueueEntry.round_id == round_id, text("NOT queue.done"), QueueEntry.rank > rank, OPEN, AWAITED)
        .where(Item.priority <= 0)
        .order_by(QueueEntry.rank)
        .limit(limit)
    )
    return session.execute(ordered, {"overlap": project.overlap}).all()
