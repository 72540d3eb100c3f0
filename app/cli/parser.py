"""`labelwise`: every command, its options, and the environment variable behind each option."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.cli import accounts, checks, serve, transfer
from app.core.errors import AppError
from app.core.settings import Settings, unknown_variables

Run = Callable[[Settings, argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 when it did what it says, 1 when not, 2 for wrong usage."""
    if unknown := unknown_variables():
        print(f"unknown settings in the environment: {', '.join(unknown)}", file=sys.stderr)
        return 2
    given = parser().parse_args(arguments)
    try:
        settings = _settings(given)
        run: Run = given.run
        return run(settings, given)
    except ValidationError as error:
        for each in error.errors():
            print(f"setting {'.'.join(map(str, each['loc']))}: {each['msg']}", file=sys.stderr)
        return 2
    except (AppError, RuntimeError, ValueError, OSError) as error:
        print(f"labelwise: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """All commands with their help."""
    top = argparse.ArgumentParser(prog="labelwise", description="Human-in-the-loop active learning.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, text: str, run: Run, group: Any = commands) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = group.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        made.add_argument("--data", type=Path, help="data folder (LABELWISE_DATA)")
        made.add_argument("--database-url", help="postgresql://... instead of SQLite (LABELWISE_DATABASE_URL)")
        return made

    for name, text, run in (
        ("serve", "start the web server, and a worker beside it", serve.serve),
        ("demo", "start with a ready project, signed in by a printed link", serve.demo),
    ):
        made = command(name, text, run)
        made.add_argument("--host", help="address to listen on; loopback unless set (LABELWISE_HOST)")
        made.add_argument("--port", type=int, help="port, or the next free one (LABELWISE_PORT)")
        made.add_argument("--no-worker", action="store_true", help="start no worker (LABELWISE_WORKER=false)")
        made.add_argument("--web-processes", type=int, help="web processes (LABELWISE_WEB_PROCESSES)")
        made.add_argument(
            "--insecure-http",
            action="store_true",
            help="allow sign-in over plain http from other machines (LABELWISE_INSECURE_HTTP)",
        )
    command("worker", "run background work: rounds, features, imports", serve.worker)
    command("migrate", "bring the database to the newest schema", checks.migrate_database)
    command("check", "say whether everything is in order", checks.check)
    made = command("backup", "write the whole data folder to one file (SQLite)", checks.backup)
    made.add_argument("file", type=Path)
    made = command("restore", "read a backup into an empty data folder (SQLite)", checks.restore)
    made.add_argument("file", type=Path)
    user = commands.add_parser("user", help="accounts").add_subparsers(required=True, metavar="ACTION")
    made = command("create", "make an account", accounts.create_user, user)
    made.add_argument("name")
    made.add_argument("--role", choices=("admin", "user"), default="user")
    made.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    token = commands.add_parser("token", help="tokens for scripts").add_subparsers(required=True, metavar="ACTION")
    made = command("create", "make a token; it is the last line of standard output", accounts.create_token, token)
    made.add_argument("--user", required=True)
    made.add_argument("--scope", action="append", help="read, label, import or manage; all of them unless given")
    made.add_argument("--project", help="bind the token to one project")
    made.add_argument("--expires", type=float, metavar="DAYS")
    made = command("import", "push files over HTTP (LABELWISE_URL, LABELWISE_TOKEN)", transfer.push)
    made.add_argument("project")
    made.add_argument("files", nargs="+", type=Path)
    made.add_argument("--map", help="text:body,label:tag,metadata:*")
    made.add_argument("--create-classes", action="store_true")
    made = command("export", "write a project's answers or items over HTTP", transfer.export)
    made.add_argument("project")
    made.add_argument("--format", default="jsonl", choices=("jsonl", "json", "csv", "parquet"))
    made.add_argument("--view", default="annotations", choices=("annotations", "items"))
    made.add_argument("-o", "--output", type=Path, help="standard output unless given")
    made = command(
        "simulate", "replay a labelled file with query strategies and draw learning curves", transfer.simulate
    )
    made.add_argument("file", type=Path, help="JSONL or CSV with a text (or row columns) and a label")
    made.add_argument("--strategies", default="auto,random")
    made.add_argument("--seeds", type=int, default=5)
    made.add_argument("--labels", type=int, default=300)
    made.add_argument("--label-column", default="label")
    made.add_argument("--text-column", default="text")
    made.add_argument("--output", type=Path, default=Path("simulation"))
    return top


def _settings(given: argparse.Namespace) -> Settings:
    """Settings of the environment with what the command line says on top."""
    named: dict[str, Any] = {
        name: value
        for name in ("data", "host", "port", "web_processes", "database_url")
        if (value := getattr(given, name, None)) is not None
    }
    if getattr(given, "no_worker", False):
        named["worker"] = False
    if getattr(given, "insecure_http", False):
        named["insecure_http"] = True
    for name, value in named.items():  # children read the same settings
        os.environ[f"LABELWISE_{name.upper()}"] = str(value).lower() if isinstance(value, bool) else str(value)
    settings = Settings()
    os.environ["LABELWISE_DATA"] = str(settings.data)
    return settings
