"""Cursors of lists: opaque, signed, and good only for the list and the person that they were made for."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from hashlib import sha256
from hmac import new as hmac
from typing import Annotated

from fastapi import Query, Request

from app.core.errors import Invalid
from app.core.secrets import same
from app.services.access import Person

SIGNATURE_BYTES = 16
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=2_000)]


def seal(request: Request, person: Person, place: str) -> str:
    """A cursor for a place in the list that this request asks for."""
    signature = _signature(request, person, place.encode())
    return urlsafe_b64encode(signature + place.encode()).decode().rstrip("=")


def unseal(request: Request, person: Person, cursor: str) -> str:
    """The place that a cursor names. Raises Invalid for a forged one or one of another list or person."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = raw[SIGNATURE_BYTES:].decode()
    except (NotBase64, ValueError):
        raise Invalid("this is no cursor of ours", fields={"cursor": "unknown"}) from None
    if not same(_signature(request, person, place.encode()).hex(), raw[:SIGNATURE_BYTES].hex()):
        raise Invalid("this cursor belongs to another list", fields={"cursor": "of another list"})
    return place


def _signature(request: Request, person: Person, place: bytes) -> bytes:
    """Bound to the address without its paging, to the person and to the place."""
    kept = sorted(pair for pair in request.query_params.multi_items() if pair[0] not in ("cursor", "limit"))
    bound = f"{request.url.path}\n{kept}\n{person.id}\n".encode()
    return hmac(request.app.state.secret_key.encode(), bound + place, sha256).digest()[:SIGNATURE_BYTES]
