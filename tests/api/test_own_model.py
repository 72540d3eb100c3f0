"""Models of one's own in the loop, over a real port; what the examples do is in tests/proofs/test_examples.py."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import Settings
from app.db import Database
from labelwise import Client, LabelwiseError, Project
from tests import live
from tests.api.test_loop import pets
from tests.processes import token_of

ROOT = Path(__file__).resolve().parents[2]
BODY = {
    "modality": "text",
    "task": {"type": "classification", "classes": ["cat", "dog"]},
    "learner": {"name": "external"},
    "round_size": 10,
    "audit_share": 0.2,
    "seed": 3,
}


@pytest.fixture
def own(db: Database, settings: Settings) -> Iterator[tuple[Project, dict[str, str]]]:
    """A project with 200 items on a real port with a worker, and the environment of a script."""
    token = token_of(db, "boss", admin=True)["Authorization"].removeprefix("Bearer ")
    with live.serving(db, settings) as url:
        client = Client(url, token)
        project = client.project("pets", create=BODY)
        project.push(pets(200))
        until(lambda: project.status()["queue"]["round"] is not None)
        yield project, {**os.environ, "PYTHONPATH": str(ROOT), "LABELWISE_URL": url, "LABELWISE_TOKEN": token}
        client.close()


def answer(project: Project, count: int) -> None:
    for _ in range(count):
        [lease] = project.lease(1)
        lease.submit(lease.item["key"][:3], seconds_spent=1.0)


def until(found: Callable[[], Any]) -> Any:
    """What is found as soon as there is something."""
    end = time.monotonic() + 120
    while not (value := found()):
        assert time.monotonic() < end, "it did not come in two minutes"
        time.sleep(0.05)
    return value


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_tables_of_every_form_are_pushed_and_wrong_ones_named(own: tuple[Project, dict[str, str]]) -> None:
    project, _ = own
    answer(project, 12)
    handed: list[Any] = []

    def short(items: Any, labels: Any, pool: Any) -> Iterator[Any]:
        handed.extend((items, labels))
        yield [[0.5, 0.5]] * (len(next(pool)) - 1)

    def unknown(_items: Any, _labels: Any, pool: Any) -> Iterator[Any]:
        yield ["cat", "cow"], [[0.5, 0.5]] * len(next(pool))

    def mixed(_items: Any, _labels: Any, pool: Any) -> Iterator[Any]:
        yield [{"cat": 0.7, "dog": 0.3}] * len(next(pool))
        yield ["dog"], [[1.0]] * len(next(pool))
        yield [[0.2, 0.8]] * len(next(pool))
        yield from ([[0.5, 0.5]] * len(chunk) for chunk in pool)

    with pytest.raises(LabelwiseError, match="199 rows for a chunk of 200"):
        project.learn_with(short, rounds=1)
    with pytest.raises(LabelwiseError, match="has not: cow"):
        project.learn_with(unknown, rounds=1)
    [done] = project.learn_with(mixed, model="mixed", version="one", rounds=1, chunk_rows=60)

    assert [set(item) for item in handed[0]] == [{"key", "text"}] * len(handed[0])
    assert [item["key"][:3] for item in handed[0]] == handed[1]
    assert (done["rows"], done["rejected"], done["state"], done["version"]) == (200, 0, "done", "one")
    with pytest.raises(LabelwiseError, match="own"):
        project._client.project("others", create={**BODY, "learner": {"name": "auto"}}).learn_with(mixed)
