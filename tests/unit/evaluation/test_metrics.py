"""Metrics, intervals and learning curves against figures known from elsewhere."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, multilabel_confusion_matrix

from app.evaluation.curves import band, label_ratio, labels_to, paired, penalty_matrix
from app.evaluation.intervals import Estimate, answers_to_come, in_words, outward, share
from app.evaluation.metrics import hits, report
from app.evaluation.paired import Paired


def answers(rows: int = 300, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes, rows)
    probabilities = rng.dirichlet(np.ones(classes), rows)
    probabilities[np.arange(rows), truth] += 0.5
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities.astype(np.float32), np.eye(classes, dtype=np.float32)[truth]


def test_wilsons_interval_is_the_one_of_the_tables() -> None:
    found = share(9, 10)

    assert found is not None
    assert (found.value, found.n) == (0.9, 10)
    assert found.low == pytest.approx(0.5958, abs=1e-4)
    assert found.high == pytest.approx(0.9821, abs=1e-4)
    assert share(0, 0) is None


def test_the_interval_holds_the_truth_in_about_95_of_100_projects() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for successes in rng.binomial(60, 0.85, 2_000):
        found = share(float(successes), 60)
        inside += found is not None and found.low <= 0.85 <= found.high

    assert 0.93 <= inside / 2_000 <= 0.98


def test_a_report_agrees_with_scikit_learn() -> None:
    probabilities, targets = answers()

    found = report(probabilities, targets, (7, 8, 9, 11), False, seed=0)

    truth, predicted = targets.argmax(axis=1), probabilities.argmax(axis=1)
    assert found["accuracy"]["value"] == pytest.approx((truth == predicted).mean(), abs=1e-4)
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(truth, predicted, average="macro"), abs=1e-4)
    assert found["macro_f1"]["low"] < found["macro_f1"]["value"] < found["macro_f1"]["high"]
    assert found["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(truth, predicted), abs=1e-4)
    assert found["balanced_accuracy"]["low"] < found["balanced_accuracy"]["value"] < found["balanced_accuracy"]["high"]
    of_each = f1_score(truth, predicted, average=None)
    assert [each["f1"]["value"] for each in found["classes"]] == pytest.approx(of_each, abs=1e-4)
    assert [each["f1"]["n"] for each in found["classes"]] == np.bincount(truth).tolist()
    assert found["confusion"] == confusion_matrix(truth, predicted).tolist()
    assert [each["class_id"] for each in found["classes"]] == [7, 8, 9, 11]


def test_a_class_that_nobody_named_has_no_f1_and_does_not_count_in_the_means() -> None:
    probabilities, targets = answers(classes=3)
    wider = np.pad(probabilities, ((0, 0), (0, 1))), np.pad(targets, ((0, 0), (0, 1)))

    three, four = report(probabilities, targets, (1, 2, 3), False, 0), report(*wider, (1, 2, 3, 4), False, 0)

    assert four["classes"][3]["f1"] is None
    assert (four["macro_f1"], four["balanced_accuracy"]) == (three["macro_f1"], three["balanced_accuracy"])


def test_where_several_classes_may_hold_a_row_is_right_when_every_class_is() -> None:
    probabilities = np.array([[0.9, 0.8, 0.1], [0.9, 0.2, 0.1]], dtype=np.float32)
    targets = np.array([[1, 1, 0], [1, 1, 0]], dtype=np.float32)

    assert hits(probabilities, targets, True).tolist() == [1, 0]


def test_a_divided_item_is_right_to_the_share_that_agrees_whether_one_class_holds_or_several() -> None:
    said = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]], dtype=np.float32)
    answered = np.array([[0.5, 0.5], [0.5, 0.5], [0.75, 0.25]], dtype=np.float32)

    assert hits(said, answered, False).tolist() == [0.5, 0.5, 0.75]
    assert hits(said, answered, True).tolist() == [0.5, 0.5, 0.75]
    both = np.array([[0.9, 0.9, 0.1]] * 4, dtype=np.float32)
    several = np.array([[1, 0.5, 0], [0.5, 0.5, 0.5], [0.75, 0.25, 0], [1, 1, 1]], dtype=np.float32)
    assert hits(both, several, True).tolist() == [0.5, 0.5, 0.25, 0]


def test_a_wide_band_is_said_in_words_with_what_would_help() -> None:
    wide, narrow = share(8, 10), share(900, 1_000)
    assert wide is not None
    assert narrow is not None

    assert in_words(wide.to_json()) == "Between 49 and 94.4 %: about 42 more audit answers for plus or minus 10"
    assert (answers_to_come(wide.to_json()), answers_to_come(narrow.to_json())) == (42, 0)
    assert in_words(wide.to_json(), "test items").endswith("42 more test items for plus or minus 10")
    assert in_words(narrow.to_json()) == "90 % (between 87.9 and 91.8 %, 1000 audit answers)"


def test_the_ends_of_an_interval_are_rounded_outward_and_stay_where_only_floats_err() -> None:
    assert Estimate(0.95, 0.89995, 0.96004, 100).to_json() == {"value": 0.95, "low": 0.8999, "high": 0.9601, "n": 100}
    assert outward(-0.00004, -0.00004) == {"low": -0.0001, "high": 0.0}
    for place in range(10_001):
        end = place / 10_000
        assert outward(end - 1e-12, end + 1e-12) == outward(end + 1e-12, end - 1e-12) == {"low": end, "high": end}


def test_every_interval_that_is_kept_holds_the_one_that_was_found() -> None:
    for gained, lost in ((30, 11), (3, 40), (7, 7)):
        pair = Paired(gained, lost, 120)
        kept = pair.to_json()
        assert kept["low"] <= pair.interval[0] <= pair.interval[1] <= kept["high"]


def test_labels_to_a_target_is_the_first_time_that_it_is_reached() -> None:
    assert labels_to([20, 40, 60], [0.5, 0.8, 0.7], 0.8) == 40
    assert labels_to([20, 40, 60], [0.5, 0.8, 0.7], 0.9) is None


def test_a_ratio_counts_runs_that_never_arrive_and_says_how_many() -> None:
    found = label_ratio([100, 120, 80], [200, None, 240], budget=600)

    assert found is not None
    assert found["value"] == pytest.approx(100 / 240)
    assert found["low"] <= found["value"] <= found["high"]
    assert (found["censored"], found["censored_baseline"]) == (0, 1)
    assert label_ratio([None, None, 80], [200, 200, 200], budget=600) is None


def test_a_paired_difference_sees_what_an_unpaired_one_would_not() -> None:
    mine, other = [0.91, 0.71, 0.51], [0.90, 0.70, 0.50]

    found = paired(mine, other)

    assert found["mean"] == pytest.approx(0.01)
    assert found["low"] == pytest.approx(0.01)
    assert found["seeds"] == 3
    assert paired([], [])["seeds"] == 0


def test_a_strategy_that_always_wins_wins_in_the_matrix() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0.7, 0.02, 10)
    results = {"a": {"good": list(base + 0.05 + rng.normal(0, 0.01, 10)), "bad": list(base)}}

    assert penalty_matrix(results, ["good", "bad"]) == [[0.0, 1.0], [0.0, 0.0]]


def test_a_band_is_the_range_of_the_curves() -> None:
    mean, low, high = band([[0.5, 0.7], [0.7, 0.9]])

    assert mean.tolist() == pytest.approx([0.6, 0.8])
    assert (low.tolist(), high.tolist()) == ([0.5, 0.7], [0.7, 0.9])


def test_an_answer_that_weighs_two_is_two_answers() -> None:
    probabilities, targets = answers(60)
    weights = np.random.default_rng(2).integers(1, 4, 60)

    weighed = report(probabilities, targets, (1, 2, 3, 4), False, 0, (1, 2, 3, 4), weights.astype(np.float64))
    again = np.repeat(np.arange(60), weights)
    repeated = report(probabilities[again], targets[again], (1, 2, 3, 4), False, 0, (1, 2, 3, 4))

    for name in ("macro_f1", "balanced_accuracy", "mean_absolute_error", "accuracy"):
        assert weighed[name]["value"] == pytest.approx(repeated[name]["value"], abs=1e-4)
        assert weighed[name]["n"] == 60
        assert weighed[name]["high"] - weighed[name]["low"] > repeated[name]["high"] - repeated[name]["low"]
    assert weighed["calibration"]["error"] == pytest.approx(repeated["calibration"]["error"], abs=1e-4)
    for mine, theirs in zip(weighed["classes"], repeated["classes"], strict=True):
        for name in ("recall", "precision", "f1"):
            assert mine[name]["value"] == pytest.approx(theirs[name]["value"], abs=1e-4)
    assert sum(map(sum, weighed["confusion"])) == 60


def test_where_several_classes_may_hold_each_class_has_its_own_confusion_as_scikit_learn_counts_it() -> None:
    rng = np.random.default_rng(5)
    probabilities = rng.random((200, 4)).astype(np.float32)
    targets = (rng.random((200, 4)) < probabilities).astype(np.float32)

    found = report(probabilities, targets, (1, 2, 3, 4), True, 0)

    for each, table in zip(found["classes"], multilabel_confusion_matrix(targets, probabilities >= 0.5), strict=True):
        (rejected, alarms), (missed, right) = table
        assert each["counts"] == {
            "found": right, "missed": missed, "false_alarms": alarms, "rejected": rejected
        }  # fmt: skip
    assert "confusion" not in found
    assert (
        "counts" not in report(probabilities, np.eye(4)[targets.argmax(axis=1)], (1, 2, 3, 4), False, 0)["classes"][0]
    )
