"""Of what audit answers are a uniform sample: against brute force, and in simulated projects."""

import numpy as np
import pytest

from app.core.arrays import Booleans
from app.evaluation.intervals import Estimate
from app.evaluation.reach import FEWEST, Audited, Shares, over_all, reach
from app.evaluation.sequence import counted

ALL = Shares(np.array([0]), np.array([0.1]))
TOP = np.iinfo(np.int64).max


def audited(draws: list[int], given: list[int], first: int = 1) -> Audited:
    """Items from id `first` on; `given` are the places of those that were given, and answered."""
    ids = np.arange(first, first + len(draws))
    marks = np.isin(np.arange(len(draws)), given)
    return Audited(ids, np.array(draws), marks, marks)


def in_order(draws: np.ndarray, given: Booleans, count: int) -> None:
    """Give out so many more, the lowest draws first."""
    left = np.flatnonzero(~given)
    given[left[np.argsort(draws[left])[:count]]] = True


def test_all_answers_judge_while_nothing_came_in_later() -> None:
    rng = np.random.default_rng(1)
    draws = rng.permutation(1_000)
    given = draws < 100

    found = reach(Audited(np.arange(1_000), draws, given, given), ALL)

    assert (found.told == given).all()
    assert found.frame.all()
    assert found.newest is None
    assert found.share == 1.0


def test_answers_of_before_a_push_speak_of_the_items_of_then() -> None:
    rng = np.random.default_rng(2)
    draws = rng.permutation(1_100)
    given = np.zeros(1_100, dtype=np.bool_)
    given[:1_000] = draws[:1_000] < np.quantile(draws[:1_000], 0.3)

    found = reach(Audited(np.arange(1_100), draws, given, given), ALL)

    assert (found.told == given).all()
    assert found.newest is not None
    assert 999 <= found.newest < 1_010  # new ones whose turn has not come by their draws tell nothing against it
    assert found.share == pytest.approx((found.newest + 1) / 1_100)
    assert found.frame.sum() == found.newest + 1


def test_a_push_of_many_is_spoken_of_as_soon_as_enough_of_it_were_given() -> None:
    rng = np.random.default_rng(3)
    draws = rng.permutation(2_000)
    given = np.zeros(2_000, dtype=np.bool_)
    given[:200] = True  # all of the first ones
    in_order(draws, given, FEWEST + 1)

    few = reach(Audited(np.arange(2_000), draws, given, given), ALL)
    in_order(draws, given, 100)
    more = reach(Audited(np.arange(2_000), draws, given, given), ALL)

    assert few.newest is None  # a wide band of all says more than a narrow one of a tenth
    assert few.told.sum() < 10
    assert more.told[200:].sum() == FEWEST + 101
    assert more.told[:200].sum() == (draws[:200] < draws[200:][given[200:]].max() + 1).sum()


def test_one_that_came_back_to_the_head_of_the_order_does_not_silence_the_others() -> None:
    draws = list(range(200))
    found = reach(audited(draws, [place for place in range(100) if place != 3]), ALL)

    assert found.told.sum() == 99
    assert found.unheard.nonzero()[0].tolist() == [3]
    assert found.frame.sum() == 199
    assert found.share == pytest.approx(1 - 1 / 100)


def test_what_people_pass_over_counts_as_unknown() -> None:
    draws = list(range(400))
    found = reach(audited(draws, list(range(0, 200, 2))), ALL)  # every other item is of a slice that nobody labels

    assert found.told.sum() == 100
    assert found.share == pytest.approx(0.5, abs=0.01)


def test_a_lower_share_takes_what_both_shares_would_have_taken() -> None:
    rng = np.random.default_rng(4)
    first, second = 3_000, 500
    places = rng.random(first + second)
    shares = Shares(np.array([0, first]), np.array([0.05, 0.9]))
    ids = np.flatnonzero(places < shares.of(np.arange(first + second)))
    draws = rng.permutation(len(ids))
    given = draws < 0.5 * len(ids)

    found = reach(Audited(ids, draws, given, given, places[ids]), shares)

    assert found.newest is None
    assert (found.told == (given & (places[ids] < 0.05))).all()
    assert (ids[found.told] >= first).mean() == pytest.approx(1 / 7, abs=0.1)
    assert found.share == pytest.approx(1.0)


def test_items_without_a_share_are_not_spoken_of() -> None:
    shares = Shares(np.array([0, 1_000]), np.array([0.0, 0.1]), shut=1_000)
    ids = np.arange(1_000, 2_000, 10)
    draws = np.random.default_rng(5).permutation(100)
    given = draws < 60

    found = reach(Audited(ids, draws, given, given, np.zeros(100)), shares)

    assert (found.told == given).all()
    assert found.share == pytest.approx(0.5)


def test_nothing_is_said_without_audit_items() -> None:
    none = np.array([], dtype=np.int64)

    found = reach(Audited(none, none, none.astype(np.bool_), none.astype(np.bool_)), Shares(none + 0, none + 0.0, 0))

    assert found.share == 0.0
    assert not found.told.any()


def test_the_rest_may_be_all_wrong_or_all_right() -> None:
    assert over_all(Estimate(0.9, 0.8, 0.95, 40), 1.0) == Estimate(0.9, 0.8, 0.95, 40)
    half = over_all(Estimate(0.9, 0.8, 0.95, 40), 0.5)
    assert (half.value, half.n) == (0.9, 40)
    assert (half.low, half.high) == pytest.approx((0.4, 0.975))


@pytest.mark.parametrize("seed", range(30))
def test_no_other_choice_of_ids_and_draws_is_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 60
    draws = rng.permutation(n)
    given = np.zeros(n, dtype=np.bool_)
    for until in np.sort(rng.integers(1, n + 1, 3)):  # three pushes, and some given after each
        left = np.flatnonzero(~given[:until])
        given[left[np.argsort(draws[left])[: rng.integers(0, 15)]]] = True
    some = Audited(np.arange(n), draws, given, given)

    found = reach(some, ALL)

    widths = []
    for newest in range(n):
        for below in range(n + 1):
            box = (some.ids <= newest) & (draws < below)
            if given[box].all():
                told, share = given[box].sum(), (newest + 1) / n
                widths.append(1 - share + share * (min(1, 2 / np.sqrt(told)) if told >= FEWEST else 1))
    assert found.width(some) <= min(widths) + 1e-12


@pytest.mark.parametrize("sizes", [(400,), (200, 200), (60, 540), (300, 30, 30, 30), (100, 100, 100, 100)])
def test_the_band_holds_for_the_whole_pool_whatever_is_pushed_when(sizes: tuple[int, ...]) -> None:
    """Each push is easier or harder than the one before it; the worst case is that of all answers counted alike."""
    rng = np.random.default_rng(6)
    held, alike, runs = 0, 0, 400
    for _ in range(runs):
        right = np.concatenate([rng.random(10 * size) < rng.choice([0.95, 0.4]) for size in sizes])
        ids = np.flatnonzero(rng.random(len(right)) < 0.1)
        draws = rng.permutation(len(ids))
        given = np.zeros(len(ids), dtype=np.bool_)
        for end in np.cumsum(sizes) * 10:
            here = np.flatnonzero((ids < end) & ~given)
            given[here[np.argsort(draws[here])[:40]]] = True
        some = Audited(ids, draws, given, given)
        found = reach(some, ALL)
        hits = right[ids[found.told]]
        low, high = counted(int(hits.sum()), len(hits), 0.05)
        whole = over_all(Estimate(0, low, high, 0), found.share)
        held += whole.low <= right.mean() <= whole.high
        low, high = counted(int(right[ids[given]].sum()), int(given.sum()), 0.05)
        alike += low <= right.mean() <= high

    assert held >= 0.94 * runs
    if sizes == (60, 540):
        assert alike < 0.8 * runs  # what it would have been before
