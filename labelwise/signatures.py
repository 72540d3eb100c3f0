"""Checking that an event, or a request to a scorer, came from Labelwise; needs nothing but the standard library."""

import hashlib
import hmac
import time

OLDEST_SECONDS = 300


def is_genuine(header: str, body: bytes, secret: str, *, oldest_seconds: float = OLDEST_SECONDS) -> bool:
    """Whether the header `Labelwise-Signature` belongs to these bytes, this secret and these minutes.

    False for a body that was changed, for another secret, and for an event that somebody kept and sends again later
    than `oldest_seconds`. `body` is what came over the wire, before it is parsed.
    """
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    moment, given = parts.get("t", ""), parts.get("v1", "")
    if not (moment.isascii() and moment.isdigit()) or abs(time.time() - int(moment)) > oldest_seconds:
        return False
    right = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), given.encode())


def sign(body: bytes, secret: str) -> str:
    """The header `Labelwise-Signature` for a body, good for five minutes: to try a receiver or a scorer out."""
    moment = int(time.time())
    mark = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={mark}"
