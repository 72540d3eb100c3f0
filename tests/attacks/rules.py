"""Rule zero: what holds for every answer, and for the service after every attack."""

import json
import os
import re
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from tests.attacks.site import Site

ANSWER_SECONDS = 2.0
HEALTH_SECONDS = 1.0
GROWTH_BYTES = 64 * 1024 * 1024
LEAKS = re.compile(
    r"Traceback|File \"|site-packages|sqlalchemy|psycopg|sqlite3?\.|\bSELECT\b.+\bFROM\b|\bINSERT INTO\b|"
    r"\bUPDATE\b.+\bSET\b|line \d+, in |uvicorn|starlette|fastapi|pydantic|Python/\d|argon2"
)


def rule_zero(
    site: "Site", answer: httpx.Response, *, may_be_busy: bool = False, patient: bool = False
) -> httpx.Response:
    """The answer, if it keeps the rule: raises AssertionError naming what was broken.

    No 5xx but 503 with Retry-After where `may_be_busy`; within two seconds unless `patient`; a refusal is JSON with a
    stable code and tells nothing of how the service is made; no answer holds the secret.
    """
    what = f"{answer.request.method} {answer.request.url}"[:300]
    if answer.status_code >= 500:
        busy = answer.status_code == 503 and "retry-after" in answer.headers
        assert (may_be_busy, busy) == (True, True), f"{what} answered {answer.status_code}: {answer.text[:500]}"
    took = answer.elapsed.total_seconds()
    crowded = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # others' work on this machine
    assert patient or took < ANSWER_SECONDS * crowded, f"{what} took {took:.1f} s"
    assert site.secret not in answer.text, f"{what} gave the secret away"
    assert "server" not in answer.headers, f"{what} names the program that serves it"
    if answer.status_code >= 400:
        _refusal(site, what, answer)
    return answer


def _refusal(site: "Site", what: str, answer: httpx.Response) -> None:
    if answer.request.method != "HEAD" and "text/html" not in answer.headers.get("content-type", ""):
        body = json.loads(answer.text)
        assert {"error", "detail", "request_id"} <= body.keys(), f"{what}: {answer.text[:500]}"
        assert re.fullmatch(r"[A-Z][A-Za-z]+", body["error"]), f"{what} has no stable code: {body['error']}"
        assert body["request_id"] == answer.headers.get("x-request-id"), what
    leak = LEAKS.search(answer.text)
    assert leak is None, f"{what} tells how it is made ({leak}): {answer.text[:500]}"
    assert str(site.data) not in answer.text, f"{what} names a folder"


def all_is_well(site: "Site") -> None:
    """Raise AssertionError when an attack left something behind that spoils the service for the others."""
    health = site.nobody.get("/healthz")
    assert health.status_code == 200
    crowded = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert health.elapsed.total_seconds() < HEALTH_SECONDS * crowded, f"/healthz took {health.elapsed}"
    listed = site.M.get(f"/projects/{site.P1}/items")
    assert listed.status_code == 200, f"the list of items is spoilt: {listed.text[:500]}"
    assert site.M.get(f"/items/{listed.json()['items'][0]['id']}").status_code == 200
    for view in ("items", "annotations"):
        exported = site.M.get(f"/projects/{site.P1}/export?view={view}")
        assert exported.status_code == 200, f"the export is spoilt: {exported.text[:500]}"
        assert all(json.loads(line) for line in exported.text.splitlines())
    assert site.canary.hits == [], f"the canary was visited: {site.canary.hits}"
    assert not site.marker.exists(), "what was uploaded was run"
    assert site.secret_file.read_text() == site.secret, "a file outside the data folder was changed"
    said = site.unread_log()
    assert "Traceback" not in said, f"the service stumbled:\n{said[-4000:]}"
    assert "ended with code" not in said, f"a process of the service died:\n{said[-4000:]}"
