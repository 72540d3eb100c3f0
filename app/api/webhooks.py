"""Webhooks over REST: who hears of a project's events, and what was said."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Config, Db
from app.core.text import INT64_MAX
from app.db import Delivery, Webhook
from app.services import outbox, webhooks

router = APIRouter(tags=["webhooks"], route_class=StrictRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]


class WebhookIn(Body):
    """A new webhook; without a secret one is made and shown once."""

    url: str = Field(max_length=2000, examples=["https://example.org/labelwise"])
    events: list[str] = Field(max_length=len(outbox.EVENTS), examples=[["round.published", "goal.reached"]])
    secret: str | None = Field(None, max_length=200)


class WebhookChange(Body):
    """What is to be changed; active again, a webhook gets what waits for it at once."""

    url: str | None = Field(None, max_length=2000)
    events: list[str] | None = Field(None, max_length=len(outbox.EVENTS))
    secret: str | None = Field(None, max_length=200)
    active: bool | None = None


class WebhookOut(BaseModel):
    """A webhook without its secret. `reason` says why it is paused, or why the last delivery failed."""

    id: int
    url: str
    events: list[str]
    active: bool
    reason: str | None
    failures: int
    waiting: int
    next_try: datetime | None
    created_at: datetime


class WebhookMade(WebhookOut):
    """A new webhook with its secret, shown this once."""

    secret: str


class WebhooksOut(BaseModel):
    """The webhooks of a project, and the events that there are."""

    items: list[WebhookOut]
    events: list[str]


class DeliveryOut(BaseModel):
    """One event for one webhook. `status` is that of the last answer, null where none came."""

    id: str
    seq: int
    event: str
    data: dict[str, Any]
    state: str
    attempts: int
    status: int | None
    reason: str | None
    created_at: datetime
    delivered_at: datetime | None


class DeliveriesOut(BaseModel):
    """Deliveries, newest first; `next` is the `before` of the next page."""

    items: list[DeliveryOut]
    next: int | None


@router.post("/projects/{project}/webhooks", status_code=201, response_model=WebhookMade)
def create_webhook(project: str, body: WebhookIn, person: Caller, config: Config, db: Db) -> WebhookMade:
    """Let an address hear of a project's events."""
    person.need("manage")
    with db.write() as session:
        hook, secret = webhooks.create(session, config, person, project, body.url, body.events, body.secret)
        return WebhookMade(**_shown(hook, 0).model_dump(), secret=secret)


@router.get("/projects/{project}/webhooks", response_model=WebhooksOut)
def list_webhooks(project: str, person: Caller, db: Db) -> WebhooksOut:
    """The webhooks of a project, oldest first."""
    with db.read() as session:
        found = webhooks.listed(session, person, project)
        return WebhooksOut(items=[_shown(hook, waiting) for hook, waiting in found], events=list(outbox.EVENTS))


@router.patch("/projects/{project}/webhooks/{webhook}", response_model=WebhookOut)
def change_webhook(
    project: str, webhook: Number, body: WebhookChange, person: Caller, config: Config, db: Db
) -> WebhookOut:
    """Change a webhook, pause it, or make it active again."""
    person.need("manage")
    changes = {key: value for key, value in body.model_dump(exclude_unset=True).items() if value is not None}
    with db.write() as session:
        hook = webhooks.change(session, config, person, project, webhook, changes)
        return _shown(hook, outbox.waiting(session, hook.id))


@router.delete("/projects/{project}/webhooks/{webhook}", status_code=204)
def delete_webhook(project: str, webhook: Number, person: Caller, db: Db) -> None:
    """Delete a webhook with its deliveries."""
    person.need("manage")
    with db.write() as session:
        webhooks.remove(session, person, project, webhook)


@router.post("/projects/{project}/webhooks/{webhook}/test", status_code=202, response_model=DeliveryOut)
def test_webhook(project: str, webhook: Number, person: Caller, db: Db) -> DeliveryOut:
    """Send a test event, behind what waits already."""
    person.need("manage")
    with db.write() as session:
        return _delivery(webhooks.test(session, person, project, webhook))


@router.get("/projects/{project}/webhooks/{webhook}/deliveries", response_model=DeliveriesOut)
def list_deliveries(
    project: str,
    webhook: Number,
    person: Caller,
    db: Db,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(gt=0, le=INT64_MAX)] = None,
) -> DeliveriesOut:
    """What was said and what waits, newest first; what was delivered is kept for a week."""
    with db.read() as session:
        rows = webhooks.deliveries(session, person, project, webhook, limit, before)
        return DeliveriesOut(items=[_delivery(row) for row in rows], next=rows[-1].seq if len(rows) == limit else None)


def _shown(hook: Webhook, waiting: int) -> WebhookOut:
    return WebhookOut(
        id=hook.id,
        url=hook.url,
        events=hook.events,
        active=hook.state == "active",
        reason=hook.reason,
        failures=hook.failures,
        waiting=waiting,
        next_try=hook.next_at if hook.failures and hook.state == "active" else None,
        created_at=hook.created_at,
    )


def _delivery(row: Delivery) -> DeliveryOut:
    return DeliveryOut(
        id=f"evt_{row.id}",
        seq=row.seq,
        event=row.event,
        data=row.data,
        state=row.state,
        attempts=row.attempts,
        status=row.status,
        reason=row.reason,
        created_at=row.created_at,
        delivered_at=row.delivered_at,
    )
