"""Whether the service lives and is ready."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text

from app.db.migrate import newest
from app.services import status

public = APIRouter(tags=["health"])


@public.get("/healthz", response_model=dict[str, str])
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@public.get("/readyz", response_model=None)
def readyz(request: Request) -> JSONResponse:
    """The database answers, its schema is the newest, and a worker was seen; 503 with the reason otherwise."""
    db = request.app.state.db
    reasons: list[str] = []
    try:
        with db.read() as session:
            revision = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
            alive = status.worker_state(session, db.now())["alive"]
        if revision != newest():
            reasons.append("the database is not migrated: run `labelwise migrate`")
        if not alive:
            reasons.append("no worker is running: start one with `labelwise worker`")
    except Exception:
        reasons.append("the database does not answer")
    body: dict[str, Any] = {"status": "not ready" if reasons else "ready", "reasons": reasons}
    return JSONResponse(body, status_code=503 if reasons else 200)
