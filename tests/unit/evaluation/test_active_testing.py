"""Active testing against every order in which a tiny audit set can be drawn; the interval where it is a known one."""

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest

from app.core.arrays import Doubles
from app.evaluation import draws as drawing
from app.evaluation import prediction_powered
from app.evaluation.active_testing import Judged, accuracy, chances_of, drawn, expected_errors, proposal
from app.evaluation.draws import Draws
from app.evaluation.intervals import share

CHANCES = np.array([0.4, 0.3, 0.2, 0.1])
WRONG = np.array([1.0, 0.0, 1.0, 0.5])


@pytest.fixture(autouse=True)
def _one_draw_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FEWEST", 1)


def orders(count: int) -> Iterator[tuple[float, Draws]]:
    """Every order of so many draws from four items, with its probability; the learner changes after the first draw."""
    for order in permutations(range(4), count):
        probability, chances, left = 1.0, [], list(range(4))
        for step, item in enumerate(order):
            weights = CHANCES if step == 0 else CHANCES[::-1]
            chances.append(weights[item] / weights[left].sum())
            probability *= chances[-1]
            left.remove(item)
        remaining = 4 - np.arange(count)
        yield probability, Draws(np.array(order), np.array(chances), remaining, np.arange(4))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_estimate_is_right_on_the_mean_of_all_orders(count: int) -> None:
    found = [(probability, draws.total(WRONG[draws.items])) for probability, draws in orders(count)]

    assert sum(probability for probability, _ in found) == pytest.approx(1)
    assert sum(probability * total for probability, total in found) == pytest.approx(WRONG.sum())


def test_what_the_draws_say_of_their_own_error_is_about_right_on_the_mean() -> None:
    found = [
        (probability, draws.total(WRONG[draws.items]), draws.parts(WRONG[draws.items]))
        for probability, draws in orders(3)
    ]

    variance = sum(probability * (total - WRONG.sum()) ** 2 for probability, total, _ in found)
    said = sum(probability * float(parts @ parts) for probability, _, parts in found)
    assert said == pytest.approx(variance, rel=0.25)


def test_the_weights_are_those_of_the_paper() -> None:
    for _, draws in orders(3):
        m, size, count = np.arange(1, 4), 4, 3
        paper = 1 + (size - count) / (size - m) * (1 / ((size - m + 1) * draws.chances) - 1)

        assert draws.weights == pytest.approx(paper * size / count)


def test_draws_by_chance_weigh_alike_and_give_the_mean_with_the_interval_of_wilson() -> None:
    right = np.array([1.0] * 17 + [0.0] * 3)
    draws = Draws.by_chance(20, 50_000)

    found = accuracy(Judged(draws, right, np.ones(20, dtype=bool)), 0.05)
    known = share(17, 20)

    assert draws.uniform
    assert draws.weights == pytest.approx(np.full(20, 2_500))
    assert found is not None
    assert known is not None
    assert (found.value, found.n) == (pytest.approx(0.85), 20)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.004)  # n - 1 in place of n


def test_all_items_answered_are_counted() -> None:
    for _, draws in orders(4):
        found = accuracy(Judged(draws, 1 - WRONG[draws.items], np.ones(4, dtype=bool)), 0.05, 4)

        assert found is not None
        assert (found.low, found.value, found.high) == pytest.approx((0.375, 0.375, 0.375))


def test_items_that_come_in_later_are_told_of_by_the_draws_since_then() -> None:
    """Two items, then two more after the first draw: on the mean of all orders the sum of all four."""
    mean = 0.0
    for first in (0, 1):
        begun = np.array([0.7, 0.3])[first]
        left = [item for item in range(4) if item != first]
        for second, third in permutations(left, 2):
            chances = CHANCES[left] / CHANCES[left].sum()
            next_ = chances[left.index(second)]
            last = CHANCES[third] / (CHANCES[left].sum() - CHANCES[second])
            draws = Draws(
                np.array([first, second, third]), np.array([begun, next_, last]), np.array([2, 3, 2]),
                np.arange(4), since=np.array([0, 0, 1, 1]),
            )  # fmt: skip
            mean += begun * next_ * last * draws.total(WRONG[draws.items])

    assert mean == pytest.approx(WRONG.sum())


def test_what_came_in_after_the_last_draws_is_not_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FEWEST", 3)
    since = np.array([0, 0, 0, 0, 0, 2, 2, 4, 4])
    draws = Draws(np.arange(4), np.full(4, 0.2), np.array([5, 4, 5, 4]), np.arange(9), since)

    assert draws.tells_of(np.array([0, 4, 5, 8])).tolist() == [True, True, False, False]
    assert (draws.size, draws.unheard) == (5, 4)
    assert draws.weights[:4].min() > 0


def test_items_that_nobody_answers_are_left_out_of_account() -> None:
    """Half of the items are never answered, and they would all be wrong: the accuracy is that of the other half."""
    rng = np.random.default_rng(5)
    silent = np.arange(400) % 2 == 1
    wrong = np.where(silent, 1.0, np.arange(400) % 8 == 0)
    chances = proposal(rng.random(400))
    found = []
    for _ in range(300):
        order = drawn(chances, 80, rng)
        draws = Draws(order, chances_of(order, chances), 400 - np.arange(80), np.arange(400))
        estimate = accuracy(Judged(draws, 1 - wrong[order], ~silent[order]), 0.05, 400)
        assert estimate is not None
        found.append((estimate.value, estimate.low <= 0.75 <= estimate.high))

    values, held = np.array(found).T
    assert values.mean() == pytest.approx(0.75, abs=0.01)
    assert held.mean() >= 0.92


def test_an_order_takes_each_item_with_its_chance_of_what_is_left() -> None:
    rng = np.random.default_rng(1)
    found = [tuple(drawn(CHANCES, 2, rng).tolist()) for _ in range(20_000)]

    for order in permutations(range(4), 2):
        chance = float(np.prod(chances_of(np.array(order), CHANCES)))
        assert found.count(order) / 20_000 == pytest.approx(chance, abs=0.01)


def test_the_proposal_goes_by_the_root_of_the_expected_error_and_leaves_nothing_out() -> None:
    errors = np.array([0.0, 0.04, 0.36, np.nan])

    chances = proposal(errors, uniform=0.2)

    mean = np.sqrt((0.01 + 0.04 + 0.36) / 3)
    assert chances.sum() == pytest.approx(1)
    assert chances == pytest.approx(0.8 * np.array([0.1, 0.2, 0.6, mean]) / (0.9 + mean) + 0.05)
    assert proposal(np.full(3, np.nan)) == pytest.approx(np.full(3, 1 / 3))
    assert proposal(np.zeros(3)) == pytest.approx(np.full(3, 1 / 3))


def test_the_expected_error_is_that_of_the_whole_prediction() -> None:
    probabilities = np.array([[0.7, 0.2], [0.5, 0.5]], dtype=np.float32)

    assert expected_errors(probabilities, multiple=False) == pytest.approx([0.3, 0.5])
    assert expected_errors(probabilities, multiple=True) == pytest.approx([1 - 0.7 * 0.8, 0.75])


def powered(judged: Judged, expected: Doubles, mean: float) -> prediction_powered.Powered:
    found = prediction_powered.accuracy(judged, expected, mean, 0.05)
    assert found is not None
    return found


def test_an_expectation_that_knows_the_errors_tells_all_and_one_that_knows_nothing_changes_nothing() -> None:
    wrong = np.arange(100) % 5 == 0
    judged = Judged(Draws.by_chance(100, 10_000), 1.0 - wrong, np.ones(100, dtype=bool))
    plain = accuracy(judged, 0.05)
    assert plain is not None

    knows = powered(judged, wrong.astype(float), 0.3)
    blind = powered(judged, np.full(100, 0.4), 0.4)
    liar = powered(judged, 1.0 - wrong, 0.7)

    assert knows.factor == pytest.approx(1)
    assert knows.estimate.value == pytest.approx(0.7)  # a fifth of these are wrong, three tenths of all
    assert knows.estimate.high - knows.estimate.low < 0.5 * (plain.high - plain.low)
    for other in (blind, liar):
        assert other.factor == 0
        assert other.estimate == plain
    few = Judged(Draws.by_chance(60, 900), 1.0 - (np.arange(60) < 9), np.ones(60, dtype=bool))
    assert prediction_powered.accuracy(few, np.ones(60), 1.0, 0.05) is None


@pytest.mark.parametrize(("size", "open_", "right"), [(60, 1, 0.98), (60, 10, 0.98), (30, 1, 0.99), (150, 5, 0.99)])
def test_a_set_that_is_nearly_all_drawn_is_a_sample_still(size: int, open_: int, right: float) -> None:
    rng = np.random.default_rng(7)
    held = []
    for _ in range(200):
        pool = (rng.random(10 * size) < right).astype(np.float64)
        chances = proposal(np.where(pool[:size] > 0, 0.1, 0.4))
        order = drawn(chances, size - open_, rng)
        draws = Draws(order, chances_of(order, chances), size - np.arange(size - open_), np.arange(size))
        found = accuracy(Judged(draws, pool[order], np.ones(size - open_, dtype=bool)), 0.05, 10 * size)
        assert found is not None
        held.append(found.low <= pool.mean() <= found.high)

    assert np.mean(held) >= 0.94


def test_where_hardly_any_answer_is_right_these_are_summed() -> None:
    rng = np.random.default_rng(8)
    chances = proposal(rng.random(400))
    for _ in range(50):
        order = drawn(chances, 10, rng)
        draws = Draws(order, chances_of(order, chances), 400 - np.arange(10), np.arange(400))
        found = accuracy(Judged(draws, np.zeros(10), np.ones(10, dtype=bool)), 0.05, 4_000)
        assert found is not None
        assert (found.value, found.low) == (0.0, 0.0)
