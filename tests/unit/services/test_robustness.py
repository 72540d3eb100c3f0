"""What is said of disturbances in one sentence."""

from typing import Any

from app.services.robustness import words


def said(*kinds: dict[str, Any]) -> str | None:
    return words({"lack": None, "kinds": list(kinds)})


def kind(name: str, value: float, low: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "loss": {"value": value, "low": low, "high": 2 * value - low}, **more}


def test_the_worst_of_those_that_surely_cost_something_is_named() -> None:
    unsure = kind("column", 0.08, -0.01, column="ears")

    assert said(kind("missing", 0.06, 0.02), unsure) == (
        "Disturbed most by missing: 6 points less are right (2 to 10)."
    )
    assert said(kind("missing", 0.06, 0.02), kind("column", 0.3, 0.1, column="ears")) == (
        "Disturbed most without the column ears: 30 points less are right (10 to 50)."
    )
    assert said(unsure) == "No disturbance of the items is sure to cost accuracy."
    assert said() is None
    assert words(None) is None
