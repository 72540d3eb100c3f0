"""The product beside a reference model, driven by the same rules through HTTP, on both databases.

Hypothesis chooses the rules and their order; after each the rows must be what the model says: every lease, every
version of every answer, every item's state. That is I1 (nobody is given an item beyond its overlap), I2 (nor twice),
I3 and I4 (every answer that was acknowledged is there, once), I5 (a correction names what it corrects) and I15
(derived numbers equal a recount); of rounds I7 (one at a time), I8 (seen whole or not at all) and I9 (a worker that
lost its token changes nothing). A failure is shrunk to a few steps.

`LABELWISE_PROOF_EXAMPLES` and `LABELWISE_PROOF_STEPS` make it long: 2,000 and 50 for SQLite take about an hour.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from starlette.testclient import TestClient

from app.core.settings import Settings
from app.db import Database
from tests import databases
from tests.conftest import serving
from tests.proofs.machine import Machine
from tests.proofs.world import World

pytestmark = pytest.mark.both

EXAMPLES = int(os.environ.get("LABELWISE_PROOF_EXAMPLES", "0"))
STEPS = int(os.environ.get("LABELWISE_PROOF_STEPS", "30"))
SHORT = {"sqlite": 18, "postgresql": 9}


class Clock:
    """Time that hardly passes until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 28, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.moment += timedelta(microseconds=10)  # no two deeds are of one moment
        return self.moment


def world_on(kind: str, client: TestClient, folder: Path) -> World:
    """A service on an empty database of one kind, with four people."""
    given = Settings(data=folder / "data", _env_file=None)
    given.data.mkdir(parents=True, exist_ok=True)
    clock = Clock()
    if kind == "sqlite":
        (given.data / "labelwise.db").write_bytes(databases.sqlite_template().read_bytes())
        opened: Callable[[], Database] = lambda: Database(given.url, clock=clock)  # noqa: E731
    else:
        url = databases.postgres_url()
        databases.empty(url)
        opened = lambda: Database(url)  # noqa: E731

    def advance(seconds: int) -> None:
        clock.moment += timedelta(seconds=seconds)

    def start() -> Any:
        database = opened()
        databases.share_statements(database)
        return serving(client, database, given)

    return World(start, advance if kind == "sqlite" else None)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_product_does_what_the_model_says(kind: str, client: TestClient, tmp_path: Path) -> None:
    world = world_on(kind, client, tmp_path)
    times = settings(
        max_examples=EXAMPLES or SHORT[kind],
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=not EXAMPLES,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(lambda: Machine(world), settings=times)
    finally:
        world.close()

    print(f"\n{kind}: {world.examples} examples, {world.steps} steps")  # noqa: T201  # seen with -s
