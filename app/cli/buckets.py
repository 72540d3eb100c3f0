"""Buckets from the command line: which there are, and which project may read which."""

import argparse

from app.cli.serve import prepare
from app.core.settings import Settings
from app.db import Database
from app.services import buckets
from app.services.access import Person

OPERATOR = Person(0, "command line", admin=True)  # whoever may open the database


def listed(settings: Settings, given: argparse.Namespace) -> int:
    """Print each bucket with its kind and the projects that may read it."""
    prepare(settings)
    db = Database(settings.url)
    with db.read() as session:
        found = buckets.listed(session, settings, OPERATOR)
    for each in found:
        print(f"{each['name']} ({each['kind']}): projects {', '.join(map(str, each['projects'])) or 'none'}")
    if not found:
        print("no bucket is named: labelwise serve --bucket NAME=s3://bucket/folder")
    db.dispose()
    return 0


def grant(settings: Settings, given: argparse.Namespace) -> int:
    """Let a project read a bucket."""
    prepare(settings)
    db = Database(settings.url)
    with db.write() as session:
        buckets.grant(session, settings, OPERATOR, given.project, given.bucket)
    print(f"project {given.project} may read bucket {given.bucket}")
    db.dispose()
    return 0


def revoke(settings: Settings, given: argparse.Namespace) -> int:
    """Let a project read a bucket no more."""
    prepare(settings)
    db = Database(settings.url)
    with db.write() as session:
        buckets.revoke(session, OPERATOR, given.project, given.bucket)
    print(f"project {given.project} may not read bucket {given.bucket}")
    db.dispose()
    return 0
