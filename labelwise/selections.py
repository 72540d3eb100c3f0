"""Items chosen by the service for labelling elsewhere."""

from collections.abc import Mapping
from typing import Any

from labelwise.handles import Job
from labelwise.speaking import Speaking

LONGEST_SECONDS = 3_600.0  # of a strategy's work on a large pool


def select(
    client: Speaking,
    path: str,
    count: int,
    strategy: str | Mapping[str, Any] | None,
    filter: str | None,
    hold_hours: float | None,
) -> list[dict[str, Any]]:
    """The selected items, best first; waits for the job of another strategy."""
    named = {"name": strategy} if isinstance(strategy, str) else strategy
    given = {"strategy": named, "filter": filter, "hold_hours": hold_hours}
    body = {"count": count, **{name: value for name, value in given.items() if value is not None}}
    answer = client.call("POST", f"{path}/select", json=body)
    if "job" in answer:
        answer = Job(client, answer["job"]["id"]).wait(timeout_seconds=LONGEST_SECONDS)["result"]
    found: list[dict[str, Any]] = answer["items"]
    return found
