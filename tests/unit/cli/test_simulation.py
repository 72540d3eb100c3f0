"""`labelwise simulate` on a file."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from app.cli import simulation
from app.cli.parser import main
from app.loop.sets import Dataset, read_dataset
from app.loop.simulate import Conditions


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "made.jsonl"
    rows = [{"text": f"word{n % 3} thing{n % 11} more{n % 7}", "label": f"c{n % 3}"} for n in range(120)]
    made.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return made


def test_a_file_is_replayed_and_a_second_call_goes_on(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, plot, curves = tmp_path / "out", tmp_path / "plot.svg", tmp_path / "curves.csv"
    usual = ["simulate", str(file), "--data", str(tmp_path / "data"), "--output", str(out), "--labels", "40"]
    usual += ["--strategies", "margin,mean_doubt", "--csv", str(curves), "--plot", str(plot), "--noise", "0.1"]

    assert main([*usual, "--seeds", "2"]) == 1  # one of them is for questions of another kind

    said = capsys.readouterr().out
    assert "mean_doubt              refused: only one class may hold for an item" in said
    assert "Cannot tell: 2 of the 5 seeds" in said
    assert "random" in said
    assert ElementTree.fromstring(plot.read_text()).tag.endswith("svg")
    assert len(curves.read_text().splitlines()) == 1 + 2 * 2 * 2
    kept = {each.name: each.stat().st_mtime_ns for each in out.glob("made-*-margin-*.json")}
    assert len(kept) == 2

    assert main([*usual, "--seeds", "3"]) == 1

    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept
    assert len(list(out.glob("made-*-margin-*.json"))) == 3


def test_the_accuracy_with_every_label_is_kept_for_each_setting_of_the_learner(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, asked = read_dataset(file), []

    def measured(_data: Dataset, learner: str, parameters: dict[str, Any]) -> float:
        asked.append((learner, parameters))
        return len(asked) / 10

    monkeypatch.setattr(simulation, "full_accuracy", measured)
    low, high = (Conditions(learner="ridge", learner_parameters={"penalty": value}) for value in (0.03, 1.0))

    found = [simulation._full(data, each, tmp_path / "out") for each in (low, high, low, Conditions(), high)]

    assert found == [0.1, 0.2, 0.1, 0.3, 0.2]
    assert asked == [("ridge", {"penalty": 0.03}), ("ridge", {"penalty": 1.0}), ("auto", {})]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--strategies", "nonsense"], "there is no strategy 'nonsense'"),
        (["--plot", "plot.png"], "ends with .svg"),
        (["--noise", "2"], "noise is a share"),
        (["--imbalance", "0"], "imbalance is from 1"),
        (["--project", "news"], "name a labelled file, or a project"),
        (["--seeds", "0"], "--seeds is 1 or more"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    file: Path, tmp_path: Path, more: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ["simulate", str(file), "--data", str(tmp_path), "--output", str(tmp_path / "out")]

    assert main([*usual, *more]) == 1

    assert why in capsys.readouterr().err
