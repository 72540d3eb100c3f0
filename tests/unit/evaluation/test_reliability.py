"""Calibration: by hand, as scikit-learn has it, for one class and for several, and an interval that holds."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from app.evaluation.metrics import report
from app.evaluation.reliability import calibration

SEED = 3


def test_probabilities_that_keep_their_word_have_no_calibration_error() -> None:
    said = np.full((400, 1), 0.75, dtype=np.float32)
    right = (np.arange(400) % 4 != 0).astype(np.float32)[:, None]

    kept, broken = calibration(said, right), calibration(said, np.zeros((400, 1), np.float32))

    assert kept["error"] == pytest.approx(0, abs=1e-6)
    assert (broken["error"], broken["high"], broken["n"]) == (0.75, 0.75, 400)
    assert 0.74 < broken["low"] < 0.745  # what was never true 400 times may be so once in a hundred
    assert kept["bins"][0]["low"] < 0.75 < kept["bins"][0]["high"]
    [never] = broken["bins"]
    assert (never["was"], never["low"]) == (0, 0)
    assert 0 < never["high"] < 0.02  # samples of nothing but mistakes would know no other


@pytest.mark.parametrize("classes", [1, 4])
def test_the_bins_are_those_of_scikit_learn_and_the_error_their_mean_distance(classes: int) -> None:
    rng = np.random.default_rng(SEED)
    said = rng.random((300, classes)).astype(np.float32)
    was = (rng.random((300, classes)) < said**2).astype(np.float32)

    found = calibration(said, was)

    true, told = calibration_curve(was.ravel(), said.ravel(), n_bins=10)
    assert [each["was"] for each in found["bins"]] == pytest.approx(true, abs=1e-4)
    assert [each["said"] for each in found["bins"]] == pytest.approx(told, abs=1e-4)
    counts = np.histogram(said.ravel(), np.linspace(0, 1, 11))[0]
    assert found["error"] == pytest.approx(np.average(np.abs(true - told), weights=counts), abs=1e-4)
    assert found["n"] == 300
    assert all(each["low"] <= each["was"] <= each["high"] for each in found["bins"])
    assert all(each["n"] <= 300 for each in found["bins"])


def test_an_item_that_weighs_two_is_two_items() -> None:
    rng = np.random.default_rng(SEED)
    said, was = rng.random((80, 2)).astype(np.float32), rng.integers(0, 2, (80, 2)).astype(np.float32)
    weights = rng.integers(1, 4, 80)

    weighed = calibration(said, was, weights.astype(np.float64))
    again = np.repeat(np.arange(80), weights)
    repeated = calibration(said[again], was[again])

    assert weighed["error"] == pytest.approx(repeated["error"], abs=1e-4)
    assert [each["was"] for each in weighed["bins"]] == pytest.approx(
        [each["was"] for each in repeated["bins"]], abs=1e-4
    )


def test_classes_of_one_item_stay_together_so_that_four_alike_know_no_more_than_one() -> None:
    rng = np.random.default_rng(SEED)
    said = np.full((200, 1), 0.55, dtype=np.float32)
    was = (rng.random((200, 1)) < 0.55).astype(np.float32)

    one, four = calibration(said, was), calibration(np.repeat(said, 4, 1), np.repeat(was, 4, 1))

    assert one == four


def test_a_bins_interval_holds_what_comes_true_in_95_of_100() -> None:
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        said = np.full((150, 1), 0.7, dtype=np.float32)
        [found] = calibration(said, (rng.random((150, 1)) < 0.6).astype(np.float32))["bins"]
        held += found["low"] <= 0.6 <= found["high"]

    assert 180 <= held <= 200


def test_a_report_calibrates_the_highest_probability_or_all_where_several_may_hold() -> None:
    rng = np.random.default_rng(SEED)
    said = rng.dirichlet(np.ones(3), 120).astype(np.float32)
    was = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 120)]

    one, several = report(said, was, (1, 2, 3), False, SEED), report(said, was, (1, 2, 3), True, SEED)

    best = said.argmax(axis=1)
    assert one["calibration"] == calibration(
        said.max(axis=1)[:, None], was[np.arange(120), best][:, None], np.ones(120)
    )
    assert several["calibration"] == calibration(said, was, np.ones(120))


def test_the_errors_interval_holds_also_where_nothing_was_wrong_yet_and_where_chance_keeps_bins_apart() -> None:
    for sure, real in ((0.97, 0.9), (0.9, 0.9), (0.99, 0.98)):
        held = 0
        for seed in range(200):
            rng = np.random.default_rng(seed)
            said = np.clip(np.linspace(sure - 0.3, sure, 4)[rng.integers(0, 4, 60)], 0, 1)
            was = rng.random(60) < said - (sure - real)
            found = calibration(said[:, None].astype(np.float32), was[:, None].astype(np.float32))
            held += found["low"] <= sure - real <= found["high"]
        assert held >= 188
