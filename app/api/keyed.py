"""Creating twice with one Idempotency-Key creates once: the second request gets the first one's answer."""

from collections.abc import Awaitable, Callable, Coroutine
from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from app.api.deps import idempotency_key, optional_person
from app.core.errors import Conflict
from app.db import Database
from app.services import idempotency
from app.services.access import Person
from app.services.idempotency import Keyed

TOLD_ONCE = "told once"  # in place of an answer that holds a secret
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


async def answer_once(request: Request, handler: Handler, *, told_once: bool = False) -> Response:
    """Run the handler, or answer as the first request with the same key was answered.

    An answer with a secret (`told_once`) is not kept: a repeat is refused, and changes nothing either. A request of
    nobody is left to the handler, which refuses it or has a one-time code that guards it.
    """
    db: Database = request.app.state.db
    await idempotency_key(request.headers["idempotency-key"])
    person = await optional_person(request, db)
    if person is None:
        return await handler(request)
    digest = sha256(await request.body()).hexdigest()
    return await work_once(request, person, digest, lambda: handler(request), told_once=told_once)


async def work_once(
    request: Request,
    person: Person,
    body_hash: str,
    work: Callable[[], Awaitable[Response]],
    *,
    told_once: bool = False,
) -> Response:
    """Do the work of a keyed request whose body has this SHA-256, or answer as the first one was answered.

    Raises:
        Invalid: the key is no UUID, or was used with another body.
        Conflict: the first request with this key has no answer yet, or one that was told once.
    """
    db: Database = request.app.state.db
    key = await idempotency_key(request.headers.get("idempotency-key"))
    if key is None:
        return await work()
    where = sha256(f"{request.method} {request.url.path}?{request.url.query}".encode()).hexdigest()
    keyed = Keyed(person.id, where, str(key), body_hash)
    stored = await run_in_threadpool(idempotency.claim, db, keyed)
    if stored is not None and stored[1] == TOLD_ONCE:
        raise Conflict("the first request with this Idempotency-Key made it, and its secret is told once: make another")
    if stored is not None:
        return Response(stored[1], status_code=stored[0], media_type="application/json")
    try:
        response = await work()
    except BaseException:
        await run_in_threadpool(idempotency.give_back, db, keyed)
        raise
    answer = TOLD_ONCE if told_once else bytes(response.body).decode()
    await run_in_threadpool(idempotency.keep, db, keyed, response.status_code, answer)
    return response
