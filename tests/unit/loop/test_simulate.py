"""Replays: the same rounds, charged honestly, resumable and repeatable."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from app.core.block import Block
from app.loop.serving import audit_reserved
from app.loop.simulate import Dataset, full_accuracy, paired_difference, ratio_to, simulate, simulate_all


@pytest.fixture(scope="module")
def digits() -> Dataset:
    matrix, truth = load_digits(return_X_y=True)
    matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    block = Block(matrix.astype(np.float32))
    pool, test = np.arange(1_200), np.arange(1_200, 1_797)
    names = tuple(str(digit) for digit in range(10))
    return Dataset("digits", "image", names, block.take(pool), truth[pool], block.take(test), truth[test])


def test_a_replay_asks_every_item_once_and_ends_as_before(digits: Dataset) -> None:
    first, again = simulate(digits, "auto", 3, labels=100), simulate(digits, "auto", 3, labels=100)

    assert first.labels == [20, 40, 60, 80, 100]
    assert len(set(first.order)) == 100
    assert (first.order, first.accuracy) == (again.order, again.accuracy)
    assert simulate(digits, "auto", 4, labels=20).order != first.order[:20]


def test_the_audit_share_is_charged_and_never_asked_by_the_strategy(digits: Dataset) -> None:
    run = simulate(digits, "auto", 3, labels=200, audit_share=0.1)

    reserved = [row for row in run.order if audit_reserved(3, digits.keys[row], 0.1)]
    assert len(reserved) == run.audit_labels
    assert 30 <= run.audit_labels <= 80
    assert simulate(digits, "random", 3, labels=40).audit_labels == 0


def test_choosing_beats_chance_on_digits(digits: Dataset) -> None:
    runs = [simulate(digits, name, seed, labels=160) for seed in (1, 2, 3) for name in ("auto", "random")]

    assert paired_difference(runs, "auto")["mean"] > 0.02
    ratio = ratio_to(runs, "auto", 0.9 * full_accuracy(digits), 160)
    assert ratio is not None
    assert ratio["value"] <= 0.75


def test_a_pool_that_runs_out_ends_the_replay(digits: Dataset) -> None:
    small = Dataset(
        "small",
        "image",
        digits.classes,
        digits.pool.take(np.arange(50)),
        digits.labels[:50],
        digits.test,
        digits.test_labels,
    )

    run = simulate(small, "margin", 1, labels=600)

    assert sorted(run.order) == list(range(50))
    assert run.fallbacks[0].startswith("round 1: random: no labels")


def test_finished_runs_are_read_from_their_files(digits: Dataset, tmp_path: Path) -> None:
    counted: list[int] = []
    first = simulate_all(digits, ["random"], [1, 2], labels=40, output=tmp_path, done=counted.append)
    files = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}

    again = simulate_all(digits, ["random"], [1, 2, 3], labels=40, output=tmp_path)

    assert counted == [1, 1]
    assert again[:2] == first
    assert {file: file.stat().st_mtime_ns for file in files} == files
    assert len(list(tmp_path.iterdir())) == 3
