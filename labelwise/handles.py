"""What the service has given into the hands of a script: items to label, and background work to wait for."""

import time
from collections.abc import Mapping
from typing import Any

from labelwise.errors import LabelwiseError
from labelwise.speaking import Speaking


class Lease:
    """One item in hand."""

    def __init__(self, client: Speaking, given: dict[str, Any]) -> None:
        self._client = client
        self.id: int = given["id"]
        self.item: dict[str, Any] = given["item"]
        self.suggestion: dict[str, Any] | None = given["suggestion"]
        self.reason: dict[str, Any] | None = given["reason"]

    def submit(self, label: str | float | Mapping[str, Any], *, seconds_spent: float = 0.0) -> dict[str, Any]:
        """Answer with a class's name, a rating's number or a label object; the stored annotation."""
        body = {"lease": self.id, "label": _label(label)}
        stored: dict[str, Any] = self._client.call(
            "POST", "/annotations", json={**body, "seconds_spent": seconds_spent}
        )
        return stored

    def skip(self, reason: str | None = None) -> None:
        """Leave the item to somebody else."""
        self._client.call("POST", f"/leases/{self.id}/skip", json={"reason": reason})


def _label(given: str | float | Mapping[str, Any]) -> dict[str, Any]:
    """A label in the service's form; a class and a number may be given by themselves."""
    if isinstance(given, str):
        return {"class": given}
    return {"value": given} if isinstance(given, int | float) else dict(given)


class Job:
    """Background work."""

    def __init__(self, client: Speaking, job_id: int) -> None:
        self._client = client
        self.id = job_id

    def wait(self, timeout_seconds: float = 600) -> dict[str, Any]:
        """The finished job; raises LabelwiseError when it failed or the time is over."""
        end = time.monotonic() + timeout_seconds
        while time.monotonic() < end:
            job: dict[str, Any] = self._client.call("GET", f"/jobs/{self.id}", params={"wait": 10})
            if job["state"] == "done":
                return job
            if job["state"] in ("failed", "cancelled"):
                raise LabelwiseError(0, "JobFailed", f"job {self.id} {job['state']}: {job['reason']}", job)
        raise LabelwiseError(0, "JobTimeout", f"job {self.id} was not done after {timeout_seconds:g} seconds")
