"""The limits of the curve and of the budget: at the number itself, and on either side of it."""

from dataclasses import replace

import pytest

from app.evaluation.stopping.base import Seen, Terms
from app.evaluation.stopping.budget import Budget
from app.evaluation.stopping.curve import FEWEST_POINTS, Curve, CurveExtrapolation, fitted


def rounds(curve: Curve, *labels: int) -> list[Seen]:
    return [Seen(each, accuracy=curve.at(each), low=0.0, high=1.0, judges=100) for each in labels]


@pytest.mark.parametrize(
    ("goal", "hours", "stops", "words"),
    [
        ({"most_labels": 100}, 0.0, True, "100 of 100 labels are spent."),
        ({"most_labels": 101}, 0.0, False, "100 of 101 labels are spent."),
        ({"most_labels": 99}, 0.0, True, "100 of 99 labels are spent."),
        ({"most_hours": 2.5}, 2.5, True, "2.5 of 2.5 hours are spent."),
        ({"most_hours": 2.5}, 2.49, False, "2.49 of 2.5 hours are spent."),
        ({"most_cost": 50.0, "hour_price": 20.0}, 2.5, True, "50 of 50 cost are spent."),
        ({"most_cost": 50.0, "hour_price": 20.0}, 2.4, False, "48 of 50 cost are spent."),
        ({"most_hours": 100.0}, 99.997, False, "99.99 of 100 hours are spent."),
        ({"most_cost": 50_000.0, "hour_price": 30.0}, 1_000.3, False, "30,009 of 50,000 cost are spent."),
        ({"most_labels": 1_000, "most_hours": 2.0}, 2.0, True, "2 of 2 hours are spent."),
        ({"most_labels": 100, "most_hours": 9.0}, 1.0, True, "100 of 100 labels are spent."),
    ],
)
def test_a_budget_stops_at_what_the_goal_allows_by_the_part_that_is_furthest(
    goal: dict[str, float], hours: float, stops: bool, words: str
) -> None:
    found = Budget().judge([Seen(40), Seen(140)], replace(Terms(labels=100), hours=hours, **goal))  # type: ignore[arg-type]  # by the names of the fields

    assert (found.stop, found.words) == (stops, words)


def test_a_cost_without_a_price_and_a_goal_without_a_budget_ask_nothing() -> None:
    for terms in (Terms(), replace(Terms(), most_cost=50.0, hours=100.0)):
        assert Budget().judge([Seen(100)], terms).stop is None


def test_the_curve_stops_below_the_gain_that_is_little_and_not_at_it() -> None:
    history = rounds(Curve(0.9, 2.0, 1.0), 40, 80, 120, 160)
    gain = Curve(0.9, 2.0, 1.0).gain(160, 40)  # a quarter more

    just, at = CurveExtrapolation(gain + 1e-6).judge(history, Terms()), CurveExtrapolation(gain - 1e-6)

    assert gain == pytest.approx(2 / 160 - 2 / 200)
    assert (just.stop, at.judge(history, Terms()).stop) == (True, False)
    assert just.value == pytest.approx(gain)


def test_the_curve_needs_four_different_numbers_of_labels_with_an_accuracy() -> None:
    curve = Curve(0.9, 2.0, 1.0)
    same = rounds(curve, 40, 80, 120, 120, 120)
    unjudged = [*rounds(curve, 40, 80, 120), Seen(160)]

    assert FEWEST_POINTS == 4
    assert fitted(same) is None
    assert fitted(unjudged) is None
    assert CurveExtrapolation().judge(same, Terms()).stop is None
    assert fitted(rounds(curve, 40, 80, 120, 160)) is not None


def test_a_single_label_more_is_the_least_that_is_asked_about() -> None:
    found = CurveExtrapolation().judge(rounds(Curve(0.9, 2.0, 1.0), 1, 2, 3, 4)[::-1], Terms())

    assert " over 1 labels more;" in found.words
