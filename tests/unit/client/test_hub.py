"""Public data sets: the real library reads real folders, and the rows reach a real service."""

import builtins
import gc
import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import soundfile
from PIL import Image

from app.cli.parser import main
from labelwise import LabelwiseError, hub
from tests.unit.client.test_client import PETS, Site, site

__all__ = ["site"]


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library asks nobody and leaves nothing behind in the home folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def texts(folder: Path) -> str:
    """A set as the library writes it: Parquet with numbered classes."""
    import datasets

    features = datasets.Features(
        {
            "sentence": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "source": datasets.Value("string"),
        }
    )
    rows = {"sentence": ["meow", "bark", "purr"], "label": [0, 1, -1], "source": ["web", "book", "web"]}
    (folder / "texts").mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(folder / "texts" / "train-00000.parquet"))
    return str(folder / "texts")


def pictures(folder: Path) -> str:
    for name in ("cat", "dog"):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (20, 20), (100 * number, 50, 50)).save(folder / "pictures" / name / f"{number}.png")
    return str(folder / "pictures")


def test_a_set_of_texts_with_numbered_classes_is_pushed_and_again_changes_nothing(site: Site, tmp_path: Path) -> None:
    project = site.client.project("pets", create=PETS)
    name = texts(tmp_path)

    heard: list[int] = []
    report = project.push_set(name, progress=heard.append)
    again = project.push_set(name)
    labels = {row["key"].rsplit("/", 1)[-1]: row for row in project.labels(view="items")}

    assert (report.created, report.rejected_count, again.unchanged) == (3, 0, 3)
    assert sum(heard) == 3
    assert labels["0"]["label"] == {"class": "cat"}
    assert labels["1"]["label"] == {"class": "dog"}
    assert labels["2"]["label"] is None  # -1 is how these sets say that it is not known
    assert labels["1"]["text"] == "bark"
    assert labels["1"]["metadata"] == {"source": "book"}


def test_a_folder_of_pictures_becomes_items_with_files(site: Site, tmp_path: Path) -> None:
    project = site.client.project("photos", create={**PETS, "modality": "image"})

    report = project.push_set(pictures(tmp_path))

    rows = list(project.labels(view="items"))
    assert report.created == 4
    assert sorted(row["label"]["class"] for row in rows) == ["cat", "cat", "dog", "dog"]
    assert all(row["image"]["name"].endswith(".png") for row in rows)


def test_sounds_of_a_set_are_taken_as_they_are_and_a_broken_one_is_named(site: Site, tmp_path: Path) -> None:
    good = io.BytesIO()
    soundfile.write(good, 0.1 * np.ones(800), 8_000, format="WAV")
    chosen = hub.Chosen("audio", "audio", "label", {})
    rows = [{"audio": {"bytes": good.getvalue()}, "label": "cat"}, {"audio": {"bytes": b"none"}, "label": "dog"}]
    project = site.client.project("sounds", create={**PETS, "modality": "audio"})

    report = hub.push(project, hub.PublicSet("clips", "train", chosen, rows), None, None)

    assert (report.created, report.rejected_count) == (1, 1)
    assert (report.rejected[0]["line"], report.rejected[0]["key"]) == (2, "clips/train/1")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves its file open
def test_a_table_keeps_its_columns_and_only_so_many_rows_are_taken(site: Site, tmp_path: Path) -> None:
    (tmp_path / "table").mkdir()
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "class": ["cat", "dog", "cat"]})
    frame.to_csv(tmp_path / "table" / "train.csv", index=False)
    project = site.client.project("table", create={**PETS, "modality": "table"})

    report = project.push_set(str(tmp_path / "table"), most=2)

    with warnings.catch_warnings():  # the library leaves a CSV file open where reading stops half-way
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    rows = list(project.labels(view="items"))
    assert report.created == 2
    assert [row["row"] for row in rows] == [{"a": 1, "b": 0.5}, {"a": 2, "b": 1.5}]


def test_the_command_line_reads_a_set_by_its_name(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.client.project("pets", create=PETS)
    monkeypatch.setenv("LABELWISE_TOKEN", site.token)
    name = texts(tmp_path)

    assert main(["import", "pets", f"hf:{name}", "--url", site.url, "--map", "text:sentence"]) == 0
    assert main(["import", "pets", f"hf:{name}", "--url", site.url, "--split", "nothing"]) == 1
    assert main(["import", "pets", f"hf:{name}", "--url", site.url, "--map", "key:id"]) == 1

    said = capsys.readouterr()
    assert "3 created, 0 updated, 0 unchanged, 0 rejected" in said.out
    assert "cannot be read" in said.err
    assert "--map names text and label only" in said.err


def test_what_cannot_be_read_is_said_in_a_sentence(site: Site, tmp_path: Path) -> None:
    project = site.client.project("photos", create={**PETS, "modality": "image"})
    with pytest.raises(LabelwiseError, match="cannot be read"):
        project.push_set(str(tmp_path / "nowhere"))
    with pytest.raises(LabelwiseError, match="holds items of text, the project of image"):
        project.push_set(texts(tmp_path))
    with pytest.raises(LabelwiseError, match="there is no column 'body'; there are sentence, label, source"):
        hub.open_set(str(tmp_path / "texts"), text="body")


def test_without_the_library_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def missing(name: str, *args: Any) -> Any:
        if name == "datasets":
            raise ImportError(name)
        return load(name, *args)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(LabelwiseError, match=r"pip install 'labelwise\[hub\]'"):
        hub.open_set("ag_news")


def test_json_lines_with_texts_and_names_are_guessed_rightly(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    lines = [{"text": f"t{n}", "label": "cat", "id": n, "nested": {"a": 1}} for n in range(3)]
    (tmp_path / "set" / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))

    found = hub.open_set(str(tmp_path / "set"))

    assert (found.chosen.kind, found.chosen.content, found.chosen.label) == ("text", "text", "label")
    assert next(found.items()) | {"key": ""} == {"key": "", "text": "t0", "label": "cat", "metadata": {"id": 0}}
