"""The audit set of a project: in which order its items are given, with which chance each was drawn, who judges by it.

Where audit items are chosen (`audit_choice: active`), each round draws an order of those that nobody was given yet, by
what its learner expects of them. A place that is given out is a draw, with all places before it; its chance is kept for
good, and the other places are drawn anew by the next round. Once there are draws, audit items that were given by chance
are taken in as draws too, as far as they are a uniform sample (`reaching`), so the setting may change at any time. The
others of them are drawn like those that nobody was given, and have their answers already.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import delete, exists, func, select, text, update
from sqlalchemy.orm import Session

from app.core.arrays import Booleans, Doubles, Indices
from app.core.block import Block
from app.db import AuditDraw, Item, Project, WriteSession
from app.db.session import now
from app.evaluation.active_testing import chances_of, drawn, expected_errors, proposal
from app.evaluation.draws import Draws
from app.evaluation.frames import draws_at, gone_at
from app.evaluation.reach import END, MOST_LEFT_OUT, came_in_with
from app.evaluation.reach import drawn as drawn_by_chance
from app.features import gather
from app.learners.base import Model
from app.loop.auditing import AuditSet
from app.services import audit_frames, leases, reaching
from app.services.answered import one_of
from app.services.audit_frames import Made
from app.services.leases import OPEN
from app.services.turn_state import Turn, insert_rows

ACTIVE, POWERED = "active", "prediction_powered"
MOST = 100_000  # items of the audit set that are looked at, those with the lowest draws: a uniform sample of it
SHORTEST = 200  # places of an order
ROWS_AT_ONCE = 20_000
NO_SAMPLE = "audit items are chosen, and no fair sample"


def is_active(project: Project) -> bool:
    """Whether audit items are chosen. Where nothing is reserved there is nothing to choose from."""
    return project.audit_choice == ACTIVE and project.audit_share > 0


@dataclass(frozen=True)
class Open:
    """What a round draws its audit order from.

    `ids`: items of the audit set that are to be drawn (n, 3); `chances`: by which they are (n,), None where chance
    alone gives them out; `given`: items that it gave out before, in that order, that are no draws yet (k,), and
    `among` (a,): those that it gave them out from, these among them.
    """

    ids: Indices
    given: Indices
    among: Indices
    chances: Doubles | None = None


def waiting(session: Session, project_id: int) -> Indices:
    """Items of the audit set without an answer, by item, unit and revision, (n, 3), in the order of their draws."""
    return _identified(session, Item.project_id == project_id, Item.reserved, text(OPEN))


def _identified(session: Session, *here: Any) -> Indices:
    rows = session.execute(select(Item.id, Item.revision).where(*here).order_by(Item.draw).limit(MOST)).all()
    return np.array([(row.id, 0, row.revision) for row in rows], dtype=np.int64).reshape(-1, 3)


def read(session: Session, turn: Turn) -> Open | None:
    """What is left to be drawn; None where audit items are not chosen, and never were. O(audit set)."""
    mine = AuditDraw.project_id == turn.project_id
    if not turn.chooses_audits and session.execute(select(AuditDraw.item_id).where(mine).limit(1)).first() is None:
        return None
    standing = reaching.read(session, session.get_one(Project, turn.project_id), _answered(turn))
    audited = standing.audited
    told, among = drawn_by_chance(audited, standing.shares)
    early = audited.ids[audited.given & ~told]
    ids = waiting(session, turn.project_id)
    more = _identified(session, one_of(session, Item.id, early.tolist()), Item.done) if early.size else ids[:0]
    given = audited.ids[audited.in_order[told[audited.in_order]]]
    return Open(np.concatenate([ids, more]), given, audited.ids[among])


def _answered(turn: Turn) -> Indices:
    """Ids of the items with audit answers (n,)."""
    return np.array([item.item_id for item in turn.labels.items if item.audit], dtype=np.int64)


def weighed(turn: Turn, open_: Open | None, model: Model | None) -> Open | None:
    """The same with the chances by which a round draws; no transaction is open. O(audit set x features)."""
    if open_ is None or not turn.chooses_audits:
        return open_
    return replace(open_, chances=proposal(expected(turn, open_.ids)(model)))


def expected(turn: Turn, ids: Indices) -> Callable[[Model | None], Doubles]:
    """The function from a model to its expected error on each of some items (n, 3); NaN where it cannot say, (n,)."""

    def errors(model: Model | None) -> Doubles:
        found = np.full(len(ids), np.nan)
        for start in range(0, len(ids) if model is not None else 0, ROWS_AT_ONCE):
            assert model is not None
            there, block = _rows(turn, ids[start : start + ROWS_AT_ONCE])
            if there.any():
                said = model.probabilities(block)
                found[start : start + ROWS_AT_ONCE][there] = expected_errors(said, turn.plan.multiple)
        return found

    return errors


def _rows(turn: Turn, ids: Indices) -> tuple[Any, Block]:
    """Which of the items have vectors, and of an outside model's those that it spoke of, (n,); and their features."""
    there, block = gather(turn.features.opened(), ids)
    if turn.version is None:
        return there, block
    spoken, given = turn.version.given.of(ids[there])
    both = there.copy()
    both[there] = spoken
    kept = block.take(np.flatnonzero(spoken))
    return both, Block(kept.dense, kept.sparse, given)


def publish(session: WriteSession, turn: Turn, open_: Open | None) -> None:
    """Take in what was given by chance, and put a new order in the place of what nobody was given of the last one.

    In the transaction that publishes the round.
    """
    if open_ is None:
        return
    leases.one_at_a_time(session, turn.project_id)  # nobody is given a place while they are dealt anew
    mine = AuditDraw.project_id == turn.project_id
    session.execute(delete(AuditDraw).where(mine, AuditDraw.drawn_at.is_(None)))
    for done in (True, False):  # what was taken back, or has another content now, is asked about again
        items = exists(select(Item.id).where(Item.id == AuditDraw.item_id, Item.done == done))
        session.execute(update(AuditDraw).where(mine, AuditDraw.listed == done, items).values(listed=not done))
    made = audit_frames.drawn(session, turn.project_id)
    taken, place = (open_.among[:0], 0) if made is None else (made.items, made.next)
    by_chance = open_.given[~np.isin(open_.given, taken)]
    left = open_.among[~np.isin(open_.among, taken)]
    equal = 1 / np.arange(len(left), len(left) - len(by_chance), -1)
    now_ids = np.union1d(np.union1d(open_.ids[:, 0], by_chance), taken)
    known = audit_frames.of_project(session, turn.project_id, made, now_ids)
    since = np.where(np.isin(now_ids, left), place, place + len(by_chance))
    audit_frames.keep(session, turn.project_id, known.dealt(now_ids, since, place))
    _insert(session, turn, place, by_chance, equal, left, moment=now(session))
    if open_.chances is None:
        return
    free = ~np.isin(open_.ids[:, 0], np.concatenate([taken, by_chance]))
    ids, chances = open_.ids[free, 0], open_.chances[free]
    order = drawn(chances, max(SHORTEST, turn.plan.size), np.random.default_rng([turn.plan.seed, 1]))
    _insert(session, turn, place + len(by_chance), ids[order], chances_of(order, chances), ids)


def _insert(
    session: WriteSession,
    turn: Turn,
    place: int,
    ids: Indices,
    chances: Doubles,
    among: Indices,
    moment: datetime | None = None,
) -> None:
    """Places from `place` on, of items (k,) that were drawn with the chances (k,) from others (n,).

    With a moment they are draws of then, by chance, and no round's.
    """
    newest = int(among.max(initial=0))
    rows = [
        {
            "item_id": int(item), "project_id": turn.project_id, "round_id": None if moment else turn.round_id,
            "place": place + number, "chance": float(chance), "remaining": len(among) - number,
            "newest_item": newest, "drawn_at": moment, "listed": True,
        }
        for number, (item, chance) in enumerate(zip(ids, chances, strict=True))
    ]  # fmt: skip
    insert_rows(session, AuditDraw, rows)


def listed(session: Session, project_id: int, item_ids: Sequence[int]) -> set[int]:
    """Those of some items that the audit order has still."""
    return set(session.execute(select(AuditDraw.item_id).where(*_of(project_id, item_ids))).scalars())


def give(session: WriteSession, project_id: int, item_ids: Sequence[int]) -> None:
    """Some places of the audit order are given out now: they are draws, with all places before them."""
    if not item_ids:
        return
    furthest = select(func.max(AuditDraw.place)).where(*_of(project_id, item_ids)).scalar_subquery()
    session.execute(
        update(AuditDraw)
        .where(AuditDraw.project_id == project_id, text("audit_draws.listed"), AuditDraw.drawn_at.is_(None))
        .where(AuditDraw.place <= furthest)
        .values(drawn_at=now(session))
    )


def _of(project_id: int, item_ids: Sequence[int]) -> tuple[Any, ...]:
    return AuditDraw.project_id == project_id, text("audit_draws.listed"), AuditDraw.item_id.in_(item_ids)


def judges(session: Session, turn: Turn) -> AuditSet:
    """What is known of the audit set beside its answers, as far as the project's estimate asks for it.

    O(answers) where these are a sample of the whole pool, else O(audit items), and O(pool) where they are of a part.
    """
    project, answered = session.get_one(Project, turn.project_id), _answered(turn)
    made = audit_frames.drawn(session, turn.project_id)
    if made is not None:
        return _of_draws(session, turn, project, made, answered)
    audits, ids = AuditSet(chooses=turn.chooses_audits), None
    found = reaching.of_answers(session, project, answered)
    if found is not None:
        standing, reach = found
        ids = standing.audited.ids
        audits = replace(
            audits, told=ids[reach.told], share=reach.share, unknown=int(reach.unknown.sum()),
            excused=ids[reach.excused], unheard=int((reach.others | reach.unknown).sum()),
            ahead=standing.ahead(reach),
        )  # fmt: skip
    if not turn.powers_estimate:
        return audits
    open_ = _unanswered(session, turn)
    if found is not None and ids is not None:
        open_ = open_[np.isin(open_[:, 0], ids[found[1].frame | found[1].excused])]
    return replace(audits, powered=True, waiting=open_[:, 0], expected=expected(turn, open_))


def _of_draws(session: Session, turn: Turn, project: Project, made: Made, answered: Indices) -> AuditSet:
    """The same where the audit items are weighed by their draws."""
    standing = reaching.read(session, project, answered)
    ids = _unanswered(session, turn)
    said = np.isin(made.items, answered)
    excused = ~said & np.isin(made.items, reaching.left_out(session, project, made.items))
    excused &= excused.sum() <= MOST_LEFT_OUT * len(said)
    out = ~said & ~np.isin(made.items, reaching.asked_about(session, made.items))
    length = _heard(said, ~said & ~excused)
    heeded = (np.arange(len(said)) < length) | ~out  # drawn later, and no part of the audit set any more
    frame = np.union1d(np.union1d(ids[:, 0], standing.audited.ids), made.items[heeded])
    known = audit_frames.of_project(session, turn.project_id, made, np.union1d(frame, made.items))
    made, said, excused, out = made.first(length), said[:length], excused[:length], out[:length]
    draws = Draws(
        made.items, made.chances, made.left, frame, since=draws_at(known.entered(frame, made.next), made.places),
        gone=gone_at(known.gone_by(made.next, frame), made.places), answered=said, excused=excused,
        barred=np.union1d(reaching.barred(session, project, made.items), standing.audited.ids[standing.barred]),
        out=out,
    )  # fmt: skip
    ids = ids[draws.tells_of(ids[:, 0])]
    upto = draws.told_to if draws.unheard else END
    shares = standing.shares
    ends = [] if upto == END else [upto]
    pool = reaching.pool_of(session, project, [*ends, *(int(each) - 1 for each in shares.since[1:])])
    came = came_in_with(shares, pool, float(shares.levels.min(initial=1.0)), upto)  # no audit item is of the others
    return AuditSet(
        draws, turn.chooses_audits, turn.powers_estimate, ids[:, 0], expected(turn, ids),
        told=draws.items[draws.spoken], excused=draws.items[draws.spoken & excused],
        share=came * draws.part,
        unheard=draws.unheard + round(draws.lost * draws.size),
    )  # fmt: skip


def _heard(said: Booleans, silent: Booleans) -> int:
    """How many of the draws (m,) are looked at: those before the first without a word, where hardly any answer follows.

    What people hold just now is drawn last.
    """
    first = int(np.argmax(silent)) if silent.any() else len(said)
    return first if said[:first].sum() >= reaching.ENOUGH * said.sum() else len(said)


def _unanswered(session: Session, turn: Turn) -> Indices:
    """Items of the audit set that nobody answered, (n, 3): who waits for the answers of others teaches already."""
    ids = waiting(session, turn.project_id)
    begun = [item.item_id for item in turn.labels.items]
    return ids[~np.isin(ids[:, 0], begun)]
