"""Accounts and tokens from the command line."""

import argparse
import getpass
import sys
from datetime import timedelta

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cli.serve import prepare
from app.core.settings import Settings
from app.core.text import fold
from app.db import Database, User
from app.services import accounts, audit, personal
from app.services.access import Person, project_for


def create_user(settings: Settings, given: argparse.Namespace) -> int:
    """Make an account; the password is asked for, or read from standard input."""
    prepare(settings)
    password = _password(given)
    db = Database(settings.url)
    with db.write() as session:
        user = accounts.create_user(session, given.name, password, admin=given.role == "admin")
        print(f"made {user.name} (id {user.id})")
    return 0


def set_password(settings: Settings, given: argparse.Namespace) -> int:
    """Set the password of somebody who forgot it; browsers and tokens of the account are signed out."""
    prepare(settings)
    db = Database(settings.url)
    try:
        with db.read() as session:
            _named(session, given.name)  # before a password is asked for
        password = _password(given)
        with db.write() as session:
            user = _named(session, given.name)
            accounts.set_password(session, user, password)
            print(f"{user.name} has a new password; browsers and tokens of before have ended")
    finally:
        db.dispose()
    return 0


def _password(given: argparse.Namespace) -> str:
    if given.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ValueError("the two passwords differ")
    return password


def export_user(settings: Settings, given: argparse.Namespace) -> int:
    """Print all that is stored about a person, as the REST route gives it; a line of the audit log says so."""
    prepare(settings)
    db = Database(settings.url)
    with db.write() as session:
        user = _named(session, given.name)
        found = personal.export(session, Person(user.id, user.name, user.admin), user.id)
        audit.record(session, "user.exported", None, user=user.id)
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2, default=str).decode())
    return 0


def _named(session: Session, name: str) -> User:
    user = session.execute(select(User).where(User.folded_name == fold(name))).scalar_one_or_none()
    if user is None:
        raise ValueError(f"there is no user {name!r}: `labelwise user create` makes one")
    return user


def create_token(settings: Settings, given: argparse.Namespace) -> int:
    """Make a token; its secret is the last line of standard output."""
    prepare(settings)
    db = Database(settings.url)
    with db.write() as session:
        user = _named(session, given.user)
        person = Person(user.id, user.name, user.admin)
        project = project_for(session, person, given.project).id if given.project else None
        lasts = timedelta(days=given.expires) if given.expires else None
        scopes = given.scope or list(accounts.SCOPES)
        _, secret = accounts.create_token(session, user.id, "command line", scopes, project, lasts)
    print(secret)
    return 0
