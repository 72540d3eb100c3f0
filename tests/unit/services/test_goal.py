"""When a goal is reached: an accuracy only where the whole band lies above it, a day only when it is over."""

from dataclasses import replace
from datetime import date

import pytest

from app.evaluation.intervals import in_words
from app.services.goal import Standing, measured, reached

TODAY = date(2026, 12, 1)


def standing(labels: int = 0, low: float | None = None, hours: float = 0.0) -> Standing:
    accuracy = None if low is None else {"value": low + 0.03, "low": low, "high": low + 0.05, "n": 300}
    return Standing(labels, accuracy, hours, began=date(2026, 11, 21), today=TODAY)


@pytest.mark.parametrize(
    ("goal", "now", "said"),
    [
        ({"accuracy": 0.9}, standing(60, 0.91), "The goal of 90 % is reached (91 to 96 %): stop here, or set"),
        ({"accuracy": 0.9}, standing(60, 0.88), None),  # 91 % as measured, but it may be 88
        ({"accuracy": 0.9}, standing(60), None),
        ({"accuracy": 0.995}, standing(60, 0.9951), "The goal of 99.5 % is reached (99.5 to"),
        ({"accuracy": 0.955}, standing(60, 0.9561), "The goal of 95.5 % is reached (95.6 to"),
        ({"labels": 2_000}, standing(2_000), "The goal of 2,000 labels is reached"),
        ({"labels": 2_000}, standing(1_999, 0.99), None),
        ({"accuracy": 0.99, "labels": 50}, standing(60, 0.91), "The goal of 50 labels is reached"),
        ({"hours": 40}, standing(hours=40.0), "The goal of 40 hours is reached"),
        ({"hours": 40}, standing(hours=39.9), None),
        ({"date": "2026-12-01"}, standing(), None),  # its last day
        ({"date": "2026-11-30"}, standing(), "The last day of the goal, 30 November 2026, is over"),
        ({}, standing(10**6, 0.99), None),
    ],
)
def test_the_goal_is_said_to_be_reached_only_when_it_is(goal: dict, now: Standing, said: str | None) -> None:
    found = reached(list(measured(goal, now)))

    assert (found is None) if said is None else (found or "").startswith(said)


@pytest.mark.parametrize(("low", "high"), [(0.5755, 0.7521), (0.576, 0.75), (0.8999, 0.9501)])
def test_the_goal_and_the_headline_say_the_same_band_rounded_outward(low: float, high: float) -> None:
    accuracy = {"value": 0.9, "low": low, "high": high, "n": 300}

    (part,) = measured({"accuracy": 0.9}, replace(standing(), accuracy=accuracy))

    ends = {0.5755: ("57.5", "75.3"), 0.576: ("57.6", "75"), 0.8999: ("89.9", "95.1")}[low]
    assert part.words == f"90 % right ({ends[0]} to {ends[1]} %), goal 90 %"
    assert in_words(accuracy) == f"90 % (between {ends[0]} and {ends[1]} %, 300 audit answers)"
    assert part.reached is False


def test_each_part_of_a_goal_says_how_far_it_is() -> None:
    goal = {"accuracy": 0.9, "labels": 400, "hours": 8, "date": "2026-12-11"}

    found = list(measured(goal, standing(100, 0.8, hours=2.0)))

    assert [(part.name, part.share) for part in found] == [
        ("accuracy", None), ("labels", 0.25), ("hours", 0.25), ("date", 0.5),
    ]  # fmt: skip
    assert [part.words for part in found] == [
        "83 % right (80 to 85 %), goal 90 %",
        "100 of 400 labels",
        "2.0 of 8 hours",
        "10 days left, until 11 December 2026",
    ]


@pytest.mark.parametrize(("day", "words"), [(1, "the last day, 1 December 2026"), (2, "1 day left, until 2 December")])
def test_the_last_days_are_counted(day: int, words: str) -> None:
    (found,) = measured({"date": f"2026-12-0{day}"}, standing())

    assert found.words.startswith(words)
