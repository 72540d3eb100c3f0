"""Labels saved: the tests by hand, both sides, and that a project without signal learns nothing from looking."""

from dataclasses import replace

import numpy as np
import pytest

from app.evaluation.saved import Comparison, Saved, first_as_good, needed
from app.evaluation.sequence import hedged


def hits(right: int, n: int = 100) -> np.ndarray:
    """So many of n answers are right, spread over them: of two learners the better one wins, and loses nothing."""
    order = np.random.default_rng(5).permutation(n)
    return (order < right).astype(np.float32)


def test_a_ratio_counts_by_the_bound_of_the_mean_difference() -> None:
    better, worse = hits(80), hits(60)
    apart = (1 + better.astype(np.float64) - worse) / 2
    low = 2 * hedged(apart, 0.05, planned=100)[0][-1] - 1

    assert 0 < low < 0.2
    assert needed(Comparison(80, worse, {1.0: better}), 0.05) == (0.0, 1.0)
    assert needed(Comparison(80, better, {1.0: worse}), 0.05) == (1.0, None)
    assert needed(Comparison(80, worse, {1.0: hits(64)}), 0.05) == (0.0, None)


def test_ratios_that_are_surely_enough_and_surely_too_few_bound_the_labels_needed() -> None:
    found = Comparison(80, hits(60), {0.25: hits(20), 0.5: hits(42), 0.71: hits(60), 0.84: hits(80), 1.0: hits(85)})

    assert needed(found, 0.05) == (0.5, 0.84)
    assert first_as_good(found) == 0.71
    assert needed(found, 1e-9) == (0.25, None)

    saved = Saved().after(found, 7)
    assert (saved.labels, saved.low, saved.high, saved.value, saved.round) == (80, 12, 40, 23, 7)
    assert saved.tells


def test_one_ratio_that_is_not_sure_ends_the_way_down() -> None:
    lucky = Comparison(80, hits(60), {0.25: hits(85), 0.5: hits(62), 1.0: hits(85)})

    assert needed(lucky, 0.05) == (0.0, 1.0)


def test_where_choosing_loses_it_is_said_with_a_minus() -> None:
    found = Comparison(80, hits(90), {ratio: hits(60) for ratio in (0.25, 0.5, 1.0, 2.0)})

    saved = Saved().after(found, 3)

    assert (saved.low, saved.high, saved.value) == (None, -80, None)
    assert saved.tells
    assert Saved.from_json(saved.to_json()) == saved
    assert Saved.from_json(None) == Saved()


def test_a_look_is_taken_when_half_as_many_more_judges_are_in_and_keeps_what_tells_more() -> None:
    found = Comparison(80, hits(50), {0.5: hits(85), 1.0: hits(85)})
    nothing = Comparison(120, hits(70), {0.5: hits(70), 1.0: hits(70)})
    hardly = Comparison(120, hits(50), {1.0: hits(50), 2.0: hits(85)})
    more = Comparison(120, hits(50), {0.5: hits(50), 0.71: hits(85), 1.0: hits(85)})

    first = Saved().after(found, 4)

    assert not Saved().waits_for(39)
    assert Saved().waits_for(40)
    assert not first.waits_for(149)
    assert first.waits_for(150)
    assert [first.after(each, 9).round for each in (nothing, hardly, more)] == [4, 4, 9]
    assert [first.after(each, 9).looks for each in (nothing, hardly, more)] == [2, 2, 2]
    assert Saved().after(hardly, 9).low == -120
    assert not Saved().after(hardly, 9).tells


def test_of_another_question_nothing_is_known_but_the_looks_go_on() -> None:
    found = Saved().asked_of([1, 2], 50, apart=True).after(Comparison(80, hits(50), {0.5: hits(85), 1.0: hits(85)}), 4)

    grown, other = found.asked_of([2, 3], 90, apart=True), found.asked_of([5, 6], 90, apart=True)

    assert (found.tells, found.classes, found.since) == (True, (1, 2), 0)
    assert grown == replace(found, classes=(2, 3))
    assert other == Saved(looks=1, classes=(5, 6), since=90)
    assert other.waits_for(40)
    assert other.asked_of([5, 6], 120, apart=True).since == 90


def test_what_was_found_while_audit_answers_taught_stays_so() -> None:
    saved = Saved().asked_of([1, 2], 0, apart=False).asked_of([1, 2], 20, apart=True)
    earlier = {name: each for name, each in Saved().to_json().items() if name not in ("classes", "since", "apart")}

    assert not saved.apart
    assert not Saved.from_json(saved.to_json()).apart
    assert Saved.from_json(Saved().to_json()) == Saved()
    assert not Saved.from_json(earlier).apart


def test_a_ratio_of_one_that_is_surely_too_few_is_a_loss() -> None:
    saved = Saved().after(Comparison(80, hits(85), {0.5: hits(50), 1.0: hits(60), 2.0: hits(85)}), 3)

    assert (saved.low, saved.high, saved.tells) == (None, 0, True)


@pytest.mark.parametrize("accuracy", [0.25, 0.8])
def test_without_a_difference_between_the_learners_it_cannot_be_told(accuracy: float) -> None:
    rng, told = np.random.default_rng(0), 0
    for _ in range(200):
        saved = Saved()
        for judges in (40, 60, 90, 135):
            sides = [(rng.random(judges) < accuracy).astype(np.float32) for _ in range(5)]
            chosen = dict(zip((0.25, 0.5, 1.0, 2.0), sides[1:], strict=True))
            saved = saved.after(Comparison(judges, sides[0], chosen), 1)
        told += saved.tells

    assert told <= 20
