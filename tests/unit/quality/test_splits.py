"""Splits: drawn by group, the same each time, in their shares; what meets across them is found."""

from collections import Counter

import pytest

from app.core.errors import Invalid
from app.quality.splits import Division, Meetings, check_splits

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def test_groups_are_divided_in_their_shares() -> None:
    division = Division(SHARES, seed=7)

    found = Counter(division.of(f"group {number}") for number in range(20_000))

    assert {name: round(count / 20_000, 1) for name, count in found.items()} == SHARES


def test_a_group_is_drawn_the_same_again_and_otherwise_with_another_seed() -> None:
    names = [f"group {number}" for number in range(200)]
    one, again, other = (list(map(Division(SHARES, seed).of, names)) for seed in (7, 7, -8))

    assert one == again
    assert one != other


def test_shares_are_relative() -> None:
    assert {Division({"a": 2.0, "b": 2.0}, 1).of(str(number)) for number in range(50)} == {"a", "b"}
    assert {Division({"a": 0.1}, 1).of(str(number)) for number in range(50)} == {"a"}


@pytest.mark.parametrize(
    "shares",
    [
        {},
        {"train": 0.8},
        {"train": 1.0, "test": 0.0},
        {"train": 1.2, "test": -0.2},
        {"Train!": 1.0},
        {f"part-{number}": 1 / 11 for number in range(11)},
    ],
)
def test_splits_that_will_not_do_are_refused_by_name(shares: dict[str, float]) -> None:
    with pytest.raises(Invalid) as refused:
        check_splits(shares)

    assert list(refused.value.fields or {}) == ["splits"]
    assert check_splits({"a": 0.1, "b": 0.2, "c": 0.7}) == {"a": 0.1, "b": 0.2, "c": 0.7}


def test_likes_in_several_splits_are_found_with_a_row_of_each() -> None:
    meetings = Meetings()
    for row, (alike, split) in enumerate([("x", 0), ("y", 0), ("x", 0), ("x", 0), ("x", 1), ("y", 0), ("z", 1)]):
        meetings.add(row, alike, split)

    assert meetings.across(named=5, each=3) == (1, 4, [[(0, 0), (2, 0), (4, 1)]])
    assert meetings.across(named=0, each=3) == (1, 4, [])
    assert Meetings().across(named=5, each=3) == (0, 0, [])
