"""The confidence sequence: its shares, its exact interval against sums of fractions, its coverage at every look."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest

from app.evaluation.sequence import LEVEL, at_look, counted, hedged, level_of


def tail(successes: int, n: int, right: int, population: int) -> Fraction:
    """P(that many or more), without rounding."""
    ways = sum(comb(right, x) * comb(population - right, n - x) for x in range(successes, min(n, right) + 1))
    return Fraction(ways, comb(population, n))


def test_the_looks_of_a_project_share_five_percent() -> None:
    shares = [level_of(look) for look in range(1, 200_001)]

    rest = LEVEL / 3.9319 * 200_000**-0.3 / 0.3  # the integral of what is left
    assert sum(shares) + rest == pytest.approx(LEVEL, rel=1e-3)
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) < LEVEL


@pytest.mark.parametrize(("n", "population"), [(7, 20), (12, 13), (5, 60)])
def test_the_exact_interval_holds_the_shares_whose_tails_are_not_too_rare(n: int, population: int) -> None:
    for successes in range(n + 1):
        able = [
            right
            for right in range(successes, population - n + successes + 1)
            if tail(successes, n, right, population) > Fraction(1, 40)
            and tail(n - successes, n, population - right, population) > Fraction(1, 40)
        ]

        assert counted(successes, n, 0.05, population) == (able[0] / population, able[-1] / population)


def test_without_a_population_it_is_that_of_clopper_and_pearson_and_a_large_one_is_hardly_another() -> None:
    for successes, n in ((0, 9), (9, 9), (40, 60)):
        known = binomtest(successes, n).proportion_ci(0.99, "exact")

        assert counted(successes, n, 0.01) == pytest.approx((known.low, known.high), abs=1e-9)
        assert counted(successes, n, 0.01, 1_000_000) == pytest.approx((known.low, known.high), abs=1e-4)
    assert counted(30, 40, 0.01, 40) == (0.75, 0.75)


def by_hand(values: list[float], population: int, level: float) -> tuple[float, float]:
    """Capital of both gamblers for each mean of a fine grid, word for word as the paper says it."""
    kept = []
    for mean in np.linspace(0, 1, 5_001):
        capital, dead = np.array([1.0, 1.0]), False
        for t, value in enumerate(values):
            seen = values[:t]
            left = (population * mean - sum(seen)) / (population - t)
            if not 0 <= left <= 1:
                dead = True
                break
            means = [(0.5 + sum(values[: i + 1])) / (i + 2) for i in range(t)]
            variance = (0.25 + sum((x - m) ** 2 for x, m in zip(seen, means, strict=True))) / (t + 1)
            stake = np.sqrt(2 * np.log(2 / level) / (variance * (t + 1) * np.log(t + 2)))
            capital[0] *= 1 + min(stake, 0.75 / max(left, 1e-12)) * (value - left)
            capital[1] *= 1 - min(stake, 0.75 / max(1 - left, 1e-12)) * (value - left)
            dead = dead or max(capital) / 2 >= 1 / level
        left_over = population - len(values)
        if not dead and sum(values) <= population * mean <= sum(values) + left_over:
            kept.append(mean)
    return float(kept[0]), float(kept[-1])


def test_the_betting_sequence_is_that_of_the_paper_rounded_outwards() -> None:
    values = np.random.default_rng(3).choice([0.0, 0.5, 1.0], 40, p=[0.1, 0.2, 0.7])

    lows, highs = hedged(values.astype(np.float32), 0.05, 60)
    low, high = by_hand(values.tolist(), 60, 0.05)

    assert low - 0.0013 <= lows[-1] <= low + 2e-4
    assert high - 2e-4 <= highs[-1] <= high + 0.0013
    assert (np.diff(lows) >= 0).all()
    assert (np.diff(highs) <= 0).all()


def test_it_holds_the_mean_at_every_look_in_95_of_100_pools_and_ends_in_it() -> None:
    rng, missed, wilson_missed = np.random.default_rng(0), 0, 0
    for _ in range(200):
        pool = (rng.random(150) < 0.85).astype(np.float64)
        lows, highs = hedged(pool, 0.05, 150)
        lost = bool((lows > pool.mean() + 1e-9).any() or (highs < pool.mean() - 1e-9).any())
        missed += lost
        n = np.arange(1, 151)
        p, z = np.cumsum(pool) / n, 1.96
        middle, half = p + z**2 / 2 / n, z * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2)
        outside = np.abs(middle - pool.mean() * (1 + z**2 / n)) > half
        wilson_missed += bool(outside[5:100].any())
        assert lost or (lows[-1], highs[-1]) == pytest.approx((pool.mean(), pool.mean()), abs=1e-9)

    assert missed <= 10
    assert wilson_missed > 30  # what is right once is wrong for who looks again and again


def test_answers_that_disagree_are_bounded_by_betting_and_the_rest_exactly() -> None:
    whole = np.array([1, 1, 0, 1, 1, 1, 1, 1, 0, 1], dtype=np.float32)
    split = whole.copy()
    split[:2] = 0.5, 0.5

    exact, bet = at_look(whole, 1, 500), at_look(split, 1, 500)

    assert exact is not None
    assert bet is not None
    assert (exact.low, exact.high) == counted(8, 10, level_of(1), 500)
    assert exact.value == pytest.approx(0.8)
    assert bet.value == pytest.approx(0.7)
    assert bet.low < exact.low + 0.1 < bet.value < bet.high <= 1
    assert at_look(whole[:0], 1) is None


def test_a_later_look_has_a_wider_interval_by_the_same_answers() -> None:
    hits = (np.arange(80) % 5 > 0).astype(np.float32)
    found = [at_look(hits, look, 4_000) for look in (1, 10, 100)]

    widths = [each.high - each.low for each in found if each]
    assert widths == sorted(widths)
    assert widths[-1] < 1.8 * widths[0]
