"""REST: the routers, guarded by default."""

from fastapi import APIRouter, Depends

from app.api import (
    annotations,
    audit_requests,
    buckets,
    classes,
    contenders,
    edits,
    exports,
    feed,
    guidelines,
    health,
    items,
    leases,
    loop,
    media,
    mine,
    predictions,
    projects,
    scorers,
    selecting,
    session,
    simulations,
    snapshots,
    users,
    webhooks,
)
from app.api.bodies import StrictRoute
from app.api.deps import person_of

PREFIX = "/api/v1"


def routers() -> list[APIRouter]:
    """Every router; all but the few public ones let nobody in without a token or a session."""
    guarded = APIRouter(prefix=PREFIX, dependencies=[Depends(person_of)], route_class=StrictRoute)
    # The ways that people take for every item come first: routes are tried in this order.
    for each in (
        annotations,
        leases,
        session,
        users,
        projects,
        classes,
        guidelines,
        loop,
        audit_requests,
        contenders,
        selecting,
        edits,
        items,
        mine,
        media,
        buckets,
        exports,
        feed,
        predictions,
        scorers,
        simulations,
        snapshots,
        webhooks,
    ):
        guarded.include_router(each.router)
    for each in (items, media, annotations, predictions):
        guarded.include_router(each.streams)
    open_to_all = APIRouter(prefix=PREFIX)
    open_to_all.include_router(session.public)
    return [guarded, open_to_all, health.public, health.unlisted]
