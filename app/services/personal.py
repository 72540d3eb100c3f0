"""All that the database holds about a person, table by table: what `docs/personal-data.md` names is handed out by it.

A column of one of these tables is handed out unless it is named here, so that a new one is not forgotten.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote_plus

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.db import (
    Annotation,
    BrowserSession,
    BucketGrant,
    Event,
    Flag,
    Guidelines,
    Job,
    KeyedRequest,
    Lease,
    Member,
    OneTimeLink,
    PredictionSet,
    Simulation,
    Snapshot,
    Token,
    User,
    Webhook,
)
from app.services.access import Person

ABOUT = "annotator="  # the part of a filter that names somebody
# How the service chose to ask: it says nothing of the person, and which items judge the model is not told.
CHOICE = {"kind", "blind", "round_id", "rank", "probability", "decisive", "slot", "hold_hours"}


@dataclass(frozen=True)
class Part:
    """What one table holds of a person: whose rows, and the columns that are not handed out."""

    table: type[Any]
    whose: Callable[[User], ColumnElement[bool]]
    without: frozenset[str] = field(default_factory=frozenset)

    @property
    def columns(self) -> list[Any]:
        """The columns that are handed out."""
        return [each for each in self.table.__table__.columns if each.name not in self.without]


def _own(column: Any, table: type[Any], *without: str) -> Part:
    return Part(table, lambda user: column == user.id, frozenset(without))


PARTS: dict[str, Part] = {
    "account": Part(User, lambda user: User.id == user.id, frozenset({"folded_name", "password_hash"})),
    "projects": _own(Member.user_id, Member),
    "tokens": _own(Token.user_id, Token, "secret_hash"),
    "sessions": _own(BrowserSession.user_id, BrowserSession, "secret_hash", "csrf_token"),
    "links": Part(
        OneTimeLink,
        lambda user: or_(OneTimeLink.created_by == user.id, OneTimeLink.user_id == user.id),
        frozenset({"code_hash"}),
    ),
    "requests": _own(KeyedRequest.user_id, KeyedRequest, "body_hash"),
    "answers": Part(
        Annotation,
        lambda user: or_(Annotation.annotator_id == user.id, Annotation.annotator_name == user.name),
        frozenset(CHOICE),
    ),
    # What the service suggested, and by which reason it chose the item, is the model's and not the person's.
    "leases": _own(Lease.annotator_id, Lease, "suggestion", "reason", *CHOICE),
    "notes": _own(Flag.user_id, Flag),
    "guidelines": _own(Guidelines.user_id, Guidelines),
    "jobs": _own(Job.created_by, Job, "token", "cursor", "progress", "result", "attempt", "lease_until", "due_at"),
    "snapshots": Part(
        Snapshot,
        lambda user: or_(Snapshot.created_by == user.id, Snapshot.filter.contains(ABOUT, autoescape=True)),
        frozenset({"splits", "report", "file", "sha256"}),
    ),
    "simulations": _own(Simulation.created_by, Simulation, "items", "classes"),
    "predictions": _own(PredictionSet.created_by, PredictionSet, "folder", "class_ids", "completed_by"),
    "buckets": _own(BucketGrant.granted_by, BucketGrant),
    "webhooks": _own(Webhook.created_by, Webhook, "secret"),
    "events": Part(Event, lambda user: or_(Event.user_id == user.id, Event.detail["user"].as_integer() == user.id)),
}
# Of people, but nobody can tell whose: a hash over name and address, and a row that stands while old lines are removed.
NOBODYS = {"sign_in_failures", "audit_doors"}


def export(session: Session, person: Person, user_id: int) -> dict[str, Any]:
    """Everything about one person, for that person and for admins; other people do not exist (NotFound)."""
    user = session.get(User, user_id)
    if user is None or person.token_project is not None or (user_id != person.id and not person.admin):
        raise NotFound("there is no such user, or it is not you")
    found = {name: list(_rows(session, part, user)) for name, part in PARTS.items()}
    found["snapshots"] = [each for each in found["snapshots"] if each["created_by"] == user.id or names(each, user)]
    [account] = found.pop("account")
    return {"user": account, **found}


def names(snapshot: dict[str, Any], user: User) -> bool:
    """Whether a snapshot's filter asks for the person's answers."""
    wanted: str = snapshot["filter"]
    return renamed(wanted, user.name, "") != wanted


def renamed(wanted: str, before: str, after: str) -> str:
    """A filter in which a person has another name."""
    parts = wanted.split("&")
    named = [part.startswith(ABOUT) and unquote_plus(part.removeprefix(ABOUT)) == before for part in parts]
    return "&".join(f"{ABOUT}{quote(after)}" if mine else part for mine, part in zip(named, parts, strict=True))


def _rows(session: Session, part: Part, user: User) -> Iterator[dict[str, Any]]:
    keys = part.table.__table__.primary_key.columns
    for row in session.execute(select(*part.columns).where(part.whose(user)).order_by(*keys)).mappings():
        yield dict(row)
