"""Accounts and tokens from the command line."""

import argparse
import getpass
import sys
from datetime import timedelta

from sqlalchemy import select

from app.cli.serve import prepare
from app.core.settings import Settings
from app.core.text import fold
from app.db import Database, User
from app.services import accounts
from app.services.access import Person, project_for


def create_user(settings: Settings, given: argparse.Namespace) -> int:
    """Make an account; the password is asked for, or read from standard input."""
    prepare(settings)
    if given.password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise ValueError("the two passwords differ")
    db = Database(settings.url)
    with db.write() as session:
        user = accounts.create_user(session, given.name, password, admin=given.role == "admin")
        print(f"made {user.name} (id {user.id})")
    return 0


def create_token(settings: Settings, given: argparse.Namespace) -> int:
    """Make a token; its secret is the last line of standard output."""
    prepare(settings)
    db = Database(settings.url)
    with db.write() as session:
        user = session.execute(select(User).where(User.folded_name == fold(given.user))).scalar_one_or_none()
        if user is None:
            raise ValueError(f"there is no user {given.user!r}: `labelwise user create` makes one")
        person = Person(user.id, user.name, user.admin)
        project = project_for(session, person, given.project).id if given.project else None
        lasts = timedelta(days=given.expires) if given.expires else None
        scopes = given.scope or list(accounts.SCOPES)
        _, secret = accounts.create_token(session, user.id, "command line", scopes, project, lasts)
    print(secret)
    return 0
