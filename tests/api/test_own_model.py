"""Models of one's own in the loop, over a real port: what the examples do, and what goes wrong."""

import importlib
import os
import subprocess
import sys
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


def run(example: str, environment: dict[str, str], rounds: int) -> str:
    command = [sys.executable, f"examples/{example}", "pets", str(rounds)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_the_ten_lines_of_the_example_serve_two_rounds(own: tuple[Project, dict[str, str]]) -> None:
    project, environment = own
    answer(project, 12)
    first = run("own_model.py", environment, 1)
    answer(project, 30)
    second = run("own_model.py", environment, 1)

    found = {row["number"]: row for row in project.rounds()}
    assert (first.split()[0], second.split()[0]) == ("2", "3")
    assert [found[number]["state"] for number in (2, 3)] == ["done", "done"]
    assert found[3]["model"].startswith("tf-idf round-3-")
    assert found[3]["metrics"]["stratum"] == "audit"
    assert found[3]["metrics"]["accuracy"]["value"] > 0.8
    assert found[3]["strategy"] == "uherding"


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_the_torch_example_serves_two_rounds_of_one_net(own: tuple[Project, dict[str, str]]) -> None:
    python = python_with_torch()
    if python is None:
        pytest.skip("no Python with torch and httpx: `make setup TORCH=1` installs Debian's")
    project, environment = own
    answer(project, 30)
    command = [python, "examples/torch_model.py", "pets", "2"]
    example = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        until_judged(project, 2, example)
        answer(project, 15)
        until_judged(project, 3, example)
        _, said = example.communicate(timeout=60)
    finally:
        example.kill()
        example.communicate()

    assert example.returncode == 0, said
    newest = project.rounds()[0]
    assert newest["model"].startswith("torch round-3-")
    assert newest["metrics"]["accuracy"]["value"] > 0.8


def python_with_torch() -> str | None:
    """This environment's Python, else the system's; None where neither has torch and what the client needs."""
    for each in (sys.executable, "/usr/bin/python3"):
        if Path(each).exists():
            found = subprocess.run([each, "-c", "import torch, httpx"], capture_output=True, check=False)
            if found.returncode == 0:
                return each
    return None


def until(found: Callable[[], Any]) -> Any:
    """What is found as soon as there is something."""
    end = time.monotonic() + 120
    while not (value := found()):
        assert time.monotonic() < end, "it did not come in two minutes"
        time.sleep(0.05)
    return value


def until_judged(project: Project, number: int, process: "subprocess.Popen[str]") -> None:
    def judged() -> bool:
        assert process.poll() in (None, 0), process.communicate()[1]
        return any(row["number"] == number and row["state"] == "done" for row in project.rounds())

    until(judged)


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_the_scorer_of_the_example_learns_and_scores(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORER_SECRET", secret := "sixteen letters!")
    token = token_of(db, "boss", admin=True)["Authorization"].removeprefix("Bearer ")
    example = importlib.import_module("examples.scorer").app
    with live.listening(example) as scorer:
        host = scorer.removeprefix("http://")
        with live.serving(db, settings.model_copy(update={"allow_fetch_from": host})) as url:
            client = Client(url, token)
            learner = {"name": "http", "url": f"{scorer}/", "secret": secret}
            project = client.project("pets", create={**BODY, "learner": learner})
            project.push(pets(200))
            until(lambda: project.status()["queue"]["round"] is not None)
            answer(project, 12)
            until(lambda: project.status()["queue"]["round"] == 2)
            answer(project, 30)
            row = until(
                lambda: next((each for each in project.rounds() if each["number"] == 3 and each["metrics"]), None)
            )
            client.close()

    assert row["model"] == f"{host} round-3/round-3"
    assert row["metrics"]["stratum"] == "audit"
    assert row["metrics"]["accuracy"]["value"] > 0.8


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
