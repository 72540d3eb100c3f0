"""Giving out items: a person's own leases first, then what `picking` says; and what is done with a lease."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, text, update

from app.core.errors import Conflict, Invalid
from app.core.settings import Settings
from app.db import Item, Job, Lease, Project, Worker, WriteSession, reads
from app.db.session import now
from app.loop.propose import words
from app.loop.serving import is_blind
from app.services import leases, picking, rounds, slices, tasks
from app.services.access import Person, project_for, standing
from app.services.picking import Order, Pick, Take
from app.services.slices import Slice, SliceFirst

MAX_COUNT = 50
LIKELY_KEPT = 5  # classes that a lease remembers with their probabilities: its round's order may be gone by then
MAX_HELD = 200
MAX_HOURS = 48
PREPARING_SECONDS = 120  # how long people are asked to wait for a first order before random items are served
WORKER_SILENCE_SECONDS = 30


# The job that the very first order waits for, and when a worker was last seen.
FIRST_ORDER = reads(
    text("""
        SELECT first.kind, first.created_at, alive.alive
        FROM (SELECT max(last_seen) AS alive FROM workers) AS alive
        LEFT JOIN (SELECT kind, created_at FROM jobs WHERE project_id = :project AND kind IN ('round', 'featurize')
                   AND state IN ('waiting', 'running') ORDER BY created_at LIMIT 1) AS first ON 1 = 1
    """),
    "kind created_at alive",
    created_at=Job.created_at.type,
    alive=Worker.last_seen.type,
)


@dataclass(frozen=True)
class ServedLease:
    """One lease with its item, as the annotator sees it."""

    id: int
    item_id: int
    key: str
    payload: dict[str, Any]
    kind: str
    blind: bool
    suggestion: dict[str, Any] | None
    reason: dict[str, Any] | None
    expires_at: datetime


@dataclass(frozen=True)
class Served:
    """The answer to a request for leases. `words` says in a sentence why there are none."""

    project: Project
    state: str
    round: int | None = None
    leases: Sequence[ServedLease] = ()
    retry_after_seconds: float | None = None
    words: str | None = None
    manager: bool = False  # whether the person may know why each item is served


def lease(
    session: WriteSession,
    settings: Settings,
    person: Person,
    project_ref: int | str,
    count: int,
    hold_hours: float | None = None,
    only: Slice | None = None,
) -> Served:
    """Give the person up to `count` items: the own live leases first (a reload gives the same), then new ones.

    `only` is a slice of the person's own choice, or the one that a manager assigned; see `slices`. A chosen one brings
    no audit items: those of what somebody chose would no longer be a uniform sample.

    Cost: O(count) index rows, whatever the pool's size.

    Raises:
        Invalid: the count is out of 1 to 50, or 200 with `hold_hours`.
        SliceFirst: the person has a slice, which `only` does not hold.
    """
    if not 1 <= count <= (MAX_HELD if hold_hours else MAX_COUNT):
        raise Invalid("count is 1 to 50, or up to 200 together with hold_hours", fields={"count": count})
    if hold_hours is not None and not 0 < hold_hours <= MAX_HOURS:
        raise Invalid(f"hold_hours is more than 0 and at most {MAX_HOURS}", fields={"hold_hours": hold_hours})
    found = standing(session, person, project_ref)
    project, role = found.project, found.role
    moment = leases.one_request_at_a_time(session, project.id, person.id)
    mine = leases.live_of(session, person.id, project.id, count, moment)
    held = [_of_row(row) for row in mine]
    if project.state != "open":
        state = "paused" if project.state == "paused" else "closed"
        return Served(project, state, leases=held, words=f"the project is {project.state}", manager=role == "manager")
    order = picking.order_of(session, project, alone=len(held) < count)
    picks: list[Pick] = []
    if len(held) < count:
        wait = _preparing(session, project, order, moment) if not held else None
        if wait is not None:
            return wait
        if found.slice != (only.assigned if only else None):
            raise SliceFirst
        take = Take(session, project, person, order, count - len(held), {row.fingerprint for row in mine})
        picks = _picked(take, only)
        _ask_where_dry(session, take, picks, moment)
    until = leases.end(moment, settings.lease_seconds, hold_hours)
    given = _give(session, project, person, order, picks, moment, until, hold_hours)
    if held or given:
        return Served(project, "serving", order.number, [*held, *given], manager=role == "manager")
    return _nothing_left(session, project, moment, only)


def _picked(take: Take, only: Slice | None) -> list[Pick]:
    if only is None:
        return picking.pick(take)
    take = replace(take, fitting=[Item.id.in_(only.ids)])
    return picking.own_slice(take) if only.own else picking.pick(take)


def _ask_where_dry(session: WriteSession, take: Take, picks: Sequence[Pick], moment: datetime) -> None:
    """Ask for a round where the order has run dry and one is due, in case the answers that should have did not."""
    project, dry = take.project, len(picks) < take.count or any(pick.kind == "random" for pick in picks)
    if dry and take.order.round_id is not None:
        rounds.ask_at_end(session, project.id, project.state, project.round_size, moment)


def _give(
    session: WriteSession,
    project: Project,
    person: Person,
    order: Order,
    picks: Sequence[Pick],
    moment: datetime,
    until: datetime,
    hold_hours: float | None,
) -> list[ServedLease]:
    rows = lease_rows(project, person, order, picks, moment, until, hold_hours)
    ids = leases.give(session, rows)
    return [
        ServedLease(
            lease_id, pick.row.id, pick.row.key, pick.row.payload, pick.kind, row["blind"], row["suggestion"],
            row["reason"], until,
        )
        for lease_id, pick, row in zip(ids, picks, rows, strict=True)
    ]  # fmt: skip


def lease_rows(
    project: Project,
    person: Person,
    order: Order,
    picks: Sequence[Pick],
    moment: datetime,
    until: datetime,
    hold_hours: float | None,
) -> list[dict[str, Any]]:
    """The rows of live leases for some picks, as `leases.give` takes them."""
    rows = []
    for pick in picks:
        blind = pick.kind == "audit" or is_blind(project.seed, pick.row.key, person.id, project.blind_share)
        rows.append(
            {
                "project_id": project.id,
                "item_id": pick.row.id,
                "item_revision": getattr(pick.row, "revision", None),
                "unit": 0,
                "slot": pick.slot,
                "annotator_id": person.id,
                "state": "live",
                "kind": pick.kind,
                "blind": blind,
                "round_id": order.round_id,
                "rank": pick.row.rank,
                "task_version": project.task_version,
                "guidelines_version": project.guidelines_version,
                "suggestion": None if blind else _suggestion(order, pick.row),
                "reason": None if blind else reason(order, pick),
                "served_at": moment,
                "expires_at": until,
                "hold_hours": hold_hours,
            }
        )
    return rows


def _suggestion(order: Order, row: Row[Any]) -> dict[str, Any] | None:
    """The model's most probable class (or every class above one half) as a stored label, with its probability."""
    if not row.probabilities:
        return None
    ranked = _opinion(order, row)
    if order.question is None or not ranked:
        return None
    label, probability = tasks.likely(order.question, ranked)
    return {"label": label, "probability": round(probability, 4)}


def reason(order: Order, pick: Pick) -> dict[str, Any]:
    """Why an item is given: the strategy, its place and score, and words for people."""
    if pick.kind == "random":
        why = order.fallback or "the round's order is used up"
        return {"strategy": "random", "score": None, "rank": None, "words": f"random: {why}"}
    if pick.row.rank is None:
        return {"strategy": "first", "score": None, "rank": None, "words": "put first by a manager"}
    ranked = _opinion(order, pick.row)
    unsaid = "unlike anything labelled so far" if order.strategy == "coverage" else f"chosen by {order.strategy}"
    said = _hesitation(order, ranked) if ranked else unsaid
    if order.fallback:
        said = order.fallback
    kept = [[number, round(share, 4)] for share, number in ranked[:LIKELY_KEPT]]
    return {
        "strategy": order.strategy, "score": pick.row.score, "rank": pick.row.rank, "words": said, "likely": kept
    }  # fmt: skip


def _opinion(order: Order, row: Row[Any]) -> list[tuple[float, int]]:
    """The model's probabilities with their classes, most probable first; empty where it has none."""
    if order.question is None or not row.probabilities:
        return []
    return tasks.opinion(order.question, order.class_ids, row.probabilities)


def _hesitation(order: Order, ranked: list[tuple[float, int]]) -> str:
    names = {each.id: each.name for each in (order.question.classes if order.question else ())}
    return words([share for share, _ in ranked], [names.get(number, "?") for _, number in ranked])


def _preparing(session: WriteSession, project: Project, order: Order, moment: datetime) -> Served | None:
    """Ask people to wait while the very first order is being made, but never for long and never in vain."""
    if order.round_id is not None:
        return None
    first = session.core.execute(FIRST_ORDER, {"project": project.id}).one()
    if not first.kind or not first.alive or (moment - first.alive).total_seconds() > WORKER_SILENCE_SECONDS:
        return None
    if (moment - first.created_at).total_seconds() > PREPARING_SECONDS:
        return None
    doing = "reading the items" if first.kind == "featurize" else "choosing the first items"
    return Served(project, "preparing", retry_after_seconds=1.0, words=f"the model is {doing}")


def _nothing_left(session: WriteSession, project: Project, moment: datetime, only: Slice | None) -> Served:
    said, held = slices.nothing_left(only) if only is not None else (None, True)
    if not held:
        return Served(project, "exhausted", words=said)
    soonest = session.execute(leases.NEXT_END, {"project": project.id}).scalar_one_or_none()
    if soonest is None:
        some = session.execute(select(Item.id).where(Item.project_id == project.id).limit(1)).first()
        whole = "every item that you may answer is answered" if some else "there are no items yet: a manager adds them"
        said = said or whole
        return Served(project, "exhausted", words=said)
    wait = max(1.0, (soonest - moment).total_seconds())
    return Served(project, "exhausted", retry_after_seconds=wait, words=said or "colleagues hold the last items")


def _of_row(row: Row[Any]) -> ServedLease:
    return ServedLease(
        row.id, row.item_id, row.key, row.payload, row.kind, row.blind, row.suggestion, row.reason, row.expires_at
    )


def renew(session: WriteSession, settings: Settings, lease_id: int, person: Person) -> datetime:
    """Keep a live lease for another term; its new end. Nobody keeps an item from the others for more than MAX_HOURS.

    Raises NotFound, or Conflict when it ended or was kept for so long already.
    """
    held = leases.mine(session, lease_id, person)
    moment, last = now(session), held.served_at + timedelta(hours=MAX_HOURS)
    until = min(leases.end(moment, settings.lease_seconds, held.hold_hours), max(last, held.expires_at))
    if until <= moment:
        raise Conflict(f"you have had this item for {MAX_HOURS} hours: take it anew", lease_state=held.state)
    leases.renew(session, held, until)
    return until


def release(session: WriteSession, lease_id: int, person: Person) -> None:
    """Give a live lease back; the item is offered again. Nothing happens when it is not live."""
    held = leases.mine(session, lease_id, person)
    if held.state == "live":
        held.state = "released"


def release_all(session: WriteSession, project_ref: int | str, person: Person) -> int:
    """Give all own live leases of a project back; how many there were."""
    project = project_for(session, person, project_ref)
    released = session.execute(
        update(Lease)
        .where(Lease.annotator_id == person.id, Lease.project_id == project.id)
        .where(text("state = 'live'"))
        .values(state="released")
        .returning(Lease.id)
    )
    return len(released.all())


def skip(session: WriteSession, lease_id: int, person: Person, reason: str | None) -> None:
    """Leave the item to somebody else; it does not come back to this person. Skipped twice, it is one skip."""
    held = leases.mine(session, lease_id, person)
    if held.state == "skipped":
        return
    leases.skip(session, held, reason)


def describe(session: WriteSession, held: Lease) -> Served:
    """One lease with its item, as it is served."""
    project = session.get_one(Project, held.project_id)
    item = session.get_one(Item, held.item_id)
    shown = ServedLease(
        held.id, item.id, item.key, item.payload, held.kind, held.blind, held.suggestion, held.reason, held.expires_at
    )
    return Served(project, "serving", leases=[shown])
