"""Talks to a Labelwise service over HTTP; needs httpx only."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from glob import glob
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx

from labelwise import bodies, hub, learning, selections
from labelwise.buckets import FromBuckets
from labelwise.errors import LabelwiseError
from labelwise.handles import Job, Lease
from labelwise.labels import Labels
from labelwise.report import Report
from labelwise.rounds import InRounds
from labelwise.simulations import Simulating
from labelwise.snapshots import Snapshot

RETRIES = 6
FIRST_WAIT_SECONDS = 0.5
FOLLOW_SECONDS = 25  # a request for changes is open for so long when there are none
AGAIN = {429, 502, 503, 504}
ROWS_AT_ONCE = 5_000
PREDICTED_AT_ONCE = 200
PAGE_ROWS = 200
LARGE_BYTES = 8_000_000  # files above it are applied by the worker, so that no answer takes minutes
IMPORT_SECONDS = 24 * 3600.0
LINES = "application/x-ndjson"
TYPES = {
    ".jsonl": LINES,
    ".ndjson": LINES,
    ".json": "application/json",
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
}


class Client:
    """A service and who speaks to it. Without arguments LABELWISE_URL and LABELWISE_TOKEN are read."""

    def __init__(self, url: str | None = None, token: str | None = None, *, timeout_seconds: float = 120) -> None:
        url = url or os.environ.get("LABELWISE_URL", "http://127.0.0.1:8000")
        token = token or os.environ.get("LABELWISE_TOKEN")
        if not token:
            raise LabelwiseError(0, "NoToken", "set LABELWISE_TOKEN; `labelwise token create --user NAME` makes one")
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/api/v1", headers=headers, timeout=timeout_seconds)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

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
        return [Project(self, each) for each in self.pages("/projects")]

    def call(
        self, method: str, path: str, *, content: Callable[[], Iterator[bytes]] | None = None, **options: Any
    ) -> Any:
        """One request, repeated with growing pauses while the service is busy or out of reach.

        Unsafe requests carry one Idempotency-Key over all repeats; `content` gives the body anew for each of them.
        Raises LabelwiseError.
        """
        headers = {"Idempotency-Key": str(uuid4())} if method == "POST" and content is None else {}
        headers |= options.pop("headers", {})
        wait = FIRST_WAIT_SECONDS
        for attempt in range(RETRIES):
            last = attempt == RETRIES - 1
            try:
                response = self._http.request(
                    method, path, headers=headers, content=content() if content else None, **options
                )
            except httpx.TransportError as error:
                if last:
                    raise LabelwiseError(
                        0, "Unreachable", f"{self._http.base_url} cannot be reached: is it running? ({error})"
                    ) from None
            else:
                if response.status_code not in AGAIN or last:
                    return _value(response)
                wait = max(wait, bodies.pause(response.headers.get("Retry-After", 0)))
            time.sleep(wait)
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Every row of a list, page by page."""
        params: dict[str, Any] = {"limit": PAGE_ROWS}
        while True:
            page = self.call("GET", path, params=params)
            yield from page["items"]
            if page["next"] is None:
                return
            params["cursor"] = page["next"]

    def stream(self, path: str) -> Iterator[bytes]:
        """A body piece by piece. Raises LabelwiseError, also where the connection ends too early."""
        try:
            with self._http.stream("GET", path) as response:
                if response.is_error:
                    response.read()
                    _value(response)
                yield from response.iter_bytes(bodies.PIECE)
        except httpx.TransportError as error:
            raise LabelwiseError(0, "Interrupted", f"the answer did not come whole: ask again ({error})") from None


class Project(FromBuckets, InRounds, Simulating):
    """One project; `card` is what the service says of it."""

    _client: "Client"

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
        """Push a file, a data frame or an iterable of dicts; the same push again changes nothing.

        `text`, `label` and `key` name the columns to read; `map` names any. `progress` hears of bytes sent. Large
        files are applied by the worker, and this waits for it. Frames and iterables go in requests of some thousand
        rows, each repeated by itself; with `on_error="abort"` in a single one, since then no row may be stored.
        """
        named = [f"{target}:{source}" for target, source in (("text", text), ("label", label), ("key", key)) if source]
        if map:
            named.append(map)
        params: dict[str, Any] = {"on_error": on_error, "on_change": on_change, "create_classes": create_classes}
        if named:
            params["map"] = ",".join(named)
        if isinstance(items, str | Path):
            return self._push_file(Path(items), params, progress)
        rows = bodies.records(items) if hasattr(items, "to_dict") and hasattr(items, "columns") else items
        at_once = sys.maxsize if on_error == "abort" else ROWS_AT_ONCE
        total = Report()
        for first, body in bodies.requests(rows, at_once):
            total = total.plus(self._push_body("items", params, body, progress), lines_before=first)
        return total

    def _push_file(self, path: Path, params: dict[str, Any], progress: Callable[[int], Any] | None) -> "Report":
        kind = TYPES.get(path.suffix.lower())
        if kind is None:
            raise LabelwiseError(
                0, "WrongType", f"{path.name}: push files of type {', '.join(TYPES)}, or an iterable of dicts"
            )
        large = path.stat().st_size > LARGE_BYTES
        if large:
            params = params | {"async": True}
        answer = self._client.call(
            "POST",
            f"{self._path}/items",
            content=lambda: bodies.counted(bodies.pieces(path), progress),
            params=params,
            headers={"Content-Type": kind},
        )
        if not large:
            return Report(**answer)
        job = Job(self._client, answer["job"]["id"]).wait(timeout_seconds=IMPORT_SECONDS)
        return Report(**job["result"])

    def _push_body(
        self, what: str, params: dict[str, Any], body: list[bytes], progress: Callable[[int], Any] | None
    ) -> "Report":
        answer = self._client.call(
            "POST",
            f"{self._path}/{what}",
            content=lambda: bodies.counted(iter(body), progress),
            params=params,
            headers={"Content-Type": LINES},
        )
        return Report(**answer)

    def push_files(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        key: Callable[[Path], str] | None = None,
        labels: bool = False,
    ) -> Report:
        """Upload images, sounds or videos and make an item of each; `paths` may be a pattern like "img/*.jpg".

        `key` makes an item's key of its path (the file's name unless given); with `labels` the folder's name is the
        label. A file of another kind is among the rejected.
        """
        given = sorted(glob(str(paths), recursive=True)) if isinstance(paths, str | Path) else paths
        files = [Path(each) for each in given]
        if not files:
            raise LabelwiseError(0, "NoFiles", f"no file matches {paths}")
        rows, rejected = [], []
        for number, path in enumerate(files, start=1):
            name = key(path) if key else path.name
            stored, refused = self.upload(path.name, path.read_bytes())
            rejected += [{"line": number, "key": name, "error": each["error"]} for each in refused]
            label = {"label": path.parent.name} if labels else {}
            rows += [{"key": name, each["type"].partition("/")[0]: each["id"], **label} for each in stored]
        report = self.push(rows, create_classes=labels) if rows else Report()
        return report.plus(Report(rejected_count=len(rejected), rejected=rejected))

    def push_set(
        self, name: str, *, most: int | None = None, progress: Callable[[int], Any] | None = None, **how: str | None
    ) -> Report:
        """Push a public data set by its name on the hub, or a local folder of one; needs `labelwise[hub]`.

        `split` (train unless given), `config` and `revision` choose it; `text` and `label` name columns where the
        guess would be wrong. `most` rows are taken, all unless given; `progress` hears of rows. Classes are made. The
        same push again changes nothing.
        """
        return hub.push(self, hub.open_set(name, **how), most, progress)

    def upload(self, name: str, content: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Store one file, or a ZIP of some: those that are stored, and those that were refused with the `error`."""
        answer = self._client.call("POST", f"{self._path}/media", files={"files": (name, content)})
        return answer["media"], answer["rejected"]

    def push_answers(
        self, rows: Iterable[Mapping[str, Any]], *, progress: Callable[[int], Any] | None = None
    ) -> Report:
        """Store answers that were given elsewhere: rows of `key`, `label` and `origin` (human, import or program).

        The same rows again change nothing.
        """
        total = Report()
        for first, body in bodies.requests(rows, ROWS_AT_ONCE):
            total = total.plus(self._push_body("annotations", {}, body, progress), lines_before=first)
        return total

    def lease(self, count: int = 5, *, filter: str | None = None) -> list[Lease]:
        """Items to label, those that fit a filter; empty when there are none now (`status` says why)."""
        body = {"count": count} | ({"filter": filter} if filter else {})
        answer = self._client.call("POST", f"{self._path}/leases", json=body)
        return [Lease(self._client, each) for each in answer["leases"]]

    def select(
        self,
        count: int,
        *,
        strategy: str | Mapping[str, Any] | None = None,
        filter: str | None = None,
        hold_hours: float | None = None,
    ) -> list[dict[str, Any]]:
        """The next items for labelling elsewhere: `key`, `score`, `kind`, `inclusion_probability`, best first.

        They come from the served order, or from another strategy, by name or as `{"name": "uherding", "own": 0}`. With
        `hold_hours` nobody else is given them until then, or until their answers are pushed, or `release` is called.
        """
        return selections.select(self._client, self._path, count, strategy, filter, hold_hours)

    def release(self) -> None:
        """Give back everything that this token's owner holds of the project."""
        self._client.call("DELETE", f"{self._path}/leases")

    def queue(self, limit: int = 50) -> list[dict[str, Any]]:
        """The next items of the order with their scores and reasons; nothing is held."""
        return list(islice(self._client.pages(f"{self._path}/queue"), limit))

    def learn_with(
        self,
        fit_predict: learning.FitPredict,
        model: str = "own",
        version: str = "auto",
        *,
        rounds: int | None = None,
        chunk_rows: int = learning.CHUNK_ROWS,
        progress: Callable[[dict[str, Any]], Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Put a model of your own into the loop: serve each due round, for ever or for so many `rounds`.

        `fit_predict(items, labels, pool)` is given the labelled items with their labels, and the pool as an iterator of
        lists; for each list it gives back a table (n, classes) of probabilities in the order of the project's classes,
        or `(names, table)`, or a dict by class for each item. The rounds served, with their metrics and seconds, come
        back; `progress` hears of each. The project's learner must be `external`.
        """
        return learning.learn(
            self._client, self._path, fit_predict,
            model=model, version=version, rounds=rounds, chunk_rows=chunk_rows, progress=progress,
        )  # fmt: skip

    def predict(self, items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What the service's trained learner says of items that are not stored: `key`, `label`, `probabilities`."""
        found: list[dict[str, Any]] = []
        rows = [dict(each) for each in items]
        for start in range(0, len(rows), PREDICTED_AT_ONCE):
            body = {"items": rows[start : start + PREDICTED_AT_ONCE]}
            found += self._client.call("POST", f"{self._path}/predict", json=body)["items"]
        return found

    def learner(self, number: int, *, format: str = "onnx") -> Iterator[bytes]:
        """The ZIP with the learner of a round and its card; `format` is `onnx` or `sklearn`."""
        return self._client.stream(f"{self._path}/rounds/{number}/learner?format={format}")

    def export(
        self, *, format: str = "jsonl", view: str = "annotations", filter: str | None = None, raw: bool = False
    ) -> Iterator[bytes]:
        """An export's bytes as they come, of the items that fit a filter as `status=answered&metadata.source=web`."""
        asked = urlencode({"format": format, "view": view} | ({"raw": "true"} if raw else {}))
        return self._client.stream(f"{self._path}/export?{asked}" + (f"&{filter}" if filter else ""))

    def labels(self, view: str = "items", *, filter: str | None = None) -> "Labels":
        """The answers or items, one dict a row."""
        return Labels(self.export(format="jsonl", view=view, filter=filter))

    def make_snapshot(
        self,
        name: str,
        *,
        filter: str | None = None,
        splits: Mapping[str, float] | None = None,
        group_by: str | None = None,
    ) -> Snapshot:
        """Keep items with their labels and splits as they are now, and wait until that is done.

        `splits` as `{"train": 0.8, "test": 0.2}`; `group_by` is the name of a metadata field whose groups stay whole.
        """
        body = {"name": name, "filter": filter or "", "splits": splits and dict(splits), "group_by": group_by}
        answer = self._client.call("POST", f"{self._path}/snapshots", json=body)
        Job(self._client, answer["job"]["id"]).wait(timeout_seconds=IMPORT_SECONDS)
        return self.snapshot(name)

    def snapshot(self, name: str) -> Snapshot:
        """The snapshot of that name."""
        return Snapshot(self._client, self._path, self._client.call("GET", f"{self._path}/snapshots/{name}"))

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot, newest first."""
        return [Snapshot(self._client, self._path, each) for each in self._client.pages(f"{self._path}/snapshots")]

    def changes(
        self, after: int = 0, *, annotator: str | None = None, class_name: str | None = None, follow: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Every answer, change and retraction behind a `seq`, each once, in commit order.

        Ends when there are no more; with `follow` it waits for the next one instead. Store the `seq` of what was
        worked off, and a reader that was killed goes on behind it.
        """
        asked = {"annotator": annotator, "class": class_name, "wait": FOLLOW_SECONDS if follow else None}
        params = {name: value for name, value in asked.items() if value is not None}
        while True:
            page = self._client.call("GET", f"{self._path}/annotations", params={**params, "after": after})
            yield from page["items"]
            if not (page["items"] or follow):
                return
            after = page["next"]


def _value(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json() if response.content else None
    try:
        body = response.json()
    except ValueError:
        body = {}
    detail = body.get("detail") or f"the service answered {response.status_code}"
    raise LabelwiseError(response.status_code, body.get("error", "Refused"), detail, body)
