"""The disk ends at the n-th page, n = 1, 2, 3 ..., until a whole scenario passes: old state or new, never half.

A limit of the size of files stands for the disk's end: every write beyond it fails, in the log of the database, in
uploads and exports, in the files of features and models. As root a disk of its own is filled as well, and emptied again
without a restart.
"""

import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi.testclient import TestClient
from pydantic import SecretStr

from app.core.settings import Settings
from app.db import Database
from app.main import create_app
from app.worker import WorkerProcess
from benchmarks.faults import guards
from benchmarks.faults.journal import Journal, violations
from benchmarks.faults.outcome import Harness, Outcome, Run
from benchmarks.faults.site import CLASSES, Site, site, texts, to_log
from tests import forks

PAGE = 4_096


def run(run: Run) -> Outcome:
    """Page by page; `times` is the most of them. Each is a process of its own on a copy of nothing: the data go on."""
    found: list[str] = []
    refused, passed, pages = 0, 0, 0
    with site(run.database, 1) as at:
        journal = Journal(at.data.parent / "journal.jsonl")
        _labelled(at, 0, journal, "")  # the project is there
        while pages < run.times and passed < 2:
            pages += 1
            said = _labelled(at, pages * PAGE, journal, run.without)
            strange = [status for status in said["statuses"] if status >= 500 and status not in (503, 507)]
            refused += any(status in (503, 507) for status in said["statuses"])
            passed = passed + 1 if not said["failed"] and not said["refused"] else 0
            found += [f"page {pages}: answers with {strange}"] if strange else []
            found += [f"page {pages}: reading answered {said['reading']}"] if said["reading"] != 200 else []
            found += [f"page {pages}: {each}" for each in violations(at, journal)]
            if found:
                break
        found += [] if refused or found else ["no write was refused: the limit is no limit"]
        full = (
            _full_disk(at, run.without) if os.geteuid() == 0 and at.db.is_sqlite else {"disk of its own": "not as root"}
        )
        found += full.pop("found", [])
    figures = {
        "pages tried": pages,
        "passed at the end": passed > 0,
        "refused": refused,
        "acknowledged": len(journal.acked),
    }
    return Outcome(pages, figures | full, found)


def _labelled(at: Site, limit: int, journal: Journal, without: str) -> dict[str, Any]:
    """The scenario under a limit, in a process of its own; what was acknowledged goes into the journal."""
    with at.db.writing.connect() as connection:  # the log begins anew, so that the limit counts its pages
        connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    process, heard = forks.started(_scenario, str(at.data), at.url, at.boss.token, limit, without)
    try:
        said: dict[str, Any] = heard.recv()
    except EOFError:
        said = {"statuses": [], "sent": [], "acked": [], "failed": True, "refused": True, "reading": "nothing: it died"}
    process.join(60)
    for key, lease, item, label in said["sent"]:
        journal.note_sent(key, lease, item, label, "boss")
    for key, stored in said["acked"]:
        journal.note_acked(key, stored)
    return said


def _scenario(data: str, url: str, token: str, limit: int, without: str, told: Connection) -> None:
    """Import, label, export, upload, train; then read while nothing can be written."""
    to_log(data)
    guards.remove(without)
    settings = Settings(data=Path(data), database_url=SecretStr(url), _env_file=None)
    said: dict[str, Any] = {"statuses": [], "sent": [], "acked": [], "failed": False}
    db = Database(url)
    with TestClient(create_app(settings, db), raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        call = _Caller(client, said)
        project = _project(call)
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        _use(call, project, said)
        try:
            WorkerProcess(settings, db).run_waiting()
        except Exception:
            said["failed"] = True
        said["reading"] = client.get(f"/api/v1/projects/{project}/items").status_code
    said["refused"] = any(status in (503, 507) for status in said["statuses"])
    told.send(said)


class _Caller:
    """Speaks as the boss, and remembers each status."""

    def __init__(self, client: TestClient, said: dict[str, Any]) -> None:
        self._client, self._said = client, said

    def __call__(self, method: str, path: str, **more: Any) -> Any:
        answer = self._client.request(method, f"/api/v1{path}", **more)
        self._said["statuses"].append(answer.status_code)
        return answer


def _project(call: _Caller) -> int:
    for project in call("GET", "/projects").json()["items"]:
        return int(project["id"])
    task = {"type": "classification", "classes": list(CLASSES)}
    body = {"name": "Full", "modality": "text", "task": task, "round_size": 3}
    return int(call("POST", "/projects", json=body).json()["id"])


def _use(call: _Caller, project: int, said: dict[str, Any]) -> None:
    number = int.from_bytes(os.urandom(4), "big")
    rows = [{**row, "key": f"{row['key']}-{number}"} for row in texts(0, 60)]
    call("POST", f"/projects/{project}/items", json=rows)
    lines = "".join(json.dumps({**row, "key": f"more-{row['key']}"}) + "\n" for row in rows)
    headers = {"Content-Type": "application/x-ndjson"}
    call("POST", f"/projects/{project}/items", params={"async": "true"}, content=lines, headers=headers)
    served = call("POST", f"/projects/{project}/leases", json={"count": 4})
    for lease in served.json().get("leases", []):
        key = str(uuid4())
        said["sent"].append((key, lease["id"], lease["item"]["id"], "cat"))
        body = {"lease": lease["id"], "label": {"class": "cat"}}
        stored = call("POST", "/annotations", json=body, headers={"Idempotency-Key": key})
        if stored.status_code == 201:
            said["acked"].append((key, stored.json()))
    call("GET", f"/projects/{project}/export", params={"format": "jsonl", "view": "items"})


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _full_disk(at: Site, without: str) -> dict[str, Any]:
    """A disk of 64 MB: filled, answers are refused and reading goes on; emptied, the same process works again."""
    found: list[str] = []
    try:
        with _small_disk(at.data.parent / "small") as folder:
            data = folder / "data"
            data.mkdir(mode=0o700)
            for file in at.data.iterdir():
                if file.name.startswith("labelwise.db"):
                    (data / file.name).write_bytes(file.read_bytes())
            process, heard = forks.started(_filled, str(data), at.boss.token, without)
            said = heard.recv()
            process.join(60)
    except subprocess.CalledProcessError:
        return {"disk of its own": "could not be mounted"}
    if not {503, 507} & set(said["full"]):
        found.append(f"a full disk was not told: {said['full']}")
    if any(status >= 500 for status in said["after"]) or said["reading"] != 200:
        found.append(f"reading {said['reading']}, with room again {said['after']}")
    return {"disk of its own": f"full {sorted(set(said['full']))}, then {sorted(set(said['after']))}", "found": found}


def _filled(data: str, token: str, without: str, told: Connection) -> None:
    to_log(data)
    guards.remove(without)
    settings = Settings(data=Path(data), _env_file=None)
    db = Database(settings.url)
    said: dict[str, Any] = {"sent": [], "acked": []}
    with TestClient(create_app(settings, db), raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        ballast = Path(data).parent / "ballast"
        for kind in ("full", "after"):
            call = _Caller(client, {"statuses": said.setdefault(kind, [])})
            project = _project(call)
            if kind == "full":
                _fill(ballast)
                said["reading"] = client.get(f"/api/v1/projects/{project}/items").status_code
            _use(call, project, {"sent": [], "acked": []})
            ballast.unlink(missing_ok=True)
    told.send(said)


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * PAGE):
                pass
        except OSError:
            return


HARNESS = Harness(run, guards={"room": "both"}, databases=("sqlite",), times=400)
