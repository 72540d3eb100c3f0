"""How guards are taken away: changes of the running code, or of the schema, that a careless hand might make."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, text
from starlette.testclient import TestClient

import app.api.annotations
import app.api.bodies
import app.api.deps
import app.api.pages
import app.core.addresses
import app.core.fetch
import app.core.filters
import app.core.secrets
import app.core.text
import app.db.session
import app.formats.sheets
import app.main
import app.services.accounts
import app.services.annotations
import app.services.archives
import app.services.courier
import app.services.holders
import app.services.idempotency
import app.services.leases
import app.services.projects
import app.services.webhooks
import app.web.pages
from app.api import files
from app.core import pictures
from app.core.errors import Invalid, NotFound
from app.db import Database, Lease, Project, User, WriteSession
from app.db.session import now
from app.services import access, answers, closing
from app.services.access import Person, Standing
from app.services.jobs import Running


@dataclass
class Taken:
    """What a removal works on."""

    patch: pytest.MonkeyPatch
    client: TestClient
    db: Database | None  # None: the test needs no database

    def everywhere(self, function: Any, by: Any) -> None:
        """Put something in the place of a function, also where it was imported by name."""
        name = function.__name__
        for module in [each for key, each in sys.modules.items() if key.startswith("app.")]:
            if getattr(module, name, None) is function:
                self.patch.setattr(module, name, by)

    def execute(self, statement: str) -> None:
        """Change the schema."""
        assert self.db is not None
        with self.db.write() as session:
            session.execute(text(statement))


@dataclass(frozen=True)
class Guard:
    """A guard by its name, how it goes, and who notices: `module:test` with the values of its parameters."""

    name: str
    remove: Callable[[Taken], None]
    test: str
    values: Mapping[str, Any] = field(default_factory=dict)
    databases: bool = True  # whether the test has one


def at_any_time(session: WriteSession, *_given: int) -> datetime:
    """The time, without waiting for one's turn."""
    return now(session)


def nothing(*_: Any, **__: Any) -> None:
    """Look away."""


def as_it_is(value: Any, *_: Any, **__: Any) -> Any:
    """Let everything through."""
    return value


def a_year_later(_settings: Any, created_at: datetime, _moment: datetime) -> datetime:
    """When every session ends."""
    return created_at + timedelta(days=365)


def anybody_is_manager(taken: Taken) -> None:
    def standing(session: Any, person: Person, ref: int | str, least: str = "annotator") -> Standing:
        found = session.execute(access.select(Project).where(access._named(ref))).scalar_one_or_none()
        if found is None:
            raise NotFound("there is no such project")
        return Standing(found, "manager", None)

    taken.everywhere(access.standing, standing)


def any_row_is_visible(taken: Taken) -> None:
    def visible(session: Any, person: Person, table: Any, number: int, least: str = "annotator") -> Any:
        row = session.get(table, number)
        if row is None:
            raise access.absent(table)
        return row, session.get_one(Project, row.project_id)

    taken.everywhere(access.visible, visible)


def nobody_is_an_admin(taken: Taken) -> None:
    boss = Person(1, "boss", True)
    taken.patch.setitem(taken.client.app.dependency_overrides, app.api.deps.person_of, lambda: boss)  # type: ignore[attr-defined]
    taken.patch.setitem(taken.client.app.dependency_overrides, app.api.deps.optional_person, lambda: boss)  # type: ignore[attr-defined]


def any_version_matches(taken: Taken) -> None:
    whole = app.services.annotations.correct

    def correct(session: Any, person: Any, number: int, label: Any, expected: int) -> Any:
        newest = text("SELECT max(version) FROM annotations WHERE answer_id = (SELECT answer_id FROM annotations"
                      " WHERE id = :id)")  # fmt: skip
        return whole(session, person, number, label, session.execute(newest, {"id": number}).scalar_one())

    taken.patch.setattr(app.services.annotations, "correct", correct)


def answers_are_overwritten(taken: Taken) -> None:
    def overwrite(session: Any, current: Any, person: Any, moment: Any, **changes: Any) -> int:
        for name, value in changes.items():
            setattr(current, name, value)
        session.flush()
        return int(current.id)

    taken.patch.setattr(answers, "append_version", overwrite)


def no_token_is_asked_for(taken: Taken) -> None:
    taken.patch.setattr(Running, "checkpoint", nothing)


def any_key_is_new(taken: Taken) -> None:
    taken.patch.setattr(app.services.idempotency, "claim", nothing)


def earlier_answers_are_forgotten(taken: Taken) -> None:
    taken.patch.setattr(app.services.annotations, "_sent_before", lambda session, held, label, person: answers.shown(
        session, held.earlier))  # fmt: skip


def who_left_stays(taken: Taken) -> None:
    whole = answers.held

    def held(session: Any, lease: int, person: Person, request: Any) -> Any:
        return whole(session, lease, replace(person, admin=True), request)

    taken.patch.setattr(answers, "held", held)
    taken.patch.setattr(app.services.leases, "visible", lambda session, person, table, number: (
        session.get(table, number), None))  # fmt: skip
    taken.patch.setattr(app.services.leases, "release_of", nothing)


def switched_off_is_let_in(taken: Taken) -> None:
    holders = app.services.holders
    for name in ("COOKIE", "COOKIES", "TOKEN", "TOKENS"):
        before = getattr(holders, name)
        open_ = text(str(before.element).replace("users.active = :yes", "(users.active = :yes OR 1 = 1)"))
        bound = open_.bindparams(holders.bindparam("yes", type_=User.active.type))
        taken.patch.setattr(holders, name, bound.columns(*before.selected_columns))


def any_lease_is_mine(taken: Taken) -> None:
    taken.everywhere(app.services.leases.mine, lambda session, lease_id, person: session.get(Lease, lease_id))


def leases_are_not_locked(taken: Taken) -> None:
    def mine(session: Any, lease_id: int, person: Person) -> Any:
        found = session.get(Lease, lease_id)
        assert found.annotator_id == person.id
        return found

    taken.everywhere(app.services.leases.mine, mine)


def items_are_not_locked(taken: Taken) -> None:
    taken.patch.setattr(closing, "LOCK", text("SELECT :item"))


def transactions_begin_as_readers(taken: Taken) -> None:
    whole = app.db.session._sqlite_engine

    def engine(url: str, *, write: bool) -> Any:
        made = whole(url, write=False)
        if write:
            event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return made

    taken.patch.setattr(app.db.session, "_sqlite_engine", engine)


def links_are_never_used_up(taken: Taken) -> None:
    whole = app.services.links.use

    def use(session: Any, code: str, kind: Any) -> Any:
        again = text("UPDATE one_time_links SET uses_left = 5 WHERE kind = :kind")
        session.execute(again, {"kind": kind})
        return whole(session, code, kind)

    taken.patch.setattr(app.services.links, "use", use)


def redirects_are_trusted(taken: Taken) -> None:
    asked: list[int] = []
    whole = app.core.addresses.parse

    def parse(address: str, allowed: Any) -> Any:
        asked.append(1)
        place = app.core.addresses._parts(address)
        return whole(address, allowed) if len(asked) == 1 else place

    taken.patch.setattr(app.core.addresses, "parse", parse)
    taken.patch.setattr(app.core.addresses, "is_public", lambda address: True)


def files_may_run(taken: Taken) -> None:
    """Neither the door of files nor what every answer gets says that nothing in a file may run."""
    taken.patch.setattr(app.main, "NOTHING_RUNS", "default-src *")
    for name in list(files.INERT):
        taken.patch.delitem(files.INERT, name)


def pictures_of_any_size(taken: Taken) -> None:
    for function in (pictures.look, pictures.head):
        taken.everywhere(function, large(function))


def large(function: Any) -> Any:
    return lambda where, **_: function(where, most_pixels=1e12)


def bodies_have_no_end(taken: Taken) -> None:
    state = taken.client.app.state  # type: ignore[attr-defined]
    taken.patch.setattr(state, "settings", state.settings.model_copy(update={"json_body_bytes": 10**9}))


def inside(function: str) -> Callable[[Taken], None]:
    """Take a function of the service's accounts away."""
    return lambda taken: taken.everywhere(getattr(app.services.accounts, function), nothing)


def drop(index: str) -> Callable[[Taken], None]:
    return lambda taken: taken.execute(f"DROP INDEX {index}")


def many_may_be_alike(table: str) -> Callable[[Taken], None]:
    """Make an empty table anew in which no two rows have to differ."""

    def remove(taken: Taken) -> None:
        assert taken.db is not None
        with taken.db.write() as session:
            written = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
            made = session.execute(written, {"name": table}).scalar_one()
            loose, count = re.subn(r",\s*CONSTRAINT \w+ UNIQUE \([^)]*\)", "", made)
            assert count
            session.execute(text("PRAGMA legacy_alter_table = ON"))  # who refers to it refers to the new one
            session.execute(text(f"ALTER TABLE {table} RENAME TO former_{table}"))
            session.execute(text(loose))

    return remove


def nothing_ends(taken: Taken) -> None:
    """What lets somebody in is looked at as if no time had passed."""
    for name in ("by_cookies", "by_tokens"):
        whole = getattr(app.services.holders, name)
        taken.patch.setattr(app.services.holders, name, partial(_long_ago, whole))


def _long_ago(whole: Any, session: Any, hashes: Any, _moment: datetime) -> Any:
    return whole(session, hashes, datetime(2000, 1, 1, tzinfo=UTC))


def links_never_end(taken: Taken) -> None:
    whole = app.services.links.use

    def use(session: Any, code: str, kind: Any) -> Any:
        again = text("UPDATE one_time_links SET expires_at = '2100-01-01 00:00:00.000000' WHERE kind = :kind")
        session.execute(again, {"kind": kind})
        return whole(session, code, kind)

    taken.patch.setattr(app.services.links, "use", use)


def unknown_fields_are_passed_over(taken: Taken) -> None:
    """A body is read as if it held nothing but what an account has."""
    whole = app.api.bodies.StrictRequest.json

    async def known(self: Any) -> Any:
        body = await whole(self)
        return {name: value for name, value in body.items() if name in ("name", "password", "admin")}

    taken.patch.setattr(app.api.bodies.StrictRequest, "json", known)


def refusals_repeat_what_was_sent(taken: Taken) -> None:
    def refusal(error: Any) -> Any:
        return Invalid(str(error.errors()), fields={"password": str(error.errors())})

    taken.everywhere(app.api.bodies.refusal, refusal)
