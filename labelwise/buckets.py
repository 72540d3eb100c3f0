"""Files in a bucket of the service: items are made of them by a job, and the files stay where they are."""

from collections.abc import Callable
from typing import Any

from labelwise.errors import LabelwiseError
from labelwise.report import Report
from labelwise.speaking import Speaking

PREFIX = "bucket:"
WAIT_SECONDS = 10


class FromBuckets:
    """The part of a project that takes files in where they lie."""

    _client: Speaking
    _path: str

    def push_bucket(
        self,
        bucket: str,
        folder: str = "",
        *,
        labels: str | None = None,
        copy: bool = False,
        on_change: str = "reject",
        progress: Callable[[int], Any] | None = None,
    ) -> Report:
        """Make an item of every file below a folder of a bucket that the project may read; the same again only looks.

        The files are read in place unless `copy`. With `labels="folders"` the folder of a file is its label.
        """
        body = {"bucket": bucket, "prefix": folder, "labels": labels, "copy": copy, "on_change": on_change}
        return push(self._client, self._path, body, progress)


def push(client: Speaking, path: str, body: dict[str, Any], progress: Callable[[int], Any] | None) -> Report:
    """Ask for the items and wait for the job; `progress` hears of files. Raises LabelwiseError where it fails."""
    job: dict[str, Any] = client.call("POST", f"{path}/media/bucket", json=body)["job"]
    told = 0
    while job["state"] in ("waiting", "running"):
        job = client.call("GET", f"/jobs/{job['id']}", params={"wait": WAIT_SECONDS})
        done = (job["progress"] or {}).get("done", 0)
        if progress is not None and done > told:
            progress(done - told)
            told = done
    if job["state"] != "done":
        raise LabelwiseError(0, "JobFailed", f"job {job['id']} {job['state']}: {job['reason']}", job)
    return Report(**job["result"])
