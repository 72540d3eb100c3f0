"""The staged labelled sets as simulations read them. They are measured on and never shipped."""

import importlib.util
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from app.loop.sets import Dataset, make_dataset
from benchmarks.generated import GENERATED

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
POOL_ROWS = 6_000  # of a set, at most
TEST_ROWS = 2_000


def folder() -> Path:
    """Where the sets lie: LABELWISE_DATA_SETS, else beside the checkout."""
    return Path(os.environ.get("LABELWISE_DATA_SETS", BESIDE))


@cache
def _loader() -> Any:
    spec = importlib.util.spec_from_file_location("sets_load", folder() / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def raw(name: str, split: str) -> tuple[str, list[Any], list[str]]:
    """Modality, payloads and labels of a split; `fsdd:speaker` takes another field of the items for the label."""
    name, _, field = name.partition(":")
    items, labels = _loader().load(name, split=split)
    if field:
        labels = [each[field] for each in items]
    if isinstance(items[0], str):
        return "text", items, labels
    if "bytes" in items[0]:
        return "audio" if items[0]["file"].endswith(".wav") else "image", _files(items), labels
    return "table", items, labels


def _files(items: list[Any]) -> list[Path]:
    """The clips or pictures as files, for the length of this process."""
    into = Path(tempfile.mkdtemp(dir=_folder_of_files().name))
    paths = []
    for each in items:
        path = into / Path(each["file"]).name
        path.write_bytes(each["bytes"])
        paths.append(path)
    return paths


@cache
def _folder_of_files() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="labelwise-sets-")


def dataset(name: str, featurizer: dict[str, Any] | None = None) -> Dataset:
    """A set's features, as a project of its modality makes them; a generated one by its name."""
    if name in GENERATED:
        return GENERATED[name]()
    modality, pool, labels = raw(name, "train")
    _, test, test_labels = raw(name, "test")
    pool, labels = pool[:POOL_ROWS], labels[:POOL_ROWS]
    test, test_labels = test[:TEST_ROWS], test_labels[:TEST_ROWS]
    return make_dataset(name, modality, pool, labels, test, test_labels, featurizer)
