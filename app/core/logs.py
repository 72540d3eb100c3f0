"""The log: one line of JSON for each thing that happened, whatever it holds, and no secret in it.

A line has `at`, `level`, `logger`, `message`, where known the `request` or job that it was done for, and for an error
its `error` with the way to it.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from app.core.requests import ON_BEHALF_OF

LONGEST = 8_000  # characters of a message, and of the way to an error
SHORTEST_SECRET = 6  # shorter ones would mask words
HIDDEN = "***"
SECRETS = (
    re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"),
    re.compile(r"\b(?:lw|whsec|scsec)_[\w-]{16,}"),
    re.compile(r"(?<=/setup/|/enter/)[\w-]{16,}|(?<=/invitations/)[\w-]{16,}|(?<=/password/)[\w-]{16,}"),
    re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)"),
    re.compile(
        r"(?i)((?:password|passwd|secret|token|api_?key|cookie|authorization)[\w-]*[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&}]+"
    ),
)
REPLACED = (rf"\1 {HIDDEN}", HIDDEN, HIDDEN, rf"\1:{HIDDEN}", rf"\1{HIDDEN}")


class Lines(logging.Formatter):
    """Writes a record as one line of ASCII, so that nothing in it can look like another line or move a terminal."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__()
        self._secrets = sorted(secrets, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._masked(record.getMessage())[:LONGEST],
        }
        if (request := ON_BEHALF_OF.get()) is not None:
            said["request"] = request
        if record.exc_info and record.exc_info[0] is not None:
            said["error"] = self._masked("".join(traceback.format_exception(*record.exc_info)))[-LONGEST:]
        return json.dumps(said)

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        for pattern, replaced in zip(SECRETS, REPLACED, strict=True):
            text = pattern.sub(replaced, text)
        return text


def install(settings: BaseSettings, stream: TextIO | None = None) -> None:
    """Let this process write its log as lines to standard error: warnings of everybody, and what Labelwise says."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(secrets_of(settings)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("labelwise").setLevel(logging.INFO)
    logging.captureWarnings(True)


def secrets_of(settings: BaseSettings) -> set[str]:
    """What may never be written: secret settings as a whole, and the password in the database's address."""
    found = set()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            found |= {value.get_secret_value(), *_passwords(value.get_secret_value())}
    return {each for each in found if len(each) >= SHORTEST_SECRET}


def _passwords(address: str) -> set[str]:
    """The password of an address, as it stands there and as it is meant."""
    try:
        password = urlsplit(address).password or ""
    except ValueError:
        return set()
    return {password, unquote(password)}
