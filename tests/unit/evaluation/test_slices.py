"""Worst slices: what is found, what is not claimed, and how rarely chance alone is called worse."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import hypergeom

from app.evaluation.intervals import outward
from app.evaluation.sequence import LEVEL, counted
from app.evaluation.slices import FEWEST, MOST_COLUMNS, MOST_NAMED, MOST_VALUES, along, holm, worst


def found(hits: Any, **columns: list[Any]) -> dict[str, Any]:
    result = worst(np.asarray(hits, dtype=np.float32), columns)
    assert result is not None
    return result


def test_a_bad_source_is_named_with_what_is_behind_it() -> None:
    hits = [1] * 78 + [0] * 2 + [1] * 8 + [0] * 12

    report = found(hits, source=["web"] * 80 + ["mail"] * 20, language=["en", "de"] * 50)

    first = report["worst"][0]
    assert (first["column"], first["value"], first["worse"]) == ("source", "mail", True)
    assert (first["wrong"], first["accuracy"]["n"], first["rest"]["n"], first["rest"]["value"]) == (12, 20, 80, 0.975)
    ends = outward(*counted(78, 80, LEVEL / 4))  # as the slice's own: of the four that were looked at
    assert {name: first["rest"][name] for name in ("low", "high")} == ends
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


@pytest.mark.night
def test_chance_alone_is_hardly_ever_called_worse() -> None:
    rng = np.random.default_rng(1)
    columns = {f"c{n}": [f"v{each}" for each in rng.integers(0, 4, 120)] for n in range(8)}

    false = sum(found(rng.random(120) < 0.8, **columns)["likely"] > 0 for _ in range(300))

    assert false <= 24  # 5 % would be 15, and three of its standard deviations more


def test_a_column_that_is_asked_for_shows_small_slices_and_what_is_missing() -> None:
    hits = [1, 1, 0, 0, 0, 1, 1]
    rows, beyond = along(np.array(hits, dtype=np.float32), "by", ["x", "x", "y", "y", "z", None, 3.0])

    assert beyond == 0
    assert [(row.get("value", "-"), row["wrong"], row["accuracy"]["n"]) for row, _ in rows] == [
        ("x", 0, 2), ("y", 2, 2), ("z", 1, 1), (3.0, 0, 1), ("-", 0, 1)
    ]  # fmt: skip
    assert rows[-1][0]["missing"] is True
    assert sum(inside.astype(int) for _, inside in rows).tolist() == [1] * 7
    for row, _ in rows:
        assert 0 <= row["accuracy"]["low"] <= row["accuracy"]["value"] <= row["accuracy"]["high"] <= 1
        assert row["accuracy"]["high"] - row["accuracy"]["low"] > 0.8  # two items say next to nothing
        assert not row["likely"]


def test_a_column_with_one_value_has_no_rest_and_one_with_too_many_is_cut_short() -> None:
    [(only, _)], _ = along(np.ones(5), "by", ["x"] * 5)
    many, beyond = along(np.ones(300), "by", [f"v{n:03}" for n in range(300)])

    assert (only["rest"], only["likely"]) == (None, False)
    assert (len(many), beyond) == (MOST_NAMED, 100)


def test_a_slice_that_is_far_behind_is_likely_worse_beyond_the_slices_of_its_column() -> None:
    hits = np.array([1] * 90 + [0] * 10)
    rows, _ = along(hits, "by", ["a"] * 30 + ["b"] * 30 + ["c"] * 25 + ["d"] * 15)

    said = {row["value"]: row["likely"] for row, _ in rows}
    assert said == {"a": False, "b": False, "c": False, "d": True}
    chance = float(hypergeom.cdf(5, 100, 90, 15))
    assert next(row["chance"] for row, _ in rows if row["value"] == "d") == pytest.approx(4 * chance, rel=0.01)


def test_whole_numbers_that_no_float_is_are_no_slices() -> None:
    """A filter compares floats: it found none of them."""
    rows, beyond = along([1] * 40, "id", [2**53, 2**53 + 1, 10**400, "x"] * 10)

    assert [row.get("value") for row, _ in rows] == ["x", float(2**53)]
    assert beyond == 0
