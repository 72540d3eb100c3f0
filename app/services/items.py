"""Items: listed, looked at, changed, deleted; `storing` brings them in."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.core.errors import Invalid, NotFound, VersionMismatch
from app.core.text import INT64_MAX
from app.db import ClientFeature, Item, Project, WriteSession
from app.db.session import now
from app.services.access import Person, project_for


def one(session: Session, person: Person, item_id: int) -> tuple[Item, Project]:
    """An item that the person may look at: managers and reviewers; raises NotFound, Forbidden."""
    item = session.get(Item, item_id) if item_id <= INT64_MAX else None
    if item is None or item.state == "deleted":
        raise NotFound("there is no such item, or it is not yours")
    return item, project_for(session, person, item.project_id, "reviewer")


def listed(
    session: Session, person: Person, ref: int | str, limit: int, after: int, keys: list[str], filters: dict[str, str]
) -> Sequence[Item]:
    """Items in the order of their ids, for reviewers and managers; by keys where some are given."""
    project = project_for(session, person, ref, "reviewer")
    statement = select(Item).where(Item.project_id == project.id, Item.state != "deleted", Item.id > after)
    if keys:
        statement = statement.where(Item.key.in_(keys))
    if "state" in filters:
        statement = statement.where(Item.state == filters["state"])
    if "split" in filters:
        statement = statement.where(Item.split == filters["split"])
    if "status" in filters:
        if filters["status"] not in ("open", "answered"):
            raise Invalid("status is open or answered", fields={"status": filters["status"][:50]})
        statement = statement.where(Item.done == (filters["status"] == "answered"))
    return session.execute(statement.order_by(Item.id).limit(limit)).scalars().all()


def change(session: WriteSession, person: Person, item_id: int, changes: dict[str, Any], version: str) -> Item:
    """Change metadata, split, state or priority. Raises VersionMismatch when it was changed in the meantime."""
    person.need("manage")
    item, project = one(session, person, item_id)
    project_for(session, person, project.id, "manager")
    if etag(item) != version:
        raise VersionMismatch("the item was changed in the meantime: read it again")
    for name, value in changes.items():
        setattr(item, "meta" if name == "metadata" else name, value)
    if item.split == "audit":
        item.reserved = False
    item.updated_at = now(session)
    session.flush()
    return item


def remove(session: WriteSession, person: Person, item_id: int, *, erase: bool) -> None:
    """Delete an item: a state, and its key is free again. Erasure also takes its content and metadata away."""
    person.need("manage")
    item, project = one(session, person, item_id)
    project_for(session, person, project.id, "manager")
    item.state, item.updated_at = "deleted", now(session)
    if erase:
        item.payload, item.meta, item.key = {}, {}, f"erased-{item.id}"
        item.content_hash = item.fingerprint = ""
        session.execute(delete(ClientFeature).where(ClientFeature.item_id == item.id))


def etag(item: Item) -> str:
    """The version of an item as its ETag."""
    return f"{item.revision}-{int(item.updated_at.timestamp() * 1e6)}"
