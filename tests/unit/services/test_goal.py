"""When a project's goal is reached: an accuracy only where the whole band lies above it."""

import pytest

from app.db import Project, Round
from app.services.status import goal_reached


def evaluated(low: float) -> Round:
    return Round(metrics={"accuracy": {"value": low + 0.03, "low": low, "high": low + 0.05, "n": 300}})


@pytest.mark.parametrize(
    ("goal", "last", "answers", "said"),
    [
        ({"accuracy": 0.9}, evaluated(0.91), 60, "The goal of 90 % is reached (91 to 96 %)"),
        ({"accuracy": 0.9}, evaluated(0.88), 60, None),  # 91 % as measured, but it may be 88
        ({"accuracy": 0.9}, None, 60, None),
        ({"accuracy": 0.9}, Round(metrics={}), 60, None),
        ({"labels": 2_000}, None, 2_000, "The goal of 2,000 labels is reached"),
        ({"labels": 2_000}, evaluated(0.99), 1_999, None),
        ({"accuracy": 0.99, "labels": 50}, evaluated(0.91), 60, "The goal of 50 labels is reached"),
        (None, evaluated(0.99), 10**6, None),
    ],
)
def test_the_goal_is_said_to_be_reached_only_when_it_is(
    goal: dict | None, last: Round | None, answers: int, said: str | None
) -> None:
    found = goal_reached(Project(goal=goal), last, {"annotations": answers, "answers": answers, "audit": 0})
    assert (found is None) if said is None else (found or "").startswith(said)
