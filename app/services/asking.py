"""Speaking to a scorer: what it is, teaching it, and what it thinks of some items; every fault in words.

Nothing that a scorer sends is believed before it was looked at, and nothing of it is quoted but keys of ours and names
of classes. Requests are signed as webhooks are, see `labelwise.signatures`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from app.core import addresses
from app.core.addresses import Allowed
from app.core.errors import AppError, Invalid
from app.core.fetch import Answer, Exchange, FetchFailed, exchange
from app.core.settings import Settings
from app.core.text import parse_json, write_json
from app.formats.probabilities import Chunk, Classes, of_rows
from app.learners import Scorer
from app.services.courier import signature

ABOUT_SECONDS, ABOUT_BYTES = 10.0, 100_000
ANSWER_BYTES = 32_000_000
NO_SUCH_ROUTE = (404, 405, 501)
ACCEPTED, NOT_TAUGHT = 202, 409
VERSION_LIMIT = 80
SHOWN = 80


class ScorerFault(Exception):
    """What was wrong with a scorer's answer, as a clause that goes on after "the scorer at ...:"."""


class NotTaught(ScorerFault):
    """The scorer has no model yet."""


@dataclass(frozen=True)
class About:
    """What a scorer says of itself: whether it learns here, whether it is learning just now, and its version."""

    trains: bool = False
    training: bool = False
    version: str = ""


@dataclass(frozen=True)
class Said:
    """What a scorer says of some items: the rows, and the keys of which it says nothing on purpose."""

    chunk: Chunk
    silent: list[str]


@dataclass(frozen=True)
class Talk:
    """An open line to a scorer; see `talking`."""

    line: Exchange
    scorer: Scorer
    secret: str

    def about(self) -> About:
        """What the scorer says of itself; one that has no such page neither learns nor has a version."""
        answer = self._send("GET", "", b"", ABOUT_SECONDS, ABOUT_BYTES)
        if answer.status in NO_SUCH_ROUTE:
            return About()
        given = _object(_good(answer))
        version = given.get("version", "")
        if not isinstance(version, str) or len(version) > VERSION_LIMIT or not version.isprintable():
            raise ScorerFault(f"its version is no text of up to {VERSION_LIMIT} printable characters")
        switches = [given.get(name, False) for name in ("trains", "training")]
        if not all(isinstance(each, bool) for each in switches):
            raise ScorerFault("trains and training are true or false")
        return About(switches[0], switches[1], version)

    def fit(self, body: bytes) -> bool:
        """Hand over what there is to learn from; False while the scorer still learns when it answers."""
        answer = self._send("POST", "/fit", body, self.scorer.timeout_seconds, ABOUT_BYTES)
        if not 200 <= answer.status < 300:
            _good(answer)
        return answer.status != ACCEPTED

    def score(self, head: Mapping[str, Any], items: Sequence[bytes], keys: Sequence[str], classes: Classes) -> Said:
        """What the scorer thinks of items, given as JSON texts; all of them, or a fault.

        Raises:
            NotTaught: it answers 409.
            ScorerFault: anything else but a whole and plausible answer.
        """
        body = write_json(head).encode()[:-1] + b',"items":[' + b",".join(items) + b"]}"
        answer = self._send("POST", "", body, self.scorer.timeout_seconds, ANSWER_BYTES)
        if answer.status == NOT_TAUGHT:
            raise NotTaught("it says that it was not taught yet (status 409)")
        return read_answer(_object(_good(answer)), keys, classes)

    def _send(self, method: str, below: str, body: bytes, seconds: float, most_bytes: int) -> Answer:
        moment = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "Labelwise-Signature": f"t={moment},v1={signature(self.secret, moment, body)}",
        }
        target = target_of(self.scorer.url, below)
        try:
            return self.line.send(method, target, body, headers, seconds=seconds, most_bytes=most_bytes)
        except FetchFailed as error:
            raise ScorerFault(f"{method} {below or '/'}: {error}") from None


@contextmanager
def talking(settings: Settings, scorer: Scorer, secret: str) -> Iterator[Talk]:
    """A line to a scorer, through the one door to other people's servers.

    Raises:
        ScorerFault: its address may not be called, or its name is not known.
    """
    allowed = Allowed.parse(settings.allow_fetch_from)
    try:
        check_address(scorer.url, allowed)
        opened = exchange(scorer.url, allowed=allowed)
        with opened as line:
            yield Talk(line, scorer, secret)
    except AppError as error:
        raise ScorerFault(str(error)) from None


def check_address(url: str, allowed: Allowed) -> None:
    """Raise Invalid for an address that may not be called: not public, no https, and not named by the operator."""
    place = addresses.parse(url, allowed)
    if place.scheme != "https" and not allowed.names(place):
        raise Invalid(
            "learner.url begins with https:// (http only to hosts that --allow-fetch-from names)",
            fields={"learner.url": "https"},
        )


def host(url: str) -> str:
    """Who a scorer is, for people: its host and, where it is a special one, its port; nothing that may be secret."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port is not None else ""
    return f"{(parts.hostname or '')[:80]}{port}"


def target_of(url: str, below: str) -> str:
    """Path and query of a request, for `/fit` below the scorer's own path."""
    parts = urlsplit(url)
    path = (parts.path.rstrip("/") + below if below else parts.path) or "/"
    return urlunsplit(("", "", path, parts.query, ""))


def read_answer(given: dict[str, Any], keys: Sequence[str], classes: Classes) -> Said:
    """The rows of an answer: one for each key that was asked about, in any order; the first fault is named."""
    rows = given.get("items")
    if not isinstance(rows, list):
        raise ScorerFault('its answer has no list "items"')
    named: dict[str, Any] = {}
    for row in rows:
        key = row.get("key") if isinstance(row, dict) else None
        if not isinstance(key, str):
            raise ScorerFault('a row of its answer has no "key"')
        if key in named:
            raise ScorerFault(f"its answer has two rows for {key[:SHOWN]!r}")
        named[key] = row
    if len(named) != len(keys) or any(key not in named for key in keys):
        missing = next((key for key in keys if key not in named), None)
        said = f"{missing[:SHOWN]!r} is missing" if missing is not None else "some were not asked about"
        raise ScorerFault(f"it answered {len(named):,} rows for {len(keys):,} items: {said}")
    silent = [key for key in keys if _is_silent(named[key])]
    spoken = [key for key in keys if not _is_silent(named[key])]
    chunk = of_rows([(place, named[key], None) for place, key in enumerate(spoken)], classes)
    if chunk.refused:
        place, _, reason = min(chunk.refused, key=lambda row: row[0])
        others = f" (and {len(chunk.refused) - 1:,} more)" if len(chunk.refused) > 1 else ""
        raise ScorerFault(f"{spoken[place][:SHOWN]!r}: {reason}{others}")
    return Said(chunk, silent)


def _is_silent(row: Mapping[str, Any]) -> bool:
    """Whether a scorer says on purpose that it knows nothing of an item."""
    return "probabilities" in row and row["probabilities"] is None and "label" not in row


def _good(answer: Answer) -> bytes:
    if 300 <= answer.status < 400:
        raise ScorerFault(f"it redirects (status {answer.status}), which is not followed: give its last address")
    if answer.status != 200:
        raise ScorerFault(f"it answered with status {answer.status}")
    return answer.body


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = parse_json(body)
    except ValueError:
        what = " (NaN and Infinity are no JSON)" if b"NaN" in body or b"Infinity" in body else ""
        raise ScorerFault(f"its answer is not JSON{what}") from None
    if not isinstance(given, dict):
        raise ScorerFault("its answer is not an object")
    return given
