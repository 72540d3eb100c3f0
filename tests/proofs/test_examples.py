"""The examples do what they say: models of one's own in the loop, over a real port."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.settings import Settings
from app.db import Database
from labelwise import Client, Project
from tests import live
from tests.api.test_loop import pets
from tests.api.test_own_model import BODY, ROOT, answer, own, until
from tests.processes import token_of

__all__ = ["own"]


def run(example: str, environment: dict[str, str], rounds: int) -> str:
    command = [sys.executable, f"examples/{example}", "pets", str(rounds)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.night
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


@pytest.mark.night
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
