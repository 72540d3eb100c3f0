"""The courier: delivers the outbox, each webhook's events in order, at least once, with longer and longer pauses.

It is a thread of the worker process beside its jobs, so that an address that hangs holds up no round and no answer.
"""

import asyncio
import hashlib
import hmac
import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core.addresses import Allowed
from app.core.errors import AppError
from app.core.fetch import safe_post
from app.core.settings import Settings
from app.core.text import write_json
from app.db import Annotation, Database, Delivery, Project, Webhook
from app.db.session import now
from app.services import feed, outbox

log = logging.getLogger("labelwise.courier")

LOOK_SECONDS = 1.0
POST_SECONDS = 10.0  # for one delivery
TURN_SECONDS = 30.0  # one webhook is served no longer before the others have their turn
PAUSES_SECONDS = (5, 15, 60, 300, 900, 3600)  # after the first, second ... failure in a row; the last one from then on
GIVE_UP_HOURS = 24.0
GONE = 410
BATCH_ANSWERS, BATCH_SECONDS = 100, 10.0  # so many answers, or so long after the last batch, make an annotation.batch
STOP_SECONDS = 2.0
REASON_LIMIT = 500
# A deleted project says nothing more; brought back, it goes on where it was.
ALIVE = Webhook.project_id.in_(select(Project.id).where(Project.deleted_at.is_(None)))


@dataclass(frozen=True)
class Letter:
    """One event on its way."""

    delivery: int
    webhook: int
    url: str
    secret: str
    body: bytes


class Courier(threading.Thread):
    """Delivers what waits until it is told to stop."""

    def __init__(self, db: Database, settings: Settings) -> None:
        super().__init__(name="courier", daemon=True)
        self._db = db
        self._settings = settings
        self._stop_now = threading.Event()

    def run(self) -> None:
        """Look for events every second; whatever goes wrong, look again."""
        while not self._stop_now.wait(LOOK_SECONDS):
            try:
                while not self._stop_now.is_set() and deliver_some(self._db, self._settings):
                    pass
            except Exception:
                log.exception("could not deliver")

    def stop(self) -> None:
        """End after the delivery in hand, and wait for that a little; one that is cut off is sent again."""
        self._stop_now.set()
        self.join(STOP_SECONDS)


def deliver_some(db: Database, settings: Settings) -> bool:
    """One webhook's turn: what waits for it, in order, until one delivery fails. False when nothing was due."""
    gather_answers(db)
    hook_id = _claim(db)
    if hook_id is None:
        return False
    end = time.monotonic() + TURN_SECONDS - POST_SECONDS
    while time.monotonic() < end:
        with db.read() as session:
            letter = _next(session, hook_id)
        if letter is None:
            break
        status, reason = send(letter, settings)
        if not _note(db, letter, status, reason):
            return True
    with db.write() as session:  # the turn is over: what comes next is due at once
        session.execute(update(Webhook).where(Webhook.id == hook_id).values(next_at=now(session)))
    return True


def send(letter: Letter, settings: Settings) -> tuple[int | None, str | None]:
    """The status of the answer, and a reason where it is not one of success."""
    moment = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "Labelwise-Signature": f"t={moment},v1={signature(letter.secret, moment, letter.body)}",
    }
    allowed = Allowed.parse(settings.allow_fetch_from)
    try:
        status = safe_post(letter.url, letter.body, headers, seconds=POST_SECONDS, allowed=allowed)
    except AppError as error:
        return None, str(error)[:REASON_LIMIT]
    return status, None if 200 <= status < 300 else f"the address answered with status {status}"


def signature(secret: str, moment: int, body: bytes) -> str:
    """HMAC-SHA256 of "t.body", as the receiver checks it."""
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def gather_answers(db: Database) -> None:
    """Write an `annotation.batch` for each webhook that asked for them and has enough new answers, or old ones."""
    with db.read() as session:
        hooks = session.execute(select(Webhook).where(Webhook.state == "active", ALIVE)).scalars().all()
    asking = [hook for hook in hooks if "annotation.batch" in hook.events]
    if not asking:
        return
    settled = asyncio.run(feed.settled(db))
    for hook in asking:
        _gather(db, hook, settled)


def _gather(db: Database, hook: Webhook, settled: int) -> None:
    new = (Annotation.project_id == hook.project_id, Annotation.id > hook.last_annotation, Annotation.id <= settled)
    with db.read() as session:
        count, last = session.execute(select(func.count(), func.max(Annotation.id)).where(*new)).one()
    if not count:
        return
    with db.write() as session:
        moment = now(session)
        if count < BATCH_ANSWERS and moment - hook.last_batch_at < timedelta(seconds=BATCH_SECONDS):
            return
        same = select(Webhook).where(Webhook.id == hook.id, Webhook.last_annotation == hook.last_annotation)
        mine = session.execute(same.with_for_update()).scalar_one_or_none()
        if mine is None:
            return  # another worker was faster, or it was deleted
        data = {"after": mine.last_annotation, "last": last, "count": count}
        mine.last_annotation, mine.last_batch_at = last, moment
        outbox.add(session, mine, "annotation.batch", data)


def _claim(db: Database) -> int | None:
    """Take the turn of one webhook that has something due; others leave it alone until its turn must have ended."""
    with db.read() as session:
        if session.execute(select(Webhook.id).limit(1)).first() is None:
            return None
    with db.write() as session:
        moment = now(session)
        due = (
            select(Webhook)
            .where(
                Webhook.state == "active",
                ALIVE,
                Webhook.next_at <= moment,
                select(Delivery.id).where(Delivery.webhook_id == Webhook.id, Delivery.state == "waiting").exists(),
            )
            .order_by(Webhook.next_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        hook = session.execute(due).scalar_one_or_none()
        if hook is None:
            return None
        hook.next_at = moment + timedelta(seconds=TURN_SECONDS + POST_SECONDS)
        return hook.id


def _next(session: Session, hook_id: int) -> Letter | None:
    row = session.execute(
        select(Delivery, Webhook, Project.slug)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .join(Project, Project.id == Webhook.project_id)
        .where(Delivery.webhook_id == hook_id, Delivery.state == "waiting", Webhook.state == "active")
        .where(Project.deleted_at.is_(None))
        .order_by(Delivery.seq)
        .limit(1)
    ).first()
    if row is None:
        return None
    delivery, hook, slug = row
    body = {
        "id": f"evt_{delivery.id}",
        "event": delivery.event,
        "project": {"id": hook.project_id, "slug": slug},
        "seq": delivery.seq,
        "at": delivery.created_at.isoformat(),
        "data": delivery.data,
    }
    return Letter(delivery.id, hook.id, hook.url, hook.secret, write_json(body).encode())


def _note(db: Database, letter: Letter, status: int | None, reason: str | None) -> bool:
    """Write down how it went; whether the next one may go."""
    with db.write() as session:
        moment = now(session)
        delivery, hook = session.get(Delivery, letter.delivery), session.get(Webhook, letter.webhook)
        if delivery is None or hook is None:
            return False  # deleted meanwhile
        delivery.attempts += 1
        delivery.status, delivery.reason = status, reason
        if reason is None:
            delivery.state, delivery.delivered_at = "delivered", moment
            hook.failures, hook.failing_since = 0, None
            if hook.state == "active":
                hook.reason = None
            return True
        _failed(hook, status, reason, moment)
        return False


def _failed(hook: Webhook, status: int | None, reason: str, moment: datetime) -> None:
    hook.failures += 1
    hook.failing_since = hook.failing_since or moment
    hook.reason = reason
    hook.next_at = moment + timedelta(seconds=PAUSES_SECONDS[min(hook.failures, len(PAUSES_SECONDS)) - 1])
    if status == GONE:
        hook.state, hook.reason = "paused", "the address answered that it is gone for good (410)"
    elif moment - hook.failing_since > timedelta(hours=GIVE_UP_HOURS):
        hook.state, hook.reason = "paused", f"nothing was taken for {GIVE_UP_HOURS:g} hours: {reason}"[:REASON_LIMIT]
