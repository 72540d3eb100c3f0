"""Talks to a Labelwise service over HTTP; needs httpx only."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

RETRIES = 6
FIRST_WAIT_SECONDS = 0.5
AGAIN = {429, 502, 503, 504}
PIECE = 1 << 18
TYPES = {
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".json": "application/json",
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
}


class LabelwiseError(Exception):
    """A refusal of the service, with what to do about it."""

    def __init__(self, status: int, error: str, detail: str, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{error} ({status}): {detail}" if status else detail)
        self.status = status
        self.error = error
        self.body = dict(body or {})


@dataclass(frozen=True)
class Report:
    """What became of pushed rows."""

    created: int
    updated: int
    unchanged: int
    rejected_count: int
    rejected: list[dict[str, Any]] = field(default_factory=list)


class Client:
    """A service and who speaks to it. Without arguments LABELWISE_URL and LABELWISE_TOKEN are read."""

    def __init__(self, url: str | None = None, token: str | None = None, *, timeout_seconds: float = 120) -> None:
        url = url or os.environ.get("LABELWISE_URL", "http://127.0.0.1:8000")
        token = token or os.environ.get("LABELWISE_TOKEN")
        if not token:
            raise LabelwiseError(0, "NoToken", "set LABELWISE_TOKEN; `labelwise token create --user NAME` makes one")
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/api/v1", headers=headers, timeout=timeout_seconds)

    def project(self, ref: str | int, create: Mapping[str, Any] | None = None) -> "Project":
        """The project by slug or id; with `create` it is made where there is none."""
        try:
            return Project(self, self.call("GET", f"/projects/{ref}"))
        except LabelwiseError as error:
            if error.status != 404 or create is None:
                raise
        body = {"name": str(ref), "slug": str(ref), **create}
        return Project(self, self.call("POST", "/projects", json=body))

    def projects(self) -> list["Project"]:
        """Every project that the token sees."""
        return [Project(self, each) for each in self.call("GET", "/projects")["items"]]

    def call(self, method: str, path: str, **options: Any) -> Any:
        """One request, repeated with growing pauses while the service is busy or out of reach.

        Unsafe requests carry one Idempotency-Key over all repeats. Raises LabelwiseError.
        """
        headers = {"Idempotency-Key": str(uuid4())} if method == "POST" else {}
        headers |= options.pop("headers", {})
        wait = FIRST_WAIT_SECONDS
        for attempt in range(RETRIES):
            last = attempt == RETRIES - 1
            try:
                response = self._http.request(method, path, headers=headers, **options)
            except httpx.TransportError as error:
                if last or "content" in options:
                    raise LabelwiseError(
                        0, "Unreachable", f"{self._http.base_url} cannot be reached: is it running? ({error})"
                    ) from None
            else:
                if response.status_code not in AGAIN or last or "content" in options:
                    return _value(response)
                wait = max(wait, float(response.headers.get("Retry-After", 0)))
            time.sleep(wait)
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

    def stream(self, path: str, **params: Any) -> Iterator[bytes]:
        """A body piece by piece."""
        with self._http.stream("GET", path, params=params) as response:
            if response.is_error:
                response.read()
                _value(response)
            yield from response.iter_bytes(PIECE)


class Project:
    """One project; `card` is what the service says of it."""

    def __init__(self, client: Client, card: dict[str, Any]) -> None:
        self._client = client
        self.card = card
        self.id: int = card["id"]
        self._path = f"/projects/{self.id}"

    def push(
        self,
        items: Any,
        *,
        text: str | None = None,
        label: str | None = None,
        key: str | None = None,
        map: str | None = None,
        create_classes: bool = False,
        on_error: str = "reject_row",
        on_change: str = "reject",
        progress: Callable[[int], Any] | None = None,
    ) -> Report:
        """Push a file, a data frame or an iterable of dicts, streamed; the same push again changes nothing.

        `text`, `label` and `key` name the columns to read; `map` names any. `progress` hears of bytes sent.
        """
        named = [f"{target}:{source}" for target, source in (("text", text), ("label", label), ("key", key)) if source]
        if map:
            named.append(map)
        params: dict[str, Any] = {"on_error": on_error, "on_change": on_change, "create_classes": create_classes}
        if named:
            params["map"] = ",".join(named)
        kind, pieces = _body(items)
        content = _counted(pieces, progress)
        headers = {"Content-Type": kind}
        answer = self._client.call("POST", f"{self._path}/items", params=params, content=content, headers=headers)
        return Report(**answer)

    def push_files(self, paths: Iterable[str | Path], *, labels: bool = False) -> list[dict[str, Any]]:
        """Upload images and make an item of each; with `labels` the folder's name is the label."""
        stored = []
        for path in map(Path, paths):
            with path.open("rb") as file:
                answer = self._client.call("POST", f"{self._path}/media", files={"files": (path.name, file)})
            stored += [{**each, "folder": path.parent.name} for each in answer["media"]]
            if answer["rejected"]:
                raise LabelwiseError(422, "Rejected", f"{path}: {answer['rejected'][0]['error']}", answer)
        rows = [
            {"key": each["name"], "image": each["id"], **({"label": each["folder"]} if labels else {})}
            for each in stored
        ]
        self.push(rows, create_classes=labels)
        return stored

    def lease(self, count: int = 5) -> list["Lease"]:
        """Items to label; empty when there are none now (`status` says why)."""
        answer = self._client.call("POST", f"{self._path}/leases", json={"count": count})
        return [Lease(self._client, each) for each in answer["leases"]]

    def status(self) -> dict[str, Any]:
        """What the loop is doing."""
        found: dict[str, Any] = self._client.call("GET", f"{self._path}/status")
        return found

    def rounds(self) -> list[dict[str, Any]]:
        """Rounds, newest first."""
        found: list[dict[str, Any]] = self._client.call("GET", f"{self._path}/rounds")["items"]
        return found

    def start_round(self) -> "Job":
        """Start a round now."""
        return Job(self._client, self._client.call("POST", f"{self._path}/rounds")["job"]["id"])

    def export(self, *, format: str = "jsonl", view: str = "annotations") -> Iterator[bytes]:
        """An export's bytes as they come."""
        return self._client.stream(f"{self._path}/export", format=format, view=view)

    def labels(self, view: str = "items") -> "Labels":
        """The answers or items, one dict a row."""
        return Labels(self.export(format="jsonl", view=view))


class Labels:
    """Rows of an export, read as they come."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rest = b""
        for piece in self._pieces:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield json.loads(line)

    def to_pandas(self) -> Any:
        """A data frame; needs pandas."""
        try:
            import pandas  # type: ignore[import-not-found, unused-ignore]  # optional
        except ModuleNotFoundError:
            raise LabelwiseError(0, "NoPandas", "pip install pandas") from None
        return pandas.DataFrame(list(self))


class Lease:
    """One item in hand."""

    def __init__(self, client: Client, given: dict[str, Any]) -> None:
        self._client = client
        self.id: int = given["id"]
        self.item: dict[str, Any] = given["item"]
        self.suggestion: dict[str, Any] | None = given["suggestion"]
        self.reason: dict[str, Any] | None = given["reason"]

    def submit(self, label: str | Mapping[str, Any], *, seconds_spent: float = 0.0) -> dict[str, Any]:
        """Answer with a class's name or a label object; the stored annotation."""
        body = {"lease": self.id, "label": {"class": label} if isinstance(label, str) else dict(label)}
        stored: dict[str, Any] = self._client.call(
            "POST", "/annotations", json={**body, "seconds_spent": seconds_spent}
        )
        return stored

    def skip(self, reason: str | None = None) -> None:
        """Leave the item to somebody else."""
        self._client.call("POST", f"/leases/{self.id}/skip", json={"reason": reason})


class Job:
    """Background work."""

    def __init__(self, client: Client, job_id: int) -> None:
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


def _value(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json() if response.content else None
    try:
        body = response.json()
    except ValueError:
        body = {}
    detail = body.get("detail") or f"the service answered {response.status_code}"
    raise LabelwiseError(response.status_code, body.get("error", "Refused"), detail, body)


def _body(items: Any) -> tuple[str, Iterator[bytes]]:
    if isinstance(items, str | Path):
        path = Path(items)
        if path.suffix.lower() not in TYPES:
            raise LabelwiseError(0, "WrongType", f"{path.name}: push {', '.join(TYPES)} files, or an iterable of dicts")
        return TYPES[path.suffix.lower()], _pieces(path)
    if hasattr(items, "to_dict") and hasattr(items, "columns"):
        items = items.to_dict("records")
    return "application/x-ndjson", _lines(items)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    pending: list[bytes] = []
    for row in rows:
        pending.append(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n")
        if len(pending) >= 1000:
            yield b"".join(pending)
            pending = []
    if pending:
        yield b"".join(pending)


def _counted(pieces: Iterator[bytes], progress: Callable[[int], Any] | None) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        if progress is not None:
            progress(len(piece))
