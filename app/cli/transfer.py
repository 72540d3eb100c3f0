"""Imports, exports and snapshots from the command line."""

import argparse
import sys
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from app.core.settings import Settings
from labelwise import Client, Project, Report
from labelwise.buckets import PREFIX as BUCKET
from labelwise.hub import PREFIX

REJECTED_SHOWN = 10


def push(settings: Settings, given: argparse.Namespace) -> int:
    """Push files, or public data sets by name; the exit code is 1 when rows were rejected."""
    with closing(Client(given.url)) as client:
        project = client.project(given.project)
        rejected = [_push_one(project, file, given) for file in given.files]
    return 1 if any(rejected) else 0


def _push_one(project: Project, name: str, given: argparse.Namespace) -> int:
    """Push one of them; how many rows were rejected."""
    if name.startswith(PREFIX):
        return _push_set(project, name.removeprefix(PREFIX), given)
    if name.startswith(BUCKET):
        return _push_bucket(project, name, given)
    file = Path(name)
    with tqdm(total=file.stat().st_size, unit="B", unit_scale=True, desc=file.name, disable=None) as bar:
        report = project.push(
            file,
            map=given.map,
            create_classes=given.create_classes,
            on_error=given.on_error,
            on_change=given.on_change,
            progress=bar.update,
        )
    return _say(file.name, report)


def _push_bucket(project: Project, name: str, given: argparse.Namespace) -> int:
    """Make items of the files below a folder of a bucket; how many were rejected."""
    bucket, _, folder = name.removeprefix(BUCKET).partition("/")
    with tqdm(unit="file", desc=name, disable=None) as bar:
        how = {"labels": given.labels, "copy": given.copy, "on_change": given.on_change, "progress": bar.update}
        return _say(name, project.push_bucket(bucket, folder, **how))


def _push_set(project: Project, name: str, given: argparse.Namespace) -> int:
    """Push a public data set; how many rows were rejected."""
    columns = dict(part.partition(":")[::2] for part in (given.map or "").split(",") if part)
    if not columns.keys() <= {"text", "label"}:
        raise ValueError("of a public data set --map names text and label only, as text:body,label:tag")
    how = {"split": given.split, "config": given.config, "revision": given.revision, **columns}
    with tqdm(unit="row", desc=name, disable=None) as bar:
        return _say(name, project.push_set(name, most=given.most, progress=bar.update, **how))


def _say(name: str, report: Report) -> int:
    """Print what became of the rows; how many were rejected."""
    print(
        f"{name}: {report.created} created, {report.updated} updated, {report.unchanged} unchanged, "
        f"{report.rejected_count} rejected"
    )
    for row in report.rejected[:REJECTED_SHOWN]:
        print(f"  line {row['line']}: {row['error']}", file=sys.stderr)
    return report.rejected_count


def export(settings: Settings, given: argparse.Namespace) -> int:
    """Write an export to a file or to standard output."""
    with closing(Client(given.url)) as client:
        project = client.project(given.project)
        pieces = project.export(format=given.format, view=given.view, filter=given.filter)
        if given.output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            return 0
        aside = given.output.with_name(f"{given.output.name}.part")
        with aside.open("wb") as file, tqdm(unit="B", unit_scale=True, desc=given.output.name, disable=None) as bar:
            for piece in pieces:
                file.write(piece)
                bar.update(len(piece))
        aside.replace(given.output)
    return 0


def snapshot(settings: Settings, given: argparse.Namespace) -> int:
    """Make a snapshot, wait for it, say what is in it and what leaks between its splits."""
    splits = None if given.splits is None else _shares(given.splits)
    asked = {"filter": given.filter, "splits": splits, "group_by": given.group_by}
    with closing(Client(given.url)) as client:
        made = client.project(given.project).make_snapshot(given.name, **asked).card
    report = made["report"]
    parts = ", ".join(f"{name} {part['items']:,}" for name, part in report["splits"].items())
    print(f"{made['name']}: {made['items']:,} items, {report['labelled']:,} labelled ({parts})")
    if report["leaks"]["groups"]:
        print(f"{report['leaks']['items']:,} near-identical items stand in several splits, as", file=sys.stderr)
        for group in report["leaks"]["named"][:REJECTED_SHOWN]:
            print("  " + ", ".join(f"{each['key']} ({each['split']})" for each in group), file=sys.stderr)
    print(f"sha256 {made['sha256']}")
    return 0


def _shares(text: str) -> dict[str, float]:
    """`train=0.8,test=0.2` as a table; raises ValueError with what it should look like."""
    try:
        return {name.strip(): float(share) for name, share in (part.split("=") for part in text.split(","))}
    except ValueError:
        raise ValueError(f"--splits is written as train=0.8,test=0.2, not {text!r}") from None
