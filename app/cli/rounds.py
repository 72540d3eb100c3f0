"""Rounds from the command line: run one again, and say whether it gives what is stored."""

import argparse

from sqlalchemy import select

from app.core.errors import NotFound
from app.core.settings import Settings
from app.db import Database, Project
from app.services import rerunning


def replay(settings: Settings, given: argparse.Namespace) -> int:
    """Run a stored round again; the exit code is 0 when choice and metrics are the same, 1 when something differs."""
    db = Database(settings.url)
    try:
        with db.read() as session:
            named = Project.id == int(given.project) if given.project.isdigit() else Project.slug == given.project
            found = session.execute(select(Project.id).where(named, Project.deleted_at.is_(None))).scalar_one_or_none()
        if found is None:
            raise NotFound(f"there is no project {given.project!r} in {settings.data}")
        result = rerunning.rerun(db, settings, found, given.number, current=given.current)
    finally:
        db.dispose()
    for each in result.changed:
        print(f"since    {each}")
    for line in result.lines:
        print(f"{'same' if line.same else 'DIFFERS':<8} {line.what}: {line.detail}")
    print(f"round {given.number} is the same" if result.same else f"round {given.number} comes out otherwise")
    return 0 if result.same else 1
