"""Worst slices: what is found, what is not claimed, and how rarely chance alone is called worse."""

from typing import Any

import numpy as np
import pytest

from app.evaluation.slices import FEWEST, MOST_COLUMNS, MOST_VALUES, holm, worst


def found(hits: Any, **columns: list[Any]) -> dict[str, Any]:
    result = worst(np.asarray(hits, dtype=np.float32), columns)
    assert result is not None
    return result


def test_a_bad_source_is_named_with_what_is_behind_it() -> None:
    hits = [1] * 78 + [0] * 2 + [1] * 8 + [0] * 12

    report = found(hits, source=["web"] * 80 + ["mail"] * 20, language=["en", "de"] * 50)

    first = report["worst"][0]
    assert (first["column"], first["value"], first["worse"]) == ("source", "mail", True)
    assert (first["wrong"], first["accuracy"]["n"], first["rest"]) == (12, 20, {"value": 0.975, "n": 80})
    assert first["accuracy"]["low"] < 0.4 < first["accuracy"]["high"]
    assert first["chance"] < 0.001
    assert report["worse"] == 1
    assert report["looked_at"] == 4


def test_a_small_difference_cannot_be_told_yet_and_is_still_shown() -> None:
    hits = ([1] * 9 + [0]) * 4 + ([1] * 8 + [0, 0]) * 2

    report = found(hits, source=["web"] * 40 + ["mail"] * 20)

    assert report["worse"] == 0
    assert [(row["value"], row["worse"]) for row in report["worst"]] == [("mail", False)]


def test_numbers_are_cut_at_their_quartiles_and_each_belongs_to_one_range() -> None:
    numbers = [float(n) for n in range(100)]
    hits = [0] * 20 + [1] * 80

    first = found(hits, length=numbers)["worst"][0]

    assert first | {"low": None, "high": 25.0, "worse": True} == first
    assert first["wrong"] == 20


def test_few_numbers_missing_values_and_truths_are_slices_of_their_own() -> None:
    hits = [0] * 15 + [1] * 45
    report = found(
        hits, year=[1990] * 15 + [1991] * 45, note=[None] * 15 + ["x"] * 45, draft=[True] * 15 + [False] * 45
    )

    # The three tell the same items apart, so they are one slice and not looked at three times.
    assert report["looked_at"] == 2
    assert report["worst"][0]["wrong"] == 15
    assert found(hits, note=[None] * 15 + ["x"] * 45)["worst"][0]["missing"] is True


def test_what_is_too_small_or_too_much_is_left_out_and_said() -> None:
    hits = [1, 0] * 300
    assert worst(np.array(hits), {"id": [str(n) for n in range(600)]}) is None
    assert worst(np.array([1, 0] * FEWEST), {"x": ["a"] * (FEWEST + 1) + ["b"] * (FEWEST - 1)}) is None

    many = found(
        hits, **{f"c{n}": [("a", "b")[(each >> n % 9) & 1] for each in range(600)] for n in range(MOST_COLUMNS + 3)}
    )
    values = found(hits, v=[f"v{each % (MOST_VALUES + 5)}" for each in range(600)])

    assert many["left_out"] == 3
    assert values["left_out"] == 5
    assert values["looked_at"] == MOST_VALUES


def test_later_looks_ask_for_more_and_what_this_one_alone_would_say_is_likely() -> None:
    columns = {"source": ["web"] * 80 + ["mail"] * 20}
    hits = np.array([1] * 72 + [0] * 8 + [1] * 12 + [0] * 8)

    said = [result["worst"][0] for look in (1, 30) if (result := worst(hits, columns, look)) is not None]

    assert [(each["worse"], each["likely"]) for each in said] == [(True, True), (False, True)]


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_chance_alone_is_hardly_ever_called_worse() -> None:
    rng = np.random.default_rng(1)
    columns = {f"c{n}": [f"v{each}" for each in rng.integers(0, 4, 120)] for n in range(8)}

    false = sum(found(rng.random(120) < 0.8, **columns)["likely"] > 0 for _ in range(300))

    assert false <= 24  # 5 % would be 15, and three of its standard deviations more
