"""Which labels are doubted: the planted wrong ones, fewer right ones than cleanlab names, and none for no reason."""

from dataclasses import replace

import numpy as np
import pytest
from cleanlab.filter import find_label_issues

from app.core.block import Block
from app.learners import GivenModel
from app.loop import doubts
from app.loop.doubts import opinions
from app.loop.propose import Labelled, Plan
from tests.unit.strategies.toys import labelled, unit

PLAN = Plan((1, 2, 3), False, "text", seed=4)


def clusters(rows: int = 300, noise: float = 0.15) -> tuple[Labelled, np.ndarray]:
    """Three classes of rows around a point each, and their true classes."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, rows)
    matrix = unit(np.eye(3, 12)[truth] + noise * rng.normal(size=(rows, 12)))
    return labelled(matrix, truth.tolist()), truth


def given(said: np.ndarray, classes: np.ndarray) -> tuple[Labelled, Plan]:
    """Labels beside what an outside model says of them."""
    rows = labelled(np.ones((len(said), 2), dtype=np.float32), classes.tolist(), said.shape[1])
    plan = replace(PLAN, classes=tuple(range(said.shape[1])), given=GivenModel(said.shape[1], False))
    return replace(rows, block=Block(rows.block.dense, None, said.astype(np.float32))), plan


def test_ten_wrong_labels_among_three_hundred_are_found_and_come_first() -> None:
    rows, truth = clusters()
    wrong = np.random.default_rng(2).choice(len(truth), 10, replace=False)
    targets = rows.targets.copy()
    targets[wrong] = np.roll(targets[wrong], 1, axis=1)

    found = opinions(replace(rows, targets=targets), PLAN)

    assert set(found.rows[found.doubted].tolist()) >= set(wrong.tolist())
    assert set(found.rows[:10].tolist()) == set(wrong.tolist())
    assert found.doubted.sum() <= 12
    assert (found.probabilities[:10].argmax(axis=1) == truth[found.rows[:10]]).all()
    assert len(np.unique(found.rows)) == 300


def test_more_wrong_labels_are_among_fewer_named_ones_than_with_thresholds_by_class() -> None:
    """cleanlab gets the same probabilities."""
    rows, _ = clusters(900, noise=0.4)
    rng = np.random.default_rng(6)
    wrong = rng.random(900) < 0.05
    targets = np.where(wrong[:, None], np.roll(rows.targets, 1, axis=1), rows.targets)
    found = opinions(replace(rows, targets=targets), PLAN)
    said = np.empty_like(targets)
    said[found.rows] = found.probabilities

    theirs = find_label_issues(targets.argmax(axis=1), said, filter_by="confident_learning", n_jobs=1)
    ours = np.zeros(900, dtype=bool)
    ours[found.rows[found.doubted]] = True

    assert (ours & wrong).sum() > (theirs & wrong).sum() > 20
    assert (ours & wrong).sum() / ours.sum() > (theirs & wrong).sum() / theirs.sum() > 0.6


def test_doubted_are_those_of_whom_another_class_is_ten_times_as_probable() -> None:
    rng = np.random.default_rng(3)
    said = rng.dirichlet(np.ones(4) * 0.7, size=900).astype(np.float32)
    classes = np.where(rng.random(900) < 0.7, said.argmax(axis=1), rng.integers(0, 4, 900))
    expected = {
        row
        for row, (each, own) in enumerate(zip(said.tolist(), classes.tolist(), strict=True))
        if max(value for place, value in enumerate(each) if place != own) >= 10 * each[own]
    }

    found = opinions(*given(said, classes))

    assert set(found.rows[found.doubted].tolist()) == expected
    assert 20 < len(expected) < 300


def test_a_class_with_a_handful_of_labels_is_not_doubted_and_doubts_no_other() -> None:
    said = np.tile(np.array([0.95, 0.05], dtype=np.float32), (44, 1))
    classes = np.zeros(44, dtype=np.int64)
    classes[:4] = 1

    few = opinions(*given(said, classes))
    classes[4] = 1
    enough = opinions(*given(said, classes))

    assert not few.doubted.any()
    assert sorted(enough.rows[enough.doubted]) == [0, 1, 2, 3, 4]


def test_where_several_classes_may_hold_one_that_lacks_and_one_too_many_are_doubted() -> None:
    rng = np.random.default_rng(5)
    held = rng.random((300, 2)) < 0.5
    matrix = unit(np.where(held, 1.0, -1.0) @ np.eye(2, 8) + 0.2 * rng.normal(size=(300, 8)))
    targets = held.astype(np.float32)
    targets[7, 0], targets[30, 1] = 1 - targets[7, 0], 1 - targets[30, 1]
    rows = replace(labelled(matrix, [0] * 300, 2), targets=targets)

    found = opinions(rows, replace(PLAN, classes=(1, 2), multiple=True))

    assert set(found.rows[:2].tolist()) == {7, 30}
    assert found.doubted[:2].all()
    assert found.doubted.sum() <= 4


def test_the_same_labels_in_another_order_give_the_same_opinions() -> None:
    rows, _ = clusters(60, noise=0.8)
    turned = np.arange(60)[::-1]

    one, other = opinions(rows, PLAN), opinions(rows.take(turned), PLAN)

    assert set(one.rows[one.doubted].tolist()) == set(turned[other.rows[other.doubted]].tolist())
    assert one.doubted.any()


def test_of_very_many_labels_the_newest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = clusters(60)
    rows = replace(rows, order=np.arange(60)[::-1].copy())
    monkeypatch.setattr(doubts, "LOOKED_AT", 40)

    assert sorted(opinions(rows, PLAN).rows.tolist()) == list(range(40))


def test_nothing_is_thought_without_labels_or_with_one_class() -> None:
    rows, _ = clusters(12)
    alone = replace(rows, targets=np.tile(np.eye(1, 3, dtype=np.float32), (12, 1)))

    for each in (opinions(rows.take(np.arange(0)), PLAN), opinions(alone, PLAN)):
        assert not len(each.rows)
        assert not len(each.doubted)
