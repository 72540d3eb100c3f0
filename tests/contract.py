"""What the OpenAPI description promises, held against every answer that a test gets."""

import re
import tempfile
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from app.api.openapi import operations
from app.core.settings import Settings
from app.main import create_app

NOT_OF_A_ROUTE = (404, 405)  # an address or a method that there is none of


@cache
def description() -> dict[str, Any]:
    """The description as the service gives it."""
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = create_app(Settings(data=Path(folder), _env_file=None)).openapi()
    return found


@cache
def _routes() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    found = []
    for method, path, operation in operations(description()):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
        found.append((method, re.compile(pattern), operation))
    return sorted(found, key=lambda route: route[1].pattern.count("[^/]+"))


def check(method: str, path: str, answer: Any) -> None:
    """Raise AssertionError for a status, a content type or a shape of refusal that is not in the description."""
    fitting = (
        operation for known, pattern, operation in _routes() if known == method.lower() and pattern.fullmatch(path)
    )
    operation = next(fitting, None)
    if operation is None:
        assert answer.status_code in NOT_OF_A_ROUTE, f"{method} {path} is not described"
        return
    status = str(answer.status_code)
    assert status in operation["responses"], f"{method} {path} answered {status}, which is not described: {answer.text}"
    content = operation["responses"][status].get("content", {})
    kind = answer.headers.get("content-type", "").split(";")[0]
    if content and answer.content:
        assert any(fnmatchcase(kind, each) for each in content), f"{method} {path}: {kind}"
    if content.get("application/json", {}).get("schema") == {"$ref": "#/components/schemas/Error"}:
        assert {"error", "detail", "request_id"} <= answer.json().keys()
