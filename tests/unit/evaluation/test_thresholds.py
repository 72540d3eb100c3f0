"""ROC and precision-recall curves against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from app.evaluation.intervals import share
from app.evaluation.metrics import weighted_share
from app.evaluation.thresholds import MOST_CURVES, POINTS, ranked


def judged(n: int = 400, classes: int = 3, seed: int = 0, steps: int = 50):
    """Probabilities with ties, truths that they tell something of, and uneven weights."""
    rng = np.random.default_rng(seed)
    truth = np.eye(classes, dtype=bool)[rng.integers(0, classes, n)]
    scores = np.round((truth + rng.normal(0, 1.2, truth.shape)) * steps) / steps
    return (scores / 8 + 0.5).clip(0, 1).astype(np.float32), truth, rng.uniform(0.5, 3, n)


@pytest.mark.parametrize("steps", [1_000, 3])
def test_areas_are_those_of_scikit_learn_with_ties_and_weights(steps: int) -> None:
    probabilities, truth, weights = judged(steps=steps)

    found = ranked(probabilities, truth, weights, seed=1)

    for i, each in enumerate(found.classes):
        auc = roc_auc_score(truth[:, i], probabilities[:, i], sample_weight=weights)
        mean = average_precision_score(truth[:, i], probabilities[:, i], sample_weight=weights)
        assert each["roc_auc"]["value"] == pytest.approx(auc, abs=1e-4)
        assert each["average_precision"]["value"] == pytest.approx(mean, abs=1e-4)
        assert each["roc_auc"]["low"] < auc < each["roc_auc"]["high"]
        assert each["roc_auc"]["n"] == truth[:, i].sum()
    values = [each["average_precision"]["value"] for each in found.classes]
    assert found.macro["average_precision"]["value"] == pytest.approx(np.mean(values), abs=1e-4)


def test_every_threshold_that_is_kept_lies_on_both_curves_of_scikit_learn() -> None:
    probabilities, truth, weights = judged(n=60)

    shown = ranked(probabilities, truth, weights, seed=1).classes[0]["thresholds"]

    alarms, recalls, thresholds = roc_curve(
        truth[:, 0], probabilities[:, 0], sample_weight=weights, drop_intermediate=False
    )
    precision, recall, limits = precision_recall_curve(truth[:, 0], probabilities[:, 0], sample_weight=weights)
    on_roc = {round(float(t), 4): (f, r) for t, f, r in zip(thresholds, alarms, recalls, strict=True)}
    on_curve = {round(float(t), 4): (p, r) for t, p, r in zip(limits, precision, recall, strict=False)}
    assert 2 < len(shown) <= POINTS
    assert shown[-1][1:3] == [1, 1]
    assert [row[0] for row in shown] == sorted((row[0] for row in shown), reverse=True)
    for threshold, found, alarm, right in shown:
        assert on_roc[threshold] == pytest.approx((alarm, found), abs=1e-4)
        assert on_curve[threshold] == pytest.approx((right, found), abs=1e-4)


@pytest.mark.parametrize("even", [True, False])
def test_every_threshold_says_how_many_are_taken_and_has_the_intervals_of_recall_and_precision(even: bool) -> None:
    probabilities, truth, weights = judged(n=60)
    weights = np.ones(60) if even else weights

    found = ranked(probabilities, truth, weights, seed=1).classes[0]

    assert len(found["bounds"]) == len(found["thresholds"]) > 2
    for (least, recall, _, precision), (taken, *ends) in zip(found["thresholds"], found["bounds"], strict=True):
        above = probabilities[:, 0] >= np.float32(least) - 1e-6
        both = above & truth[:, 0]
        assert taken == above.sum()
        for share_, n, low, high in ((recall, truth[:, 0], *ends[:2]), (precision, above, *ends[2:])):
            wilson = weighted_share(both, weights * n).to_json()
            assert (share_, low, high) == pytest.approx((wilson["value"], wilson["low"], wilson["high"]), abs=1e-4)


@pytest.mark.parametrize(("n", "shares"), [(150, (1 / 3, 1 / 3, 1 / 3)), (77, (0.05, 0.35, 0.6))])
def test_intervals_hold_the_truth_about_as_often_as_they_say(n: int, shares: tuple[float, ...]) -> None:
    held, macro = [], []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        truth = np.eye(3, dtype=bool)[rng.choice(3, n, p=shares)]
        found = ranked((2 * truth + rng.normal(size=truth.shape)).astype(np.float32), truth, np.ones(n), seed)
        areas = [each["roc_auc"] for each in found.classes if each["roc_auc"]]
        held += [area["low"] <= 0.9214 <= area["high"] for area in areas]  # two normals apart: Phi(2 / sqrt 2)
        macro.append(found.macro["roc_auc"]["low"] <= 0.9214 <= found.macro["roc_auc"]["high"])

    assert np.mean(held) >= 0.94
    assert np.mean(macro) >= 0.94


def test_the_mean_of_classes_without_a_mistake_promises_no_more_than_the_rarer_ones_let_it() -> None:
    truth = np.zeros((100, 3), dtype=bool)
    truth[:4, 0], truth[4:10, 1], truth[10:, 2] = True, True, True

    found = ranked(truth.astype(np.float32), truth, np.ones(100), seed=1)

    ends = [each["roc_auc"]["low"] for each in found.classes]
    assert round(float(np.mean(ends)), 3) <= found.macro["roc_auc"]["low"] < 0.85


def test_four_items_without_a_mistake_promise_little() -> None:
    truth = np.zeros((100, 2), dtype=bool)
    truth[:4, 0], truth[4:, 1] = True, True

    found = ranked(truth.astype(np.float32), truth, np.ones(100), seed=1).classes[0]["roc_auc"]

    assert (found["value"], found["high"]) == (1, 1)
    assert found["low"] == pytest.approx(share(4, 4).low, abs=1e-4)
    assert found["low"] < 0.6


def test_a_class_that_every_item_or_none_has_is_left_out() -> None:
    probabilities, truth, weights = judged()
    truth[:, 2] = False

    found = ranked(probabilities, truth, weights, seed=1)

    assert found.classes[2] == {"roc_auc": None, "average_precision": None, "thresholds": None, "bounds": None}
    assert found.macro["roc_auc"] is not None
    nothing = ranked(probabilities, np.zeros_like(truth), weights, seed=1)
    assert nothing.macro == {"roc_auc": None, "average_precision": None}


def test_of_very_many_classes_only_the_areas_are_kept() -> None:
    found = ranked(*judged(n=200, classes=MOST_CURVES + 1), seed=1)

    assert all(each["thresholds"] is None for each in found.classes)
    assert found.classes[0]["roc_auc"] is not None
