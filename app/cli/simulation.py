"""Simulations from the command line: of a labelled file, or of what is labelled in a project of the data folder."""

import argparse
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select
from tqdm import tqdm

from app.core.errors import Invalid, NotFound
from app.core.settings import Settings
from app.db import Database, Project
from app.learners import OUTSIDE
from app.loop.marks import learner_mark
from app.loop.named import Named, with_baseline
from app.loop.outcome import Target, outcome
from app.loop.reporting import csv_lines, svg, table
from app.loop.sets import Dataset, read_dataset, thinned
from app.loop.simulate import RESULTS, Conditions, full_accuracy, simulate_all
from app.services import replaying, tasks

LETTERS = 10  # of the hash that tells one content of a file from the next


def simulate(settings: Settings, given: argparse.Namespace) -> int:
    """Replay a set with every strategy and seed; a table on the screen, the curves as CSV and as a picture.

    The exit code is 1 when a strategy could not run, 130 when it was stopped; finished runs are kept.
    """
    plot = given.plot or given.output / "curves.svg"
    if plot.suffix.lower() != ".svg":
        raise ValueError(f"{plot}: the picture is an SVG, so its name ends with .svg")
    if (given.file is None) == (given.project is None):
        raise ValueError("name a labelled file, or a project with --project")
    if given.seeds < 1:
        raise ValueError("--seeds is 1 or more")
    strategies = with_baseline(Named.parse(each) for each in given.strategies.split(",") if each.strip())
    data, conditions = _of_file(given) if given.file else _of_project(settings, given)
    data = thinned(data, given.imbalance)
    target = Target.of(_full(data, conditions, given.output), given.target)
    try:
        with tqdm(total=len(strategies) * given.seeds, unit="run", disable=None) as bar:
            runs = simulate_all(
                data, strategies, range(given.seeds), conditions=conditions, output=given.output, done=bar.update
            )
    except KeyboardInterrupt:
        print(f"stopped: the same command goes on from the runs in {given.output}", file=sys.stderr)
        return 130
    found = outcome(runs, [each.title for each in strategies], target, conditions.labels)
    (given.csv or given.output / "curves.csv").write_text("".join(csv_lines(runs)))
    plot.write_text(svg(found, data.name))
    print(f"{data.name}: {len(data.pool):,} rows replayed, judged on {len(data.test):,} others")
    print(table(found, conditions.labels))
    return 1 if any(each["refused"] for each in found["strategies"]) else 0


def _conditions(given: argparse.Namespace) -> Conditions:
    return Conditions(labels=given.labels, round_size=given.round_size, noise=given.noise)


def _of_file(given: argparse.Namespace) -> tuple[Dataset, Conditions]:
    """The file as a set; its name holds a hash of the content, so that runs of other content are not taken for its."""
    data = read_dataset(given.file, text=given.text_column, label=given.label_column)
    digest = hashlib.sha256(given.file.read_bytes() + f"{given.text_column} {given.label_column}".encode())
    return replace(data, name=f"{data.name}-{digest.hexdigest()[:LETTERS]}"), _conditions(given)


def _of_project(settings: Settings, given: argparse.Namespace) -> tuple[Dataset, Conditions]:
    """What is labelled in a project now; nothing in it is changed."""
    db = Database(settings.url)
    try:
        with db.read() as session:
            wanted = Project.id == int(given.project) if given.project.isdigit() else Project.slug == given.project
            project = session.execute(select(Project).where(wanted, Project.deleted_at.is_(None))).scalar_one_or_none()
            if project is None:
                raise NotFound(f"there is no project {given.project!r} in {settings.data}")
            drawn = replaying.drawn(session, settings, project)
            question = tasks.driving(tasks.questions(session, project))
            data = replaying.load(drawn.features, project, question, drawn)
    finally:
        db.dispose()
    content = json.dumps([drawn.rows, drawn.class_ids, drawn.features.version]).encode()
    if project.learner.get("name") in OUTSIDE:
        print("the project's own model cannot be replayed: the service's learner stands in for it", file=sys.stderr)
    if given.labels > len(data.pool):
        raise Invalid(f"--labels is at most {len(data.pool):,}: so many labelled items can be replayed")
    learner = {key: value for key, value in drawn.learner.items() if key != "name"}
    conditions = replace(
        _conditions(given),
        audit_share=project.audit_share,
        learner=drawn.learner.get("name", "auto"),
        learner_parameters=learner,
    )
    return replace(data, name=f"{data.name}-{hashlib.sha256(content).hexdigest()[:LETTERS]}"), conditions


def _full(data: Dataset, conditions: Conditions, folder: Path) -> float:
    """Accuracy with every label, kept beside the runs: the slowest single fit."""
    mark = learner_mark(conditions.learner, conditions.learner_parameters)
    file = folder / f"{data.name}-{mark}-full-v{RESULTS}.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(full_accuracy(data, conditions.learner, conditions.learner_parameters)))
    return float(json.loads(file.read_text()))
