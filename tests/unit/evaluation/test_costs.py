"""How long an answer takes: learned from the log, not misled by pauses, and silent where nothing can be told."""

import numpy as np
import pytest

from app.evaluation.costs import FEWEST, Times, later, learned, timed


def log(count: int, slope: float, *, pauses: float = 0.05, seed: int = 0) -> Times:
    """Answers of five people with paces of their own, to items of very different size; some went to lunch."""
    rng = np.random.default_rng(seed)
    sizes, people = np.exp(rng.normal(5, 1, count)), rng.integers(1, 6, count)
    seconds = np.exp(0.5 + slope * (np.log1p(sizes) - 5) + 0.2 * people + rng.normal(0, 0.4, count))
    seconds[rng.random(count) < pauses] *= 60
    real, capped = timed(seconds)
    return Times(capped[real], sizes[real], people[real])


def test_pauses_are_cut_off_and_what_was_no_look_is_none() -> None:
    seconds = np.array([2.0, 3.0, 2.5, 2.2, 2.8, 3.1, 2.4, 4_000.0, 0.05, np.nan])

    real, capped = timed(seconds)

    assert real.tolist() == [True] * 8 + [False] * 2
    assert capped[:7] == pytest.approx(seconds[:7])
    assert capped[7] < 10


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_the_slope_of_size_is_found_although_some_times_are_pauses(slope: float) -> None:
    model = learned(log(1_000, slope))

    assert model.slope == pytest.approx(slope, abs=0.06)
    short, long = model.seconds(np.array([50.0, 500.0]))
    assert long / short == pytest.approx((501 / 51) ** model.slope)


def test_the_expected_seconds_are_the_mean_and_not_the_median() -> None:
    given = log(2_000, 0.5, pauses=0)

    told = learned(given).seconds(given.sizes).mean()

    assert told == pytest.approx(given.seconds.mean(), rel=0.06)


def test_later_answers_say_whether_the_size_tells_the_time() -> None:
    telling, silent = later(log(400, 0.5)), later(log(400, 0.0))

    assert telling is not None
    assert telling.tells
    assert telling.factor < telling.without
    assert silent is not None
    assert not silent.tells
    assert later(log(FEWEST - 1, 0.5, pauses=0)) is None


def test_a_size_without_meaning_is_seldom_believed() -> None:
    found = [later(log(60, 0.0, seed=seed)) for seed in range(200)]

    assert sum(each is not None and each.tells for each in found) <= 15  # a one-sided chance of 2.5 %, and luck


def test_people_of_one_item_size_or_one_person_are_no_obstacle() -> None:
    given = log(80, 0.5)
    same = Times(given.seconds, np.full(len(given), 7.0), np.ones(len(given), dtype=np.int64))

    model = learned(same)

    assert model.slope == pytest.approx(0, abs=1e-6)
    assert np.isfinite(model.seconds(np.array([0.0, 7.0, 1e9]))).all()
