"""What chosen audit items stand for where the audit set changes: by every order of a tiny one, and by simulation."""

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest

from app.core.arrays import Doubles
from app.evaluation import draws as drawing
from app.evaluation import frames
from app.evaluation.active_testing import Judged, accuracy
from app.evaluation.draws import Draws
from app.evaluation.frames import Frame, draws_at, gone_at
from app.evaluation.intervals import Estimate
from app.evaluation.reach import of_what_is_left
from benchmarks.changing import COURSES, look, old_push_out

CHANCES = np.array([0.4, 0.3, 0.2, 0.1])
WRONG = np.array([1.0, 0.0, 1.0, 0.5])


@pytest.mark.parametrize("words", COURSES)
@pytest.mark.parametrize("drawn_too", [False, True])
def test_bands_hold_whatever_is_taken_out_and_comes_back(words: str, drawn_too: bool) -> None:
    looks = [look(number, COURSES[words], drawn_too) for number in range(80)]

    held = [band.low - 1e-9 <= truth <= band.high + 1e-9 for band, truth in looks]
    assert np.mean(held) >= 0.9  # of 80; the table of docs/evaluation.md is of 1,000


def test_draws_since_items_were_taken_out_are_of_the_others_alone() -> None:
    """Three draws from six items, then two are taken out, and five draws of what is left tell of it, on the mean."""
    items = np.arange(9)
    gone = np.array([[0, 3, 40]])
    left = np.array([49, 48, 47, 6, 5, 4, 3, 2])
    draws = Draws(items[:8], np.linspace(0.9, 1.1, 8) / left, left, items, gone=gone)

    (stratum,) = draws.strata
    assert (stratum.start, stratum.size, stratum.gone, stratum.told) == (3, 9, 0.0, True)
    assert draws.settled.tolist() == [True] * 3 + [False] * 5
    assert draws.weights[:3].tolist() == [1.0, 1.0, 1.0]
    assert draws.weights.sum() == pytest.approx(9, abs=0.5)


def test_what_was_taken_out_undrawn_may_have_had_all_that_was_wrong_or_right() -> None:
    left = 20 - np.arange(12)
    draws = Draws(np.arange(12), np.linspace(0.9, 1.1, 12) / left, left, np.arange(16), gone=np.array([[0, 12, 4]]))

    (stratum,) = draws.strata
    assert (stratum.start, stratum.size, draws.there) == (0, 16, 16)
    assert (stratum.gone, draws.size) == pytest.approx((4, 20))
    assert draws.taken_out == pytest.approx(0.2)
    found = of_what_is_left(Estimate(0.8, 0.7, 0.85, 12), draws.taken_out, draws.lost)
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 5 / 8, 1.0))


def test_what_came_back_is_a_stratum_of_its_own_and_draws_before_say_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Items 2 and 3 are out at the first draw: on the mean of all orders of the later two, their sum is right."""
    monkeypatch.setattr(drawing, "FEWEST", 1)
    mean = 0.0
    for first in (0, 1):
        begun = np.array([4 / 7, 3 / 7])[first]
        rest = [item for item in range(4) if item != first]
        for second, third in permutations(rest, 2):
            total = CHANCES[rest].sum()
            chances = np.array([begun, CHANCES[second] / total, CHANCES[third] / (total - CHANCES[second])])
            draws = Draws(
                np.array([first, second, third]), chances, np.array([2, 3, 2]), np.arange(4), np.array([0, 0, 1, 1])
            )
            mean += float(np.prod(chances)) * draws.total(WRONG[draws.items])

    assert mean == pytest.approx(WRONG.sum())


def test_nothing_is_said_of_what_came_back_before_draws_of_it_are_answered() -> None:
    since = np.where(np.arange(60) < 20, 12, 0)
    draws = Draws(20 + np.arange(12), np.full(12, 1 / 40), 40 - np.arange(12), np.arange(60), since)

    assert not draws.tells_of(np.arange(20)).any()
    assert draws.tells_of(np.arange(20, 60)).all()
    assert (draws.part, draws.unheard, draws.told_to) == (pytest.approx(2 / 3), 20, 59)


def test_a_drawn_item_of_which_nobody_knows_when_it_came_stands_for_itself() -> None:
    draws = Draws(np.arange(7), np.full(7, 0.1), 20 - np.arange(7), np.arange(20), np.full(20, 7))

    assert draws.spoken.all()
    assert draws.settled.all()
    assert draws.weights.tolist() == [1.0] * 7
    assert (draws.size, draws.part) == (7.0, pytest.approx(7 / 7))
    assert draws.told_to == 6


def test_drawn_items_that_were_taken_out_are_unknown_until_later_draws_tell_of_the_others() -> None:
    """Every second one of 40 loses its answer: the band is wide; forty draws later these count no more."""
    rng = np.random.default_rng(3)
    right = (rng.random(200) < 0.8).astype(np.float64)
    for count, lost in ((40, 0.5), (80, 0.0)):
        left = 200 - np.arange(count)
        here = (np.arange(count) >= 40) | (np.arange(count) % 2 == 0)
        draws = Draws(
            np.arange(count), np.linspace(0.9, 1.1, count) / left, left, np.arange(200), answered=here, out=~here
        )
        found = accuracy(Judged(draws, right[:count], here), 0.05)
        assert found is not None
        assert draws.lost == pytest.approx(lost, abs=0.04)
        band = of_what_is_left(found, draws.taken_out, draws.lost)
        assert (band.high - band.low > 0.5) == bool(lost)
        assert lost or band.high - band.low < 0.28


def test_all_that_is_left_was_drawn_and_is_counted() -> None:
    """Most of the set is taken out: what is left was all drawn, so it is known, chosen or not."""
    left = 100 - np.arange(12)
    right = np.array([1.0] * 9 + [0.0] * 3)
    draws = Draws(np.arange(12), np.linspace(0.5, 2, 12) / left, left, np.arange(12), gone=np.array([[0, 12, 88]]))

    found = accuracy(Judged(draws, right, np.ones(12, dtype=bool)), 0.05, 12)

    assert draws.taken_out == 0
    assert found is not None
    assert (found.low, found.value, found.high) == pytest.approx((0.75, 0.75, 0.75))


def test_a_frame_knows_who_came_who_went_and_who_came_back() -> None:
    def dealt(frame: Frame, items: list[int], place: int) -> Frame:
        now = np.array(items)
        return frame.dealt(now, np.full(len(now), place), place)

    frame = dealt(Frame.empty(), [1, 2, 3, 4, 5], 0)
    frame = dealt(frame, [1, 2, 5], 10)  # 3 and 4 are out
    frame = dealt(frame, [1, 2, 5, 6], 10)  # nothing was drawn since; 6 came in
    frame = dealt(frame, [1, 2, 4, 5, 6], 20)  # 4 is back

    assert frame.ids.tolist() == [1, 2, 4, 5, 6]
    assert frame.since.tolist() == [0, 0, 20, 0, 10]
    assert frame.gone == [(0, 10, 2)]
    assert frame.gone_by(30, np.array([1, 2, 4])) == [(0, 10, 2), (0, 30, 1)]
    assert frame.entered(np.array([6, 7]), 99).tolist() == [10, 99]
    drawn = np.array([3, 4, 11, 12])
    assert draws_at(np.array([0, 10, 12, 99]), drawn).tolist() == [0, 2, 3, 4]
    assert gone_at(frame.gone, drawn).tolist() == [[0, 2, 2]]
    assert gone_at([], drawn).shape == (0, 3)


def test_answers_that_chance_alone_drew_are_counted_whatever_was_taken_out() -> None:
    left = 10 - np.arange(6)
    draws = Draws(np.arange(6), 1 / left, left, np.arange(8), gone=np.array([[0, 6, 2]]))

    assert draws.uniform
    assert (draws.taken_out, draws.size) == (0.0, 8.0)
    assert not draws.settled.any()


def test_much_that_was_taken_out_is_kept_as_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MOST_GONE", 3)
    frame = Frame(np.array([1, 2, 3]), np.array([0, 0, 5]), [(0, 7, 4), (0, 9, 1), (5, 8, 2)])

    assert frame.gone_by(12, np.array([1, 3])) == [(0, 12, 6), (5, 8, 2)]


def test_a_small_push_is_spoken_of_once_draws_could_have_been_of_it() -> None:
    """A twentieth is new and all wrong: five draws of anything say nothing of it; later ones do."""
    frame = np.arange(420)
    since = np.where(frame >= 400, 100, 0)
    for more, told in ((5, False), (60, False), (140, True)):
        count = 100 + more
        items = np.append(np.arange(100), 100 + np.arange(more))
        left = np.append(400 - np.arange(100), 320 - np.arange(more))
        draws = Draws(items, np.linspace(0.9, 1.1, count) / left, left, frame, since)

        assert draws.tells_of(frame[400:]).all() == told
        assert draws.tells_of(frame[:400]).all()
        assert draws.unheard == (0 if told else 20)


def test_small_pushes_are_spoken_of_together() -> None:
    frame = np.arange(160)
    since = np.where(frame < 100, 0, 20 + (frame - 100) // 2)  # two items more before each of thirty draws
    items = np.arange(70)
    left = np.append(100 - np.arange(20), 82 + np.minimum(2 * np.arange(50), 58) - np.arange(50))
    draws = Draws(items, np.linspace(0.9, 1.1, 70) / left, left, frame, since)

    assert len(draws.strata) < 10
    assert draws.strata[0].size == 100
    assert 100 < draws.size < 160
    assert draws.tells_of(frame[:120]).all()
    assert not draws.tells_of(frame[-2:]).any()


def test_drawn_items_that_are_out_make_no_part_of_what_is_spoken_of() -> None:
    """All of a hundred are drawn, ninety taken out, and a hundred others came: a tenth of what is there is known."""
    frame = np.arange(200)
    since = np.where(frame < 100, 100, 0)
    out = np.arange(100) < 90
    left = 100 - np.arange(100)
    chances = np.minimum(1, np.linspace(0.9, 1.1, 100) / left)
    draws = Draws(100 + np.arange(100), chances, left, frame, since, answered=~out, out=out)

    assert draws.told_to == 199
    assert draws.part == pytest.approx(10 / 110)


def _courses(
    pushes: list[tuple[int, int]], chances: Doubles
) -> Iterator[tuple[float, list[int], list[float], list[int], Frame]]:
    """Every order of draws where so many items come in before so many draws, by turns, with its probability."""

    def go(
        step: int, items: list[int], made: list[float], left: list[int], frame: Frame, probability: float
    ) -> Iterator[tuple[float, list[int], list[float], list[int], Frame]]:
        if step == len(pushes):
            yield probability, items, made, left, frame
            return
        there = np.arange(sum(count for count, _ in pushes[: step + 1]))
        dealt = frame.dealt(there, np.full(len(there), len(items)), len(items))
        for order in permutations(np.setdiff1d(there, items).tolist(), pushes[step][1]):
            open_ = np.setdiff1d(there, items).tolist()
            own, rest, chance = [], [], probability
            for item in order:
                own.append(float(chances[item] / chances[open_].sum()))
                rest.append(len(open_))
                chance *= own[-1]
                open_.remove(item)
            yield from go(step + 1, [*items, *order], [*made, *own], [*left, *rest], dealt, chance)

    return go(0, [], [], [], Frame.empty(), 1.0)


@pytest.mark.parametrize("fewest", [0.5, 1, 2])
@pytest.mark.parametrize("pushes", [[(4, 2), (2, 1), (2, 3)], [(4, 2), (1, 1), (1, 1), (3, 2)]])
def test_what_is_spoken_of_is_right_on_the_mean_however_pushes_are_told_of_together(
    fewest: float, pushes: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "FEWEST", fewest)
    count = sum(each for each, _ in pushes)
    wrong = (np.arange(count) >= 4).astype(np.float64)
    off = sure = 0.0
    for probability, drawn, chances, left, frame in _courses(pushes, np.linspace(0.3, 2, count)):
        items, ids = np.array(drawn), np.arange(count)
        since = draws_at(frame.entered(ids, len(items)), np.arange(len(items)))
        draws = Draws(items, np.array(chances), np.array(left), ids, since)
        off += probability * (draws.total(wrong[items]) - wrong[draws.tells_of(ids)].sum())
        sure += probability

    assert sure == pytest.approx(1)
    assert off == pytest.approx(0, abs=1e-9)


def test_more_draws_without_a_push_never_make_less_spoken_of() -> None:
    rng = np.random.default_rng(2)
    size, since, items, left = 100, [0] * 100, list[int](), list[int]()
    for _ in range(12):
        open_ = np.setdiff1d(np.arange(size), items)
        for number, item in enumerate(rng.permutation(open_)[:6].tolist()):
            items.append(item)
            left.append(len(open_) - number)
        size, since = size + 5, since + [len(items)] * 5
        spoken = [
            float(Draws(np.array(items[:n]), 1.05 / np.array(left[:n]), np.array(left[:n]), np.arange(size),
                        np.minimum(since, n)).tells_of(np.arange(size)).sum())
            for n in range(max(1, len(items) - 5), len(items) + 1)
        ]  # fmt: skip
        assert spoken == sorted(spoken)


def test_a_new_push_that_is_all_wrong_is_not_filled_up_with_right_items() -> None:
    """The old push is known and gone but for what was drawn; of the new one few draws were, and none was right."""
    looks = [look(number, old_push_out(0.0, 0), drawn_too=False) for number in range(80)]

    held = [band.low - 1e-9 <= truth <= band.high + 1e-9 for band, truth in looks]
    assert np.mean(held) >= 0.95
