"""Of what audit answers are a uniform sample: by hand, against brute force, and in simulated projects."""

from dataclasses import replace

import numpy as np
import pytest

from app.core.arrays import Booleans, Doubles, Indices
from app.evaluation.intervals import Estimate
from app.evaluation.reach import END, FEWEST, Audited, Pool, Reach, Shares, drawn, over_all, reach, thinned
from app.evaluation.sequence import counted

ALL = Shares(np.array([0]), np.array([0.1]))


def pool(ends: list[int], count: int) -> Pool:
    """As many items as ids, from 0 on."""
    return Pool(np.array([*ends, END]), np.array([*(end + 1 for end in ends), count]))


def audited(ids: Indices, draws: Indices, answered: Booleans, **more: object) -> Audited:
    none = np.zeros(len(ids), dtype=np.bool_)
    return replace(Audited(ids, draws, answered, answered, none), **more)  # type: ignore[arg-type]


def all_ids(draws: Indices, answered: Booleans, ends: list[int], **more: object) -> tuple[Audited, Reach]:
    """Every item of the pool is an audit item."""
    some = audited(np.arange(len(draws)), draws, answered, **more)
    return some, reach(some, ALL, pool(ends, len(draws)), ends)


def in_order(draws: Indices, given: Booleans, count: int) -> None:
    """Give out so many more, the lowest draws first."""
    left = np.flatnonzero(~given)
    given[left[np.argsort(draws[left])[:count]]] = True


def test_all_answers_judge_while_nothing_came_in_later() -> None:
    draws = np.random.default_rng(1).permutation(1_000)

    _, found = all_ids(draws, draws < 100, [])

    assert (found.told == (draws < 100)).all()
    assert found.frame.all()
    assert not found.unknown.any()
    assert (found.newest, found.share, found.known) == (END, 1.0, 1.0)


def test_answers_of_before_a_push_speak_of_the_items_of_then() -> None:
    draws = np.random.default_rng(2).permutation(1_100)
    answered = np.zeros(1_100, dtype=np.bool_)
    answered[:1_000] = draws[:1_000] < np.quantile(draws[:1_000], 0.3)

    _, found = all_ids(draws, answered, [999])

    assert (found.told == answered).all()
    assert found.newest == 999  # not a little further, where new items have high draws
    assert found.share == pytest.approx(1_000 / 1_100)
    assert found.frame.sum() == 1_000
    assert found.others.sum() == 100


def test_a_push_of_many_is_spoken_of_as_soon_as_enough_of_it_were_answered() -> None:
    draws = np.random.default_rng(3).permutation(2_000)
    answered = np.zeros(2_000, dtype=np.bool_)
    answered[:200] = True  # all of the first ones
    in_order(draws, answered, FEWEST + 1)

    _, few = all_ids(draws, answered.copy(), [199])
    in_order(draws, answered, 100)
    _, more = all_ids(draws, answered, [199])

    assert few.newest == END  # a wide band of all says more than a narrow one of a tenth
    assert few.told.sum() < 10
    assert more.told[200:].sum() == FEWEST + 101
    assert more.told[:200].sum() < 30
    assert not more.unknown.any()


def test_what_is_in_peoples_hands_or_came_back_is_unknown_or_waits_for_its_answer() -> None:
    draws, answered = np.arange(200), np.arange(200) < 100
    answered[3] = False
    held = np.arange(200) < 100
    held[95:] = False

    _, back = all_ids(draws, answered, [])
    _, last = all_ids(draws, held, [])

    assert back.unknown.nonzero()[0].tolist() == [3]
    assert (back.told.sum(), back.share) == (99, 1.0)
    assert back.known == pytest.approx(99 / 100)
    assert last.told.sum() == 95
    assert not last.unknown.any()


def test_what_people_pass_over_is_unknown() -> None:
    draws = np.arange(400)

    _, found = all_ids(draws, (draws < 200) & (draws % 2 == 0), [])

    assert found.told.sum() > 30
    assert found.unknown.sum() == pytest.approx(found.told.sum(), abs=1)
    assert found.known == pytest.approx(0.5, abs=0.01)


def test_what_was_skipped_is_left_out_as_long_as_it_is_little() -> None:
    draws = np.arange(200)
    answered = draws < 100
    few, many = (draws < 100) & (draws % 20 == 0), (draws < 100) & (draws % 5 == 0)

    _, left_out = all_ids(draws, answered & ~few, [], left_out=few)
    _, unknown = all_ids(draws, answered & ~many, [], left_out=many)

    assert (left_out.told.sum(), left_out.unknown.sum()) == (95, 0)
    assert unknown.unknown.sum() > 0.15 * unknown.told.sum()


def test_a_lower_share_takes_what_both_shares_would_have_taken() -> None:
    rng = np.random.default_rng(4)
    first, second = 3_000, 500
    places = rng.random(first + second)
    shares = Shares(np.array([0, first]), np.array([0.05, 0.9]))
    ids = np.flatnonzero(places < shares.of(np.arange(first + second)))
    draws = rng.permutation(len(ids))
    some = audited(ids, draws, draws < 0.5 * len(ids), places=places[ids])

    found = reach(some, shares, pool([first - 1], first + second), [first - 1])

    assert found.newest == END
    assert (found.told == (some.answered & (places[ids] < 0.05))).all()
    assert (ids[found.told] >= first).mean() == pytest.approx(1 / 7, abs=0.1)
    assert found.share == 1.0
    assert not found.others.any()


@pytest.mark.parametrize("share", [0.0, 0.0005])
def test_items_that_came_in_with_hardly_a_share_are_not_spoken_of(share: float) -> None:
    shares = Shares(np.array([0, 1_000]), np.array([share, 0.1]))
    ids = np.arange(1_000, 2_000, 10)
    draws = np.random.default_rng(5).permutation(100)
    some = audited(ids, draws, draws < 60, places=np.full(100, 0.05))

    found = reach(some, shares, pool([999], 2_000), [])

    assert (found.told == some.answered).all()
    assert found.share == 0.5


def test_nothing_is_said_without_audit_items_or_without_a_pool() -> None:
    none = np.array([], dtype=np.int64)
    some = audited(none, none, none.astype(np.bool_))

    for shares, items in ((ALL, 10), (Shares(np.array([0, 5]), np.array([0.1, 0.2])), 0)):
        found = reach(some, shares, pool([4], items), [])
        assert (found.share, found.known, found.told.size) == (0.0, 0.0, 0)


def test_draws_by_chance_end_before_the_first_item_that_nobody_was_given() -> None:
    draws = np.random.default_rng(6).permutation(600)
    given = np.zeros(600, dtype=np.bool_)
    in_order(draws[:200], given[:200], 80)
    in_order(draws, given, 20)
    some = audited(np.arange(600), draws, given)

    told, among = drawn(some, ALL)

    assert among.all()
    assert 20 < told.sum() < 60
    assert draws[told].max() < draws[~given].min()
    assert (draws[given & ~told] > draws[~given].min()).all()


def test_the_rest_may_be_all_wrong_or_all_right() -> None:
    assert over_all(Estimate(0.9, 0.8, 0.95, 40), 1.0) == Estimate(0.9, 0.8, 0.95, 40)
    half = over_all(Estimate(0.9, 0.8, 0.95, 40), 0.5)
    assert (half.value, half.n) == (0.9, 40)
    assert (half.low, half.high) == pytest.approx((0.4, 0.975))


def test_the_ends_of_many_pushes_are_thinned() -> None:
    assert thinned([3, 5]) == [3, 5]
    assert len(thinned(list(range(1_000)))) == 16
    assert thinned(list(range(1_000)))[-1] == 999
    assert thinned([]) == []


def _width(told: int, unknown: int, share: float) -> float:
    asked = max(1, told + unknown)
    return 1 - share + share * (min(1, 2 / np.sqrt(asked) + unknown / asked) if told >= FEWEST else 1)


@pytest.mark.parametrize("seed", range(30))
def test_no_other_choice_of_ends_and_draws_is_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 60
    draws, answered = rng.permutation(n), np.zeros(n, dtype=np.bool_)
    ends = np.sort(rng.integers(1, n + 1, 3))
    for until in ends:  # three pushes, and some given after each
        left = np.flatnonzero(~answered[:until])
        answered[left[np.argsort(draws[left])[: rng.integers(0, 15)]]] = True
    answered &= rng.random(n) < 0.9
    some, found = all_ids(draws, answered, sorted({int(end) - 1 for end in ends}))

    best = 1.0
    for newest in {*(int(end) - 1 for end in ends), n - 1}:
        for below in range(n + 1):
            box = (some.ids <= newest) & (draws < below)
            best = min(best, _width(int(answered[box].sum()), int((~answered[box]).sum()), (newest + 1) / n))
    assert _width(int(found.told.sum()), int(found.unknown.sum()), found.share) <= best + 1e-12


def covered(right: Booleans, ids: Indices, found: Reach) -> bool:
    """Whether the band of one look holds the accuracy of the whole pool."""
    hits: Doubles = right[ids[found.told]].astype(np.float64)
    unknown = int(found.unknown.sum())
    low, _ = counted(int(hits.sum()), len(hits) + unknown, 0.05)
    _, high = counted(int(hits.sum()) + unknown, len(hits) + unknown, 0.05)
    whole = over_all(Estimate(0, low, high, 0), found.share)
    return bool(whole.low <= right.mean() <= whole.high)


@pytest.mark.parametrize("accuracies", [(0.95, 0.4), (1.0, 0.0)])
@pytest.mark.parametrize("sizes", [(400,), (200, 200), (60, 540), (300, 30, 30, 30), (100, 100, 100, 100)])
def test_the_band_holds_for_the_whole_pool_whatever_is_pushed_when(
    sizes: tuple[int, ...], accuracies: tuple[float, float]
) -> None:
    """Each push is easier or harder than the one before it; the worst case is that of all answers counted alike."""
    rng = np.random.default_rng(6)
    held, alike, runs = 0, 0, 400
    for run in range(runs):
        after = [accuracies[(run + place) % 2] for place in range(len(sizes))]
        right = np.concatenate([rng.random(10 * size) < each for size, each in zip(sizes, after, strict=True)])
        ids = np.flatnonzero(rng.random(len(right)) < 0.1)
        draws = rng.permutation(len(ids))
        answered = np.zeros(len(ids), dtype=np.bool_)
        ends = [int(end) - 1 for end in np.cumsum(sizes)[:-1] * 10]
        for end in np.cumsum(sizes) * 10:
            here = np.flatnonzero((ids < end) & ~answered)
            answered[here[np.argsort(draws[here])[: 40 if end < len(right) else 10]]] = True
        found = reach(audited(ids, draws, answered), ALL, pool(ends, len(right)), ends)
        held += covered(right, ids, found)
        low, high = counted(int(right[ids[answered]].sum()), int(answered.sum()), 0.05)
        alike += low <= right.mean() <= high

    assert held >= 0.94 * runs
    if sizes == (60, 540):
        assert alike < 0.8 * runs  # what it would have been before


@pytest.mark.parametrize("part", [1 / 3, 1 / 6])
def test_the_band_holds_where_what_is_passed_over_is_all_wrong(part: float) -> None:
    rng = np.random.default_rng(7)
    held, runs = 0, 300
    for _ in range(runs):
        passed = rng.random(400) < part
        right = ~passed
        draws = rng.permutation(400)
        answered = ~passed & (draws < 150)
        some, found = all_ids(draws, answered, [])
        held += covered(right, some.ids, found)

    assert held >= 0.94 * runs
