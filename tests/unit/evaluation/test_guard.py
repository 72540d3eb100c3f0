"""The guard: its evidence by hand, and both of its ways."""

import numpy as np
import pytest

from app.evaluation.guard import Guard, evidence


def after(guard: Guard, *checks: tuple[float, float]) -> Guard:
    """The guard after checks with answers won and lost, each judged by ten answers more."""
    for won, lost in checks:
        guard = guard.after(won, lost, guard.judged + 10)
    return guard


def test_evidence_is_the_integral_that_the_docstring_says() -> None:
    q = np.linspace(0.5, 1, 200_001)
    for won, lost in ((0.0, 0.0), (3.0, 12.0), (12.0, 5.0), (0.5, 2.5)):
        integrand = 2 * (2 * q) ** lost * (2 * (1 - q)) ** won
        area = float((integrand[1:] + integrand[:-1]).mean() / 2 * 0.5)
        assert evidence(won, lost) == pytest.approx(area, rel=1e-6)
    assert evidence(0, 5_000) > 1e100
    assert evidence(5_000, 0) < 1e-3


def test_three_checks_in_a_row_raise_it_and_three_lower_it_again() -> None:
    behind, level, ahead = (2, 12), (5, 5), (8, 4)

    assert not after(Guard(), behind, behind).raised
    assert not after(Guard(), behind, behind, level, behind, behind).raised
    up = after(Guard(), behind, level, behind, behind, behind)
    assert up == Guard(raised=True, judged=50)
    assert after(up, ahead, ahead, behind, ahead, ahead).raised
    assert after(up, ahead, level, ahead) == Guard(judged=80)
    assert after(Guard(), *[ahead] * 9) == Guard(judged=90)


def test_the_same_answers_count_once() -> None:
    once = Guard().after(0, 20, 40)

    assert once.after(0, 20, 40).after(0, 20, 40) == once == Guard(streak=1, judged=40)
    assert Guard.from_json(once.to_json()) == once
    assert Guard.from_json(None) == Guard()


@pytest.mark.parametrize("decided", [5, 20, 80, 300])
def test_a_fair_coin_says_behind_at_most_once_in_ten_and_a_bent_one_is_noticed(decided: int) -> None:
    lost = np.random.default_rng(decided).binomial(decided, 0.5, 2_000)
    said = np.array([evidence(decided - n, n) for n in range(decided + 1)]) >= 10

    assert said[lost].mean() <= 0.1
    assert not said[: decided // 2 + 1].any()
    assert decided < 80 or said[int(0.7 * decided)]
