"""F1, the means over the classes and the mean absolute error: intervals that hold, also without a mistake."""

import numpy as np
import pytest

from app.evaluation.combined import Shares, alike, combine, exact, scored, unseen, worth
from app.evaluation.intervals import share
from app.evaluation.metrics import mean_absolute_error, report
from app.evaluation.sequence import counted

SIX = (0.05, 0.12, 0.23, 0.30, 0.08, 0.22)


def judged(said: np.ndarray, truth: np.ndarray, classes: int, weights: np.ndarray | None = None) -> dict:
    sure = np.eye(classes, dtype=np.float32)
    return report(sure[said], sure[truth], tuple(range(classes)), False, 0, None, weights)


def of_projects(count: int, n: int, shares: tuple[float, ...], accuracy: float):
    """What learners say that are wrong alike everywhere, with the truth: F1 and recall of each class."""
    s = np.array(shares)
    joint = accuracy * np.diag(s) + (1 - accuracy) * np.outer(s, s)
    f1, recall = 2 * np.diag(joint) / (joint.sum(axis=0) + s), np.diag(joint) / s
    for seed in range(count):
        rng = np.random.default_rng(seed)
        truth = rng.choice(len(s), n, p=s)
        said = np.where(rng.random(n) < accuracy, truth, rng.choice(len(s), n, p=s))
        yield judged(said, truth, len(s)), np.bincount(truth, minlength=len(s)) > 0, f1, recall


def holds(found: dict, true: float) -> bool:
    return found["low"] - 1e-4 <= true <= found["high"] + 1e-4


@pytest.mark.parametrize(
    ("n", "shares", "accuracy"),
    [(77, SIX, 0.9), (77, SIX, 0.97), (40, SIX, 0.95), (60, (0.9, 0.1), 0.95)],
)
def test_f1_and_the_means_over_classes_hold_in_95_of_100_projects(
    n: int, shares: tuple[float, ...], accuracy: float
) -> None:
    each, macro, balanced = [], [], []
    for found, there, f1, recall in of_projects(120, n, shares, accuracy):
        each += [holds(found["classes"][i]["f1"], f1[i]) for i in np.flatnonzero(there)]
        macro.append(holds(found["macro_f1"], f1[there].mean()))
        balanced.append(holds(found["balanced_accuracy"], recall[there].mean()))

    assert min(np.mean(each), np.mean(macro), np.mean(balanced)) >= 0.93


def test_four_answers_without_a_mistake_promise_no_f1_of_one() -> None:
    truth = np.array([0] * 4 + [1] * 60)

    found = judged(truth, truth, 2)

    low, _ = counted(4, 4, 0.05)
    assert found["classes"][0]["f1"]["low"] == pytest.approx(2 * low / (1 + low), abs=1e-4)
    assert (found["classes"][0]["f1"]["value"], found["classes"][0]["f1"]["high"]) == (1, 1)
    assert found["macro_f1"]["low"] < 0.85
    assert found["balanced_accuracy"]["low"] < 0.75


def test_f1s_ends_are_those_of_the_share_of_what_is_answered_or_predicted_as_the_class_that_is_both() -> None:
    truth = np.array([0] * 12 + [1] * 30)
    said = np.array([0] * 9 + [1] * 3 + [0] * 2 + [1] * 28)  # 9 found, 3 missed, 2 false alarms

    found = judged(said, truth, 2)["classes"][0]["f1"]

    low, high = counted(9, 14, 0.05)
    assert found["value"] == pytest.approx(18 / 23, abs=1e-4)
    assert found["low"] == pytest.approx(2 * low / (1 + low), abs=1e-4)
    assert found["high"] == pytest.approx(2 * high / (1 + high), abs=1e-4)


def test_answers_that_weigh_alike_change_nothing_and_few_that_weigh_much_know_less() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 90)
    said = np.where(rng.random(90) < 0.8, truth, rng.integers(0, 3, 90))

    plain, doubled = judged(said, truth, 3), judged(said, truth, 3, np.full(90, 2.0))
    uneven = judged(said, truth, 3, np.where(np.arange(90) % 9, 0.1, 5.0))

    assert plain == doubled
    for name in ("macro_f1", "balanced_accuracy"):
        narrow, wide = (each[name]["high"] - each[name]["low"] for each in (plain, uneven))
        assert wide > 1.5 * narrow


def test_the_value_lies_within_its_interval_whatever_the_answers_and_weights() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        classes, n = int(rng.integers(2, 12)), int(rng.integers(1, 40))
        said, truth = rng.integers(0, classes, n), rng.integers(0, classes, n)
        found = judged(said, truth, classes, rng.exponential(size=n) + 1e-3)
        told = [found["macro_f1"], found["balanced_accuracy"], *(each["f1"] for each in found["classes"])]
        for each in filter(None, told):
            assert 0 <= each["low"] <= each["value"] <= each["high"] <= 1


def test_a_class_that_is_predicted_and_never_answered_has_an_f1_of_nought_that_may_be_more() -> None:
    found = judged(np.array([0, 0, 1]), np.array([0, 0, 0]), 3)["classes"]

    assert (found[1]["f1"]["value"], found[1]["f1"]["low"], found[1]["f1"]["n"]) == (0, 0, 0)
    assert found[1]["f1"]["high"] > 0.9
    assert found[2]["f1"] is None


def test_without_any_class_in_the_answers_nothing_is_known_of_the_means() -> None:
    nothing = np.zeros((5, 2), dtype=np.float32)

    found = report(nothing, nothing, (1, 2), True, 0)

    assert (found["macro_f1"]["low"], found["macro_f1"]["high"]) == (0, 1)
    assert [each["f1"] for each in found["classes"]] == [None, None]


def test_mistakes_that_go_together_widen_the_mean_over_classes() -> None:
    rng = np.random.default_rng(0)
    targets = np.ones((80, 6), dtype=np.float32)
    apart = np.stack([rng.permutation(np.arange(80) < 16) for _ in range(6)], axis=1)
    together = np.repeat(apart[:, :1], 6, axis=1)

    widths = []
    for wrong in (apart, together):
        found = report(np.where(wrong, 0.1, 0.9).astype(np.float32), targets, tuple(range(6)), True, 0)
        widths.append(found["macro_f1"]["high"] - found["macro_f1"]["low"])

    assert widths[1] > 1.3 * widths[0]


@pytest.mark.parametrize(("n", "right"), [(20, 0.99), (77, 0.95), (77, 0.8), (300, 0.99)])
def test_the_mean_absolute_error_holds_also_where_none_was_seen(n: int, right: float) -> None:
    levels, held = np.arange(5.0), 0
    far = np.abs(np.clip(np.arange(5)[:, None] + np.array([-1, 1, 2]), 0, 4) - np.arange(5)[:, None]).mean()
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 5, n)
        said = np.where(rng.random(n) < right, truth, np.clip(truth + rng.choice([-1, 1, 2], n), 0, 4))
        found = mean_absolute_error(np.eye(5)[said], np.eye(5)[truth], levels)
        held += holds(found, (1 - right) * far)

    assert held >= 188


def test_an_error_of_every_answer_alike_still_has_an_interval() -> None:
    sure = np.eye(5, dtype=np.float32)[np.zeros(20, dtype=int)]

    found = mean_absolute_error(sure, np.roll(sure, 1, axis=1), np.arange(5.0))

    assert found["value"] == 1
    assert found["low"] < 0.9
    assert found["high"] > 1.1
    assert mean_absolute_error(sure[:, :1], sure[:, :1], np.array([3.0]))["high"] == 0


def test_exact_ends_and_wilsons_are_those_of_whole_counts_and_rise_with_the_share() -> None:
    for n in (1, 4, 30):
        shares = np.arange(n + 1) / n
        low, high = exact(shares, np.full(n + 1, float(n)))
        assert np.stack([low, high], axis=1) == pytest.approx(np.array([counted(x, n, 0.05) for x in range(n + 1)]))
        assert (np.diff(low) > 0).all()
        assert (np.diff(high) > 0).all()
        wilson = [share(float(x), n) for x in range(n + 1)]
        ends = scored(shares, np.full(n + 1, float(n)))
        assert ends[0] == pytest.approx([each.low for each in wilson], abs=1e-12)
        assert ends[1] == pytest.approx([each.high for each in wilson], abs=1e-12)


def test_a_share_is_worth_as_many_answers_as_were_counted() -> None:
    right = np.array([[1.0, 1], [0, 1], [1, 1], [1, 1]])
    found = Shares(right, np.ones((4, 2)), np.ones(4))

    assert found.counts.tolist() == [4, 4]
    assert worth(found.values, found.variances + unseen(found.counts)) == pytest.approx([4, 4])
    assert alike(np.array([[1.0], [1], [2]])).tolist() == [16 / 6]


def test_distances_are_squared_and_added_but_never_more_than_added() -> None:
    values, low, high = np.array([0.5, 0.8]), np.array([0.2, 0.4]), np.array([0.8, 1.0])

    value, least, most = combine(values, low, high, np.ones(2), 1.0)

    assert (value, least) == pytest.approx((1.3, 1.3 - np.sqrt(1.5 * (0.09 + 0.16))))
    assert most == pytest.approx(1.3 + np.sqrt(1.5 * (0.09 + 0.04)))
    assert combine(values, low, high, np.ones(2), 9.0) == pytest.approx((1.3, 0.6, 1.8))
