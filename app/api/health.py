"""Whether the service lives and is ready, its figures for monitoring, and its own description."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import func, select, text

from app.api.deps import Config, Db, MaybeCaller
from app.core.disk import FREE_BYTES, free_bytes
from app.core.ending import ending
from app.core.errors import NotSignedIn
from app.db import Job, Lease, Round
from app.db.migrate import newest
from app.services import status

COUNTED = (
    ("labelwise_leases", "Leases by state", Lease),
    ("labelwise_rounds", "Rounds by state", Round),
    ("labelwise_jobs", "Background jobs by state", Job),
)

public = APIRouter(tags=["health"])


def may_look(person: MaybeCaller, config: Config) -> None:
    """Raise NotSignedIn for strangers, unless a setting opens the figures and the description."""
    if person is None and not config.open_docs:
        raise NotSignedIn("sign in, or start the service with LABELWISE_OPEN_DOCS=true")


unlisted = APIRouter(tags=["health"], dependencies=[Depends(may_look)])


@public.get("/healthz", response_model=dict[str, str])
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@public.get("/readyz", response_model=None, responses={503: {"description": "Not ready, with the reasons"}})
def readyz(request: Request, config: Config) -> JSONResponse:
    """The database answers at the newest schema and takes writes, a worker lives, there is room; else 503 says why."""
    db = request.app.state.db
    reasons: list[str] = []
    try:
        with db.read() as session:
            revision = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
            alive = status.worker_state(session, db.now())["alive"]
        if revision != newest():
            reasons.append("the database is at another schema: run `labelwise migrate`, or install its release")
        if not alive:
            reasons.append("no worker is running: start one with `labelwise worker`")
    except Exception:
        reasons.append("the database does not answer")
    else:
        try:
            status.need_writes(db)
        except Exception:
            reasons.append("the database takes no writes")
    if ending.is_set():
        reasons.append("the service is ending")
    if free_bytes(config.data) < FREE_BYTES:
        reasons.append("the disk is nearly full: reading and labelling go on, imports do not")
    body: dict[str, Any] = {"status": "not ready" if reasons else "ready", "reasons": reasons}
    return JSONResponse(body, status_code=503 if reasons else 200)


@unlisted.get("/metrics", response_class=PlainTextResponse, responses={401: {"description": "Nobody is signed in"}})
def metrics(request: Request, db: Db, config: Config) -> PlainTextResponse:
    """Figures in the text form of Prometheus; requests are this process's own."""
    lines = ["# HELP labelwise_requests_total Answered requests", "# TYPE labelwise_requests_total counter"]
    for (method, status_code), count in sorted(request.app.state.requests.items()):
        lines.append(f'labelwise_requests_total{{method="{method}",status="{status_code}"}} {count}')
    with db.read() as session:
        for name, words, table in COUNTED:
            lines += [f"# HELP {name} {words}", f"# TYPE {name} gauge"]
            rows = session.execute(select(table.state, func.count()).group_by(table.state).order_by(table.state))
            lines += [f'{name}{{state="{state}"}} {count}' for state, count in rows]
        alive = int(status.worker_state(session, db.now())["alive"])
    lines += ["# HELP labelwise_worker_alive 1 when a worker was seen lately", "# TYPE labelwise_worker_alive gauge"]
    lines.append(f"labelwise_worker_alive {alive}")
    lines += ["# HELP labelwise_disk_free_bytes Room for the data folder", "# TYPE labelwise_disk_free_bytes gauge"]
    lines.append(f"labelwise_disk_free_bytes {free_bytes(config.data)}")
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


@unlisted.get("/api/v1/openapi.json", include_in_schema=False)
def describe(request: Request) -> JSONResponse:
    """The OpenAPI description of this service."""
    return JSONResponse(request.app.openapi())
