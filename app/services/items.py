"""Items: looked at, changed, deleted; `storing` brings them in, `listing` gives pages of them."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.core.errors import VersionMismatch
from app.db import Item, Lease, Project, WriteSession
from app.db.session import now
from app.services import audit, decisions, erasing, fetches, search, tasks
from app.services.access import Person, absent, project_for, visible


def one(session: Session, person: Person, item_id: int) -> tuple[Item, Project]:
    """An item that the person may look at: managers and reviewers; raises NotFound, Forbidden."""
    item, project = visible(session, person, Item, item_id, "reviewer")
    if item.state == "deleted":
        raise absent(Item)
    return item, project


def change(
    session: WriteSession, person: Person, item_id: int, changes: dict[str, Any], version: str
) -> tuple[Item, Project]:
    """Change metadata, split, state or priority. Raises VersionMismatch when it was changed in the meantime."""
    person.need("manage")
    item, project = one(session, person, item_id)
    project_for(session, person, project.id, "manager")
    if etag(item) != version:
        raise VersionMismatch("the item was changed in the meantime: read it again")
    moment = now(session)
    with search.kept_up(session, project.id, [item.id] if "metadata" in changes else []):
        for name, value in changes.items():
            if (name, value) == ("state", "open") and item.state != "open":
                fetches.opening(session, item, moment)
            else:
                setattr(item, "meta" if name == "metadata" else name, value)
        if item.split == "audit":
            item.reserved = False
        item.updated_at = moment
    return item, project


def label(session: WriteSession, person: Person, item_id: int, given: Any) -> tuple[Item, Project]:
    """Give an item the manager's word, which wins over every other answer. Raises InvalidLabel, NotFound, Forbidden."""
    person.need("manage")
    item, project = one(session, person, item_id)
    project_for(session, person, project.id, "manager")
    asked = tasks.questions(session, project)
    checked = tasks.check_label(given, asked)
    tasks.check_item(checked, asked, item.payload)
    decisions.decide(session, project, person.id, [item.id], checked, override=True)
    session.expire(item)
    return item, project


def serve_again(session: WriteSession, person: Person, item_id: int) -> tuple[Item, Project]:
    """Offer an item again that people skipped, also to those who did; for managers."""
    person.need("manage")
    item, project = one(session, person, item_id)
    project_for(session, person, project.id, "manager")
    passed = update(Lease).where(Lease.item_id == item.id, Lease.state == "skipped")
    session.execute(passed.values(state="released"))
    item.skips, item.updated_at = 0, now(session)
    session.flush()
    return item, project


def remove(session: WriteSession, person: Person, item_id: int, *, erase: bool) -> None:
    """Delete an item: a state, and its key is free again. Erasure also takes away all that was its content.

    A deleted item can still be erased. Raises NotFound, Forbidden.
    """
    person.need("manage")
    item, _ = visible(session, person, Item, item_id, "manager")
    if item.state == "deleted" and (not erase or erasing.is_empty(item)):
        raise absent(Item)
    item.state, item.updated_at = "deleted", now(session)
    audit.record(
        session, "item.erased" if erase else "item.deleted", person.id, project_id=item.project_id, item=item.id
    )
    if erase:
        erasing.empty(session, item)


def etag(item: Item) -> str:
    """The version of an item as its ETag."""
    return f"{item.revision}-{int(item.updated_at.timestamp() * 1e6)}"
