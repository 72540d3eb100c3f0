"""Every refusal in one shape: {"error", "detail", "fields"?, "request_id"}."""

import errno
import logging
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.api.bodies import refusal
from app.core.errors import AppError
from app.core.text import write_json
from app.db.session import is_busy, is_damaged, is_full

log = logging.getLogger("labelwise.api")
NAMES = {401: "NotSignedIn", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 413: "TooLarge"}
BUSY_RETRY_SECONDS = 1
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FULL = "the server's disk is full: nothing of this request was stored"


def answer(request: Request, status: int, error: str, detail: str, **more: Any) -> JSONResponse:
    """One error body; whatever it holds can be encoded."""
    body = {"error": error, "detail": detail, **more, "request_id": getattr(request.state, "request_id", None)}
    safe = write_json(body).encode("utf-8", "replace")
    response = JSONResponse(None, status_code=status)
    response.body = safe
    response.headers["content-length"] = str(len(safe))
    if status in (429, 503):
        response.headers["Retry-After"] = str(more.get("retry_after_seconds", BUSY_RETRY_SECONDS))
    return response


def install(app: FastAPI) -> None:
    """Set one handler for each family of errors."""
    app.add_exception_handler(AppError, _refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(IntegrityError, _conflict)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeout, _busy)
    app.add_exception_handler(DataError, _bad_data)
    app.add_exception_handler(StatementError, _bad_data)
    app.add_exception_handler(ProgrammingError, _unexpected)  # a fault of ours, not of what was sent
    app.add_exception_handler(OSError, _system)
    app.add_exception_handler(OverflowError, _bad_data)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


def _refused(request: Request, error: Exception) -> JSONResponse:
    refused = cast(AppError, error)
    more = dict(refused.extra)
    if refused.fields:
        more["fields"] = refused.fields
    response = answer(request, refused.status, type(refused).__name__, str(refused), **more)
    response.headers.update(refused.headers)
    return response


def http(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: an unknown path, a method that a path does not take."""
    refused = cast(HTTPException, error)
    name = NAMES.get(refused.status_code, "HttpError")
    response = answer(request, refused.status_code, name, str(refused.detail))
    response.headers.update(refused.headers or {})  # which methods there are
    return response


def _invalid(request: Request, error: Exception) -> JSONResponse:
    return _refused(request, refusal(cast(RequestValidationError, error)))


def _conflict(request: Request, error: Exception) -> JSONResponse:
    log.info("a constraint refused a write: %s", error)
    return answer(request, 409, "Conflict", "this collides with what is stored by now: read it again and retry")


def _database(request: Request, error: Exception) -> JSONResponse:
    failed = cast(DBAPIError, error)
    if is_full(failed):
        log.error("the database cannot write: %s", error)
        return answer(request, 503, "Unavailable", FULL)
    if is_damaged(failed):
        log.critical("the database is damaged, run `labelwise check`: %s", error)
        return answer(request, 503, "Unavailable", "the database is damaged: whoever runs this service has to look")
    return _busy(request, error) if is_busy(failed) else _unexpected(request, error)


def _system(request: Request, error: Exception) -> JSONResponse:
    if cast(OSError, error).errno not in NO_ROOM:
        return _unexpected(request, error)
    log.error("the disk is full: %s", error)
    return answer(request, 503, "Unavailable", FULL)


def _busy(request: Request, error: Exception) -> JSONResponse:
    log.warning("the database is busy: %s", error)
    return answer(request, 503, "Unavailable", "the database is busy; try again shortly")


def _bad_data(request: Request, error: Exception) -> JSONResponse:
    log.info("a value does not fit the database: %s", error)
    return answer(request, 422, "Invalid", "a value does not fit the database")


def _gone(request: Request, error: Exception) -> JSONResponse:
    return answer(request, 400, "BadSyntax", "the connection ended before the body did")


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error in %s %s", request.method, request.url.path, exc_info=error)
    return answer(request, 500, "InternalError", "something went wrong here; the log has the request id")
