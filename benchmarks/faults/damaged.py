"""Files damaged on purpose: features, models, stored files, pages of the database, its log.

Each is found and told, and never served as good.
"""

import contextlib
import io
import random
import shutil
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from sqlalchemy import select

from app.cli import main as labelwise
from app.core.errors import NotFound
from app.core.settings import Settings
from app.db import Database, Job, Media, Round, Serving
from app.services import high_water, jobs, media
from app.worker import WorkerProcess
from benchmarks.faults import guards
from benchmarks.faults.journal import Journal
from benchmarks.faults.outcome import Harness, Outcome, Run
from benchmarks.faults.people import labelling
from benchmarks.faults.site import CLASSES, Site, end, site

WAYS = ("gone", "cut", "flipped", "zeroed")


def run(run: Run) -> Outcome:
    """So many damages of a random kind and way, each on a copy of one service; `labelwise check` has to name it."""
    chance = random.Random(run.seed)
    found: list[str] = []
    told = 0
    with site("sqlite", 3) as at:
        files = _filled(at)
        guards.remove(run.without)
        try:
            for number in range(run.times):
                kind, way = list(files)[number % len(files)], chance.choice(WAYS)
                copy = at.data.parent / f"copy-{number}"
                shutil.copytree(at.data, copy)
                lines, more = _one(at, copy, kind, files[kind](copy), way, chance)
                told += bool(lines)
                found += more
                shutil.rmtree(copy)
        finally:
            guards.restore()
    return Outcome(run.times, {"told": told, "kinds": ", ".join(files)}, found)


def _one(
    at: Site, copy: Path, kind: str, files: list[Path], way: str, chance: random.Random
) -> tuple[list[str], list[str]]:
    """Damage one file of a copy; what was told of it, and what was not."""
    way = "cut" if kind in ("log", "page") and way == "gone" else way
    file = chance.choice([each for each in files if each.stat().st_size])
    if not _damage(file, way, chance):
        return [], []
    lines = _checked(copy)
    silent = [] if lines else [f"{kind} {way}: nothing was told of {file.relative_to(copy)}"]
    return lines, silent + [f"{kind} {way}: {each}" for each in _served(at, kind, copy)]


def _filled(at: Site) -> dict[str, Callable[[Path], list[Path]]]:
    """Texts with a model and features, and a stored picture; where the files of each kind are."""
    server, worker = at.server(), at.worker()
    try:
        at.serving()
        at.set_up(items=300, round_size=10)
        journal = Journal(at.data.parent / "journal.jsonl")
        with labelling(at, at.people, journal, think=0.02):
            until = time.monotonic() + 40
            while not list(at.data.glob("models/*/*.npz")) and time.monotonic() < until:
                time.sleep(0.1)
        with at.client() as client:
            task = {"type": "classification", "classes": list(CLASSES)}
            body = {"name": "Pictures", "modality": "image", "task": task}
            project = client.post("/projects", json=body).raise_for_status().json()["id"]
            picture = io.BytesIO()
            Image.effect_noise((64, 64), 80).save(picture, "png")
            files = {"files": ("a.png", picture.getvalue(), "image/png")}
            client.post(f"/projects/{project}/media", files=files).raise_for_status()
        until = time.monotonic() + 30
        while _busy(at) and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        end(worker, server)  # killed: the log is there still
    high_water.keep(at.db, at.settings)  # our own connection stays open: the last one would empty the log
    newest = _served_model(at)
    return {
        "feature": lambda data: (
            sorted(data.glob("features/*/*/*.dense.npy")) + sorted(data.glob("features/*/*/*.ids.npy"))
        ),
        "model": lambda data: [data / newest],
        "media": lambda data: [each for each in data.glob("media/*/*/*") if each.is_file()],
        "page": lambda data: [data / "labelwise.db"],
        "log": lambda data: [data / "labelwise.db-wal"],
    }


def _busy(at: Site) -> bool:
    with at.db.read() as session:
        return session.execute(select(Job.id).where(Job.state == "running")).first() is not None


def _served_model(at: Site) -> Path:
    with at.db.read() as session:
        served = select(Round.project_id, Round.model_file).join(Serving, Serving.round_id == Round.id)
        row = session.execute(served.where(Round.model_file.is_not(None))).first()
    if row is None:
        raise RuntimeError("no model was served")
    return Path("models") / str(row.project_id) / str(row.model_file)


def _damage(file: Path, way: str, chance: random.Random) -> bool:
    """Damage a file; False where it would be as before."""
    content = bytearray(file.read_bytes())
    if way == "gone":
        file.unlink()
        return True
    if way == "cut":
        size = chance.randrange(len(content) // 2)
        file.write_bytes(content[:size])
        return True
    start = chance.randrange(max(1, len(content) * 3 // 4))
    place = slice(start, min(len(content), start + max(64, len(content) // 8)))
    before = bytes(content[place])
    content[place] = bytes(len(before)) if way == "zeroed" else bytes(each ^ 0xFF for each in before)
    file.write_bytes(content)
    return bytes(content[place]) != before


def _checked(data: Path) -> list[str]:
    """What `labelwise check` says of a folder, but for the worker that does not run."""
    said = io.StringIO()
    with redirect_stdout(said):
        labelwise(["check", "--data", str(data), "--all-files"])
    return [line for line in said.getvalue().splitlines() if line.startswith("BAD") and "a worker was seen" not in line]


def _served(at: Site, kind: str, data: Path) -> list[str]:
    """What the damaged service does with it: a picture is not shown, a round makes its features anew."""
    if kind not in ("feature", "model", "media"):
        return []
    db = Database(f"sqlite:///{data / 'labelwise.db'}")
    settings = at.settings.model_copy(update={"data": data, "database_url": None})
    try:
        if kind == "media":
            return _shown(db, settings)
        with db.write() as session:
            jobs.enqueue(session, "round", at.project)
        for _ in range(3):  # the round that finds it, the features, the round after them
            WorkerProcess(settings, db).run_waiting()
            time.sleep(0.3)
        with db.read() as session:
            newest = select(Job).where(Job.kind == "round").order_by(Job.id.desc()).limit(1)
            job: Any = session.execute(newest).scalar_one()
            return [] if job.state in ("done", "waiting") else [f"rounds are {job.state}: {job.reason}"]
    except httpx.HTTPError as error:
        return [str(error)]
    finally:
        db.dispose()


def _shown(db: Database, settings: Settings) -> list[str]:
    """The stored files that would be shown although they were damaged."""
    with db.read() as session:
        rows = session.execute(select(Media)).scalars().all()
    shown = []
    for row in rows:
        with contextlib.suppress(NotFound):
            shown.append(f"file {row.id} is shown: {media.stored_path(settings, row)}")
    return shown


HARNESS = Harness(run, guards={"checksums": "sqlite"}, databases=("sqlite",), times=25, proof=10)
