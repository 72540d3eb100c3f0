"""When nobody is asked about an item any more: its counted answers fill every slot, or a manager's word stands on it.

`items.done` is written from the answers alone, under the item's lock: two answers at once cannot each miss the other's
and leave an item open whose slots are full.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, func, not_, or_, select, text, update
from sqlalchemy.orm import aliased
from sqlalchemy.orm.util import identity_key

from app.db import Annotation, Item, Project, QueueEntry, WriteSession, is_newest

ANSWER, WORD = aliased(Annotation), aliased(Annotation)
LOCK = text("SELECT id FROM items WHERE id = :item FOR NO KEY UPDATE")
# The answers to an item's present content that count; of the hot path, so it is made once.
COUNTED = text("""
    SELECT count(*) FROM annotations JOIN items ON items.id = annotations.item_id
    WHERE annotations.item_id = :item AND annotations.unit = :unit AND annotations.counted
    AND NOT annotations.retracted AND annotations.item_revision = items.revision
    AND NOT EXISTS (SELECT 1 FROM annotations AS newer
                    WHERE newer.answer_id = annotations.answer_id AND newer.version > annotations.version)
""")


def is_full(session: WriteSession, item_id: int, unit: int, overlap: int) -> bool:
    """Whether an item's answers fill every slot, after one that counts was stored for it in this transaction."""
    if overlap == 1:
        return True
    connection = session.core
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        connection.execute(LOCK, {"item": item_id})
    return bool(connection.execute(COUNTED, {"item": item_id, "unit": unit}).scalar_one() >= overlap)


def hold(session: WriteSession, item_ids: Sequence[int]) -> None:
    """Let nobody else change the answers to some items until the transaction ends.

    To be asked before a next version is written, and best before the last one is read; leases are taken before items.
    Two who each wrote first would wait for what the other one holds.
    """
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time
        held = select(Item.id).where(Item.id.in_(item_ids)).order_by(Item.id)
        session.execute(held.with_for_update(key_share=True))


def refresh(session: WriteSession, project: Project, item_ids: Sequence[int]) -> None:
    """Write anew whether items are done, here and in the order that is served; O(items), some statements."""
    if not item_ids:
        return
    session.flush()
    hold(session, item_ids)
    full = (
        select(func.count())
        .select_from(ANSWER)
        .where(_stands(ANSWER), ANSWER.counted)
        .correlate(Item)
        .scalar_subquery()
    )
    decided = select(WORD.id).where(_stands(WORD), WORD.decisive).correlate(Item).exists()
    done = or_(full >= project.overlap, decided)
    changed = session.execute(
        update(Item)
        .where(Item.id.in_(item_ids), or_(and_(Item.done, not_(done)), and_(~Item.done, done)))
        .values(done=~Item.done)
        .returning(Item.id, Item.done)
        .execution_options(synchronize_session=False)
    ).all()
    for row in changed:
        if (loaded := session.identity_map.get(identity_key(Item, row.id))) is not None:
            session.expire(loaded, ["done"])
    for state in (True, False):
        ids = [row.id for row in changed if bool(row.done) is state]
        if ids:
            session.execute(update(QueueEntry).where(QueueEntry.item_id.in_(ids)).values(done=state))


def _stands(answer: Any) -> Any:
    return and_(answer.item_id == Item.id, answer.item_revision == Item.revision, ~answer.retracted, is_newest(answer))
