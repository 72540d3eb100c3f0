"""Strict bodies: sized while they stream, UTF-8 JSON only, nothing that a database cannot hold."""

import re
from collections.abc import Callable, Coroutine
from typing import Any, get_args, get_origin

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from app.api.filters import filter_of
from app.api.keyed import answer_once
from app.core.errors import Invalid, TooLarge, WrongType
from app.core.text import read_json

WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,30})", re.ASCII)
DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
# In the answer to what makes one, and nowhere else.
TELLS_A_SECRET = ("/tokens", "/invitations", "/password-link", "/webhooks")
BODY_METHODS = {"POST", "PUT", "PATCH", "DELETE"}


class Body(BaseModel):
    """What a request's JSON may hold: the named fields, each of its own type. No "1" is a number, no 0 is false."""

    model_config = ConfigDict(extra="forbid", strict=True)


class StrictRequest(Request):
    """A request whose body is bounded and whose JSON is checked."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            limit = self.app.state.settings.json_body_bytes
            refuse_announced(self, limit)
            pieces, size = [], 0
            async for piece in self.stream():
                size += len(piece)
                if size > limit:
                    raise TooLarge(f"the body has more than {limit:,} bytes")
                pieces.append(piece)
            self._body = b"".join(pieces)
        return self._body

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = read_json(await self.body())
        return self._json


def refuse_announced(request: Request, limit: int) -> None:
    """Raise TooLarge for a body that says itself that it is too large, before a byte of it is waited for."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        raise TooLarge(f"the body has more than {limit:,} bytes")


class StreamRoute(APIRoute):
    """Refuses unknown query parameters; the body is the handler's own to read, piece by piece."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        known = {field.alias for field in _all_query(self.dependant)}
        numbers, single = _numbers(self.dependant), _single(self.dependant)

        async def named(request: Request) -> Response:
            _check_names(request, known)
            _check_once(request, single)
            _check_numbers(request, numbers)
            return await handler(request)

        return named


class StrictRoute(APIRoute):
    """Refuses unknown query parameters and bodies that are not JSON, before anything else is looked at."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        flat = self.dependant
        takes_body = self.body_field is not None
        known = {field.alias for field in _all_query(flat)}
        filtered = any(each.call is filter_of for each in flat.dependencies)
        keyed = self.status_code in (201, 202) and "POST" in (self.methods or ()) and not _reads_key(flat)
        numbers, single = _numbers(flat), _single(flat)
        told_once = self.path.endswith(TELLS_A_SECRET)

        async def strict(request: Request) -> Response:
            request.state.own_parameters = known
            if not filtered:
                _check_names(request, known)
            _check_once(request, single)
            _check_numbers(request, numbers)
            checked = StrictRequest(request.scope, request.receive)
            if takes_body and request.method in BODY_METHODS:
                await _check_json_body(checked)
            try:
                if keyed and "idempotency-key" in request.headers:
                    return await answer_once(checked, handler, told_once=told_once)
                return await handler(checked)
            except RequestValidationError as error:
                raise refusal(error) from None

        return strict


def refusal(error: RequestValidationError) -> Invalid:
    """What is wrong where, without a word of what was sent."""
    fields = {".".join(str(part) for part in each["loc"][1:]) or "body": _said(each["msg"]) for each in error.errors()}
    where, what = next(iter(fields.items()), ("body", "invalid"))
    return Invalid(f"{where[:100]}: {what}", fields={name[:100]: text for name, text in list(fields.items())[:20]})


def _said(message: Any) -> str:
    """What a check of ours raised, without what Pydantic puts before it."""
    return str(message).removeprefix("Value error, ")


def _check_names(request: Request, known: set[str]) -> None:
    if unknown := sorted(set(request.query_params) - known):
        raise Invalid(f"unknown query parameter {unknown[0][:100]!r}", fields=dict.fromkeys(unknown[:10], "unknown"))


def _check_once(request: Request, single: frozenset[str]) -> None:
    """Raise Invalid for a parameter that stands twice and has one value: a proxy in front may read the other one."""
    names = [name for name, _ in request.query_params.multi_items()]
    if twice := sorted({name for name in names if name in single and names.count(name) > 1}):
        raise Invalid(f"{twice[0]} stands more than once", fields=dict.fromkeys(twice[:10], "more than once"))


def _check_numbers(request: Request, numbers: dict[str, re.Pattern[str]]) -> None:
    """Raise Invalid for a number that is written as only Python would, as `1_0`, `+1` or ` 1`."""
    for name, form in numbers.items():
        for given in (request.path_params.get(name), *request.query_params.getlist(name)):
            if given is not None and not form.fullmatch(str(given)):
                raise Invalid(f"{name} is not a number", fields={name: "not a number"})


async def _check_json_body(request: StrictRequest) -> None:
    body = await request.body()
    if not body:
        return
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise WrongType("send the body as application/json")
    await request.json()


def _reads_key(dependant: Any) -> bool:
    """Whether the route looks at the key itself."""
    return any(field.alias == "idempotency-key" for field in dependant.header_params) or any(
        _reads_key(each) for each in dependant.dependencies
    )


def _numbers(dependant: Any) -> dict[str, re.Pattern[str]]:
    """How the numbers in the address of a route are written, by name."""
    found = {}
    for field in (*dependant.path_params, *_all_query(dependant)):
        kinds = set(get_args(field.field_info.annotation)) or {field.field_info.annotation}
        if kinds <= {int, float, type(None)}:
            found[field.alias] = DECIMAL if float in kinds else WHOLE
    return found


def _single(dependant: Any) -> frozenset[str]:
    """The parameters of a route's query that have one value."""
    found = set()
    for field in _all_query(dependant):
        kind = field.field_info.annotation
        if list not in {get_origin(each) for each in (kind, *get_args(kind))}:
            found.add(field.alias)
    return frozenset(found)


def _all_query(dependant: Any) -> list[Any]:
    found = list(dependant.query_params)
    for each in dependant.dependencies:
        found += _all_query(each)
    return found
