"""Labels saved: the tests by hand, both sides, and that a project without signal learns nothing from looking."""

from math import comb

import numpy as np
import pytest

from app.evaluation.saved import Comparison, Saved, first_as_good, needed, refused


def hits(right: int, n: int = 100) -> np.ndarray:
    """The first so many of n answers are right: of two learners the better one wins, and loses nothing."""
    return (np.arange(n) < right).astype(np.float32)


def test_the_sign_test_is_the_tail_of_a_fair_coin() -> None:
    for won, lost in ((8, 0), (9, 3), (5, 5), (0, 4)):
        tail = sum(comb(won + lost, x) for x in range(won, won + lost + 1)) / 2 ** (won + lost)

        assert refused(won, lost, tail + 1e-12) == (won > 0)
        assert not refused(won, lost, tail - 1e-12)
    assert refused(6, 0, 0.02)
    assert not refused(5.9, 0.0, 0.02)  # part of an answer counts against it


def test_sizes_that_are_surely_enough_and_surely_too_few_bound_the_labels_needed() -> None:
    found = Comparison(80, hits(70), {10: hits(40), 20: hits(60), 40: hits(72), 60: hits(82), 80: hits(85)})

    assert needed(found, 0.05) == (20, 60)
    assert first_as_good(found) == 40
    assert needed(found, 1e-8) == (10, None)

    saved = Saved().after(found, 7)
    assert (saved.labels, saved.low, saved.high, saved.value, saved.round) == (80, 20, 60, 40, 7)
    assert saved.tells


def test_one_size_that_is_not_sure_ends_the_way_down() -> None:
    lucky = Comparison(80, hits(70), {20: hits(85), 40: hits(72), 60: hits(85)})

    assert needed(lucky, 0.05) == (0, 60)


def test_where_choosing_loses_it_is_said_with_a_minus() -> None:
    found = Comparison(80, hits(90), {size: hits(60) for size in (20, 40, 80, 160)})

    saved = Saved().after(found, 3)

    assert (saved.low, saved.high, saved.value) == (None, -80, None)
    assert saved.tells
    assert Saved.from_json(saved.to_json()) == saved
    assert Saved.from_json(None) == Saved()


def test_a_look_is_taken_when_a_quarter_more_judges_are_in_and_keeps_what_was_found() -> None:
    found = Comparison(80, hits(70), {40: hits(85), 80: hits(85)})
    nothing = Comparison(120, hits(70), {40: hits(70), 80: hits(70)})

    first = Saved().after(found, 4)
    second = first.after(nothing, 9)

    assert not Saved().waits_for(19)
    assert Saved().waits_for(20)
    assert not first.waits_for(124)
    assert first.waits_for(125)
    assert (second.looks, second.labels, second.low, second.round) == (2, 80, 40, 4)


@pytest.mark.parametrize("accuracy", [0.25, 0.8])
def test_without_a_difference_between_the_learners_it_cannot_be_told(accuracy: float) -> None:
    rng, told = np.random.default_rng(0), 0
    for _ in range(200):
        saved = Saved()
        for judges in (20, 25, 32, 40, 50, 63, 80, 100):
            sides = [(rng.random(judges) < accuracy).astype(np.float32) for _ in range(7)]
            saved = saved.after(
                Comparison(judges, sides[0], dict(zip((5, 10, 20, 40, 80, 160), sides[1:], strict=True))), 1
            )
        told += saved.tells

    assert told <= 20
