"""Secrets: made here, stored as hashes, compared in constant time."""

import hashlib
import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path
from zlib import crc32

from app.core.settings import Settings

SHORTEST_KEY = 32
FEWEST_DIFFERENT = 8
BEGINNING = "lw_"
WITHOUT_CHECKSUM = len(BEGINNING) + 43  # letters of a token before its checksum


def new_secret(prefix: str = "") -> str:
    """A fresh random secret of 256 bits, shown once."""
    return prefix + secrets.token_urlsafe(32)


def new_token() -> str:
    """A fresh token: `lw_`, a random secret, and a checksum by which a slip and a leak are seen without a database."""
    token = new_secret(BEGINNING)
    return token + _checksum(token)


def fault_of(token: str) -> str | None:
    """Why this can be no token of ours, in a sentence; None where only the database can tell."""
    if not token.startswith(BEGINNING):
        return f"this is no token of Labelwise: they begin with {BEGINNING}"
    if len(token) == WITHOUT_CHECKSUM:  # of an earlier release
        return None
    body, checksum = token[:WITHOUT_CHECKSUM], token[WITHOUT_CHECKSUM:]
    return None if checksum == _checksum(body) else "this token is mistyped or cut off: copy it again"


def _checksum(text: str) -> str:
    """Six letters over a text: its CRC-32 in URL-safe base 64."""
    return urlsafe_b64encode(crc32(text.encode("utf-8", "replace")).to_bytes(4, "big")).decode()[:6]


def hashed(secret: str) -> str:
    """The form in which a random secret is stored; it is long enough to need no salt."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def key_of(settings: Settings) -> str:
    """The service's key by its settings; raises as `secret_key` does."""
    return secret_key(
        settings.secret_key.get_secret_value() if settings.secret_key is not None else None, settings.data
    )


def secret_key(given: str | None, data: Path) -> str:
    """The service's key: as set, else made once in the data folder.

    Raises:
        ValueError: the key is shorter than 32 characters, or made of few of them or of a repeated piece.
    """
    key = given if given is not None else _own_key(data / "secret.key")
    if len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_DIFFERENT or _is_repeated(key):
        raise ValueError(
            "LABELWISE_SECRET_KEY needs at least 32 random characters, as `openssl rand -base64 32` gives them"
        )
    return key


def _is_repeated(key: str) -> bool:
    """Whether the key says a shorter piece again and again."""
    return key in (key + key)[1:-1]


def _own_key(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as handle:
            handle.write(new_secret())
    except FileExistsError:
        pass
    return file.read_text().strip()
