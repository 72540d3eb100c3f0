"""Each guard taken away in turn: some test fails.

The test is called here as it stands in its own file, once with the guard and once without; a guard that nobody misses
is a guard that the next change may lose. The tables are in `guards.py` and `border.py`.
"""

import contextlib
import importlib
import inspect
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.settings import Settings
from app.db import Database
from tests import databases
from tests.conftest import serving
from tests.proofs.guards import GUARDS
from tests.proofs.removals import Guard, Taken


class Fixtures:
    """What a test asks for by name: fixtures of its own file, the service on an empty SQLite file, pytest's own."""

    def __init__(self, module: Any, request: pytest.FixtureRequest, known: dict[str, Any]) -> None:
        self._module, self._request, self._known = module, request, known
        self._stack = contextlib.ExitStack()

    def close(self) -> None:
        """Undo what the fixtures have set up."""
        self._stack.close()

    def of(self, function: Callable[..., Any]) -> dict[str, Any]:
        """The arguments of a test or a fixture."""
        return {name: self._value(name) for name in inspect.signature(function).parameters}

    def _value(self, name: str) -> Any:
        if name not in self._known:
            own = getattr(self._module, name, None)
            get = getattr(own, "_get_wrapped_function", None)
            self._known[name] = self._made(get()) if get else self._request.getfixturevalue(name)
        return self._known[name]

    def _made(self, function: Callable[..., Any]) -> Any:
        made = function(**self.of(function))
        return (
            self._stack.enter_context(contextlib.contextmanager(lambda: made)()) if inspect.isgenerator(made) else made
        )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """An empty SQLite file; both databases have the same guards, but for how they are written."""
    settings.data.mkdir(parents=True)
    shutil.copy(databases.sqlite_template(), settings.data / "labelwise.db")
    made = Database(f"sqlite:///{settings.data / 'labelwise.db'}")
    databases.share_statements(made)
    yield made
    made.dispose()


@pytest.mark.parametrize("there", [True, False], ids=["there", "taken away"])
@pytest.mark.parametrize("guard", GUARDS, ids=lambda each: each.name)
def test_a_guard_that_is_taken_away_is_missed(
    guard: Guard,
    there: bool,
    request: pytest.FixtureRequest,
    client: TestClient,
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module_name, name = guard.test.split(":")
    module = importlib.import_module(module_name)
    known = {**guard.values, "monkeypatch": monkeypatch}
    if guard.databases:
        known |= {"api": serving(client, database, settings), "db": database, "client": client}
    fixtures = Fixtures(module, request, known)
    test = getattr(module, name)
    arguments = fixtures.of(test)
    if not there:
        guard.remove(Taken(monkeypatch, client, database if guard.databases else None))

    missed = None
    try:
        test(**arguments)
    except (Exception, pytest.fail.Exception) as error:
        missed = error
    finally:
        fixtures.close()

    if there and missed is not None:
        raise missed
    print(f"{guard.name}: {missed!r}"[:300])  # noqa: T201  # how it is missed, seen with -s
    assert there or missed is not None, f"nobody misses the guard {guard.name!r}"
