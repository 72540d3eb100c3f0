"""The paired difference: its sign, and that its interval holds the truth as often as it says, counted and not drawn."""

import numpy as np
import pytest
from scipy.stats import multinomial

from app.evaluation.paired import Paired


def test_only_items_on_which_both_differ_count() -> None:
    first = np.array([True, True, False, False, True])
    second = np.array([True, False, True, True, True])

    found = Paired.of(first, second)

    assert (found.gained, found.lost, found.n) == (2, 1, 5)
    assert found.difference == pytest.approx(0.2)
    assert found.verdict == "cannot tell"
    assert found.chance == 1.0


def test_a_clear_gain_is_better_a_clear_loss_worse_and_they_mirror_each_other() -> None:
    better, worse = Paired(12, 1, 100), Paired(1, 12, 100)

    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert better.interval == pytest.approx(tuple(-each for each in reversed(worse.interval)))
    assert better.interval[0] < better.difference < better.interval[1]
    assert better.chance == pytest.approx(2 * 14 / 2**13)


def test_nothing_that_differs_and_nothing_at_all_tell_nothing() -> None:
    assert Paired(0, 0, 50).interval[1] == pytest.approx(-Paired(0, 0, 50).interval[0])
    assert 0.09 < Paired(0, 0, 50).interval[1] < 0.12
    assert Paired(0, 0, 0).to_json()["verdict"] == "cannot tell"


@pytest.mark.parametrize(("gain", "loss"), [(0.2, 0.05), (0.1, 0.1), (0.02, 0.0), (0.5, 0.4)])
def test_the_interval_holds_the_truth_in_95_of_100(gain: float, loss: float) -> None:
    n, held = 30, 0.0
    for gained in range(n + 1):
        for lost in range(n + 1 - gained):
            low, high = Paired(gained, lost, n).interval
            if low - 1e-12 <= gain - loss <= high + 1e-12:
                held += multinomial.pmf([gained, lost, n - gained - lost], n, [gain, loss, 1 - gain - loss])
    assert held >= 0.95
