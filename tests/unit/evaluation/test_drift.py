"""New items against earlier ones: silent while nothing changes, however often it looks, and loud where it matters."""

import numpy as np
import pytest

from app.evaluation.drift import NOTICED, Told, alarms, told_apart
from app.evaluation.intervals import Estimate


def rows(rng: np.random.Generator, count: int, moved: float = 0.0, stretched: float = 1.0) -> np.ndarray:
    made = rng.normal(size=(count, 8)) * stretched
    made[:, 0] += moved
    return made.astype(np.float32)


@pytest.mark.parametrize("count", [30, 150])
def test_the_chance_of_a_difference_where_there_is_none_is_uniform(count: int) -> None:
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        found.append(told_apart(rows(rng, 60), rows(rng, count), seed).chance)

    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(found) < level) < level + 3 * np.sqrt(level * (1 - level) / 200)


@pytest.mark.night
def test_projects_that_look_again_and_again_seldom_hear_a_false_alarm() -> None:
    loud = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        earlier, new = rows(rng, 150), rows(rng, 400)
        sizes = [30, 40, 55, 75, 100, 140, 190, 260, 400]
        loud += any(alarms(told_apart(earlier, new[:n], seed + n), look) for look, n in enumerate(sizes, 1))

    assert loud <= 6  # 3 are to be expected at most


def test_what_moved_is_told_apart_and_the_strangest_come_first() -> None:
    rng = np.random.default_rng(1)
    new = np.concatenate([rows(rng, 50), rows(rng, 100, moved=2.0)])

    found = told_apart(rows(rng, 200), new, seed=3)

    assert alarms(found, look=5)
    assert found.apart.low > 0.5
    strangest = np.argsort(-found.unlike)[:40]
    assert np.mean(strangest >= 50) > 0.8


def test_what_only_spread_is_told_apart_too() -> None:
    rng = np.random.default_rng(2)

    assert alarms(told_apart(rows(rng, 300), rows(rng, 300, stretched=2.0), seed=3), look=5)


def test_a_difference_that_nobody_would_notice_is_no_alarm_however_sure_it_is() -> None:
    sure = Told(Estimate(NOTICED - 0.01, 0.55, 0.62, 500), 1e-9, np.zeros(3))

    assert not alarms(sure, look=1)


def test_equal_rows_and_rows_of_zeros_are_not_told_apart() -> None:
    found = told_apart(np.zeros((40, 3), dtype=np.float32), np.zeros((40, 3), dtype=np.float32), seed=0)

    assert found.apart.value == 0.5
    assert not alarms(found, look=1)
