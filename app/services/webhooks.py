"""Webhooks: addresses that a manager lets hear of a project's events."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.core import addresses
from app.core.addresses import Allowed
from app.core.errors import Conflict, Invalid
from app.core.secrets import new_secret
from app.core.settings import Settings
from app.core.text import check_text
from app.db import Annotation, Delivery, Webhook, WriteSession
from app.db.session import now
from app.services import audit, outbox
from app.services.access import Person, absent, project_for, visible

MOST = 20  # of a project
SECRET_CHARACTERS = 16, 200


def create(
    session: WriteSession, settings: Settings, person: Person, ref: int | str, url: str, events: Sequence[str],
    secret: str | None,
) -> tuple[Webhook, str]:  # fmt: skip
    """Make a webhook; with it its secret, which is shown this once.

    Raises:
        AddressRefused: the address may not be called.
        Invalid: an unknown event, or a secret that is too short or too long.
        Conflict: the project has 20 already.
    """
    project = project_for(session, person, ref, "manager")
    count = session.execute(select(func.count()).where(Webhook.project_id == project.id)).scalar_one()
    if count >= MOST:
        raise Conflict(f"a project has at most {MOST} webhooks: delete one first")
    moment = now(session)
    newest = select(func.coalesce(func.max(Annotation.id), 0)).where(Annotation.project_id == project.id)
    hook = Webhook(
        project_id=project.id,
        url=_checked_url(settings, url),
        events=_checked_events(events),
        secret=_checked_secret(secret),
        last_annotation=session.execute(newest).scalar_one(),
        last_batch_at=moment,
        next_at=moment,
        created_by=person.id,
        created_at=moment,
    )
    session.add(hook)
    session.flush()
    audit.record(session, "webhook.created", person.id, project_id=project.id, webhook=hook.id, events=hook.events)
    return hook, hook.secret


def listed(session: Session, person: Person, ref: int | str) -> list[tuple[Webhook, int]]:
    """The webhooks of a project, oldest first, each with how many events wait for it; managers only."""
    project = project_for(session, person, ref, "manager")
    hooks = session.execute(select(Webhook).where(Webhook.project_id == project.id).order_by(Webhook.id)).scalars()
    return [(hook, outbox.waiting(session, hook.id)) for hook in hooks.all()]


def one(session: Session, person: Person, ref: int | str, hook_id: int) -> Webhook:
    """A webhook of a project, for managers. Raises NotFound, Forbidden."""
    project = project_for(session, person, ref, "manager")
    hook, owner = visible(session, person, Webhook, hook_id, "manager")
    if owner.id != project.id:
        raise absent(Webhook)
    return hook


def change(
    session: WriteSession, settings: Settings, person: Person, ref: int | str, hook_id: int, changes: dict[str, Any]
) -> Webhook:
    """Change the address, the events, the secret or whether it is active; active again, it gets what waits at once."""
    hook = one(session, person, ref, hook_id)
    if "url" in changes:
        hook.url = _checked_url(settings, changes["url"])
    if "events" in changes:
        hook.events = _checked_events(changes["events"])
    if "secret" in changes:
        hook.secret = _checked_secret(changes["secret"])
    if "active" in changes:
        hook.state = "active" if changes["active"] else "paused"
        hook.reason = None if changes["active"] else "paused by a manager"
    if hook.state == "active":
        hook.failures, hook.failing_since, hook.next_at = 0, None, now(session)
    shown = {key: value for key, value in changes.items() if key in ("events", "active")}
    audit.record(session, "webhook.changed", person.id, project_id=hook.project_id, webhook=hook.id, **shown)
    session.flush()
    return hook


def remove(session: WriteSession, person: Person, ref: int | str, hook_id: int) -> None:
    """Delete a webhook with its deliveries."""
    hook = one(session, person, ref, hook_id)
    audit.record(session, "webhook.deleted", person.id, project_id=hook.project_id, webhook=hook.id)
    session.execute(delete(Delivery).where(Delivery.webhook_id == hook.id))
    session.delete(hook)


def test(session: WriteSession, person: Person, ref: int | str, hook_id: int) -> Delivery:
    """Put an event of the kind `test` behind the others. Raises Conflict for a paused webhook."""
    hook = one(session, person, ref, hook_id)
    if hook.state != "active":
        raise Conflict(f"the webhook is paused ({hook.reason}): make it active first")
    hook.next_at = now(session)
    return outbox.add(session, hook, outbox.TEST, {"words": "this is a test"})


def deliveries(session: Session, person: Person, ref: int | str, hook_id: int, limit: int, before: int | None) -> (
    Sequence[Delivery]
):  # fmt: skip
    """Events of a webhook, newest first; `before` is a seq."""
    hook = one(session, person, ref, hook_id)
    statement = select(Delivery).where(Delivery.webhook_id == hook.id).order_by(Delivery.seq.desc()).limit(limit)
    return session.execute(statement if before is None else statement.where(Delivery.seq < before)).scalars().all()


def _checked_url(settings: Settings, url: str) -> str:
    allowed = Allowed.parse(settings.allow_fetch_from)
    place = addresses.parse(url, allowed)
    if place.scheme != "https" and not allowed.names(place):
        raise Invalid(
            "url begins with https:// (http only to hosts that --allow-fetch-from names)", fields={"url": url[:200]}
        )
    return url


def _checked_events(events: Sequence[str]) -> list[str]:
    unknown = [each for each in events if each not in outbox.EVENTS]
    if unknown or not events:
        raise Invalid(
            f"events are of {', '.join(outbox.EVENTS)}", fields={"events": unknown[0][:80] if unknown else "none"}
        )
    return [each for each in outbox.EVENTS if each in events]


def _checked_secret(secret: str | None) -> str:
    if secret is None:
        return new_secret("whsec_")
    least, most = SECRET_CHARACTERS
    if not least <= len(check_text(secret, what="secret")) <= most:
        raise Invalid(
            f"secret has {least} to {most} characters, or leave it out to get one", fields={"secret": "length"}
        )
    return secret
