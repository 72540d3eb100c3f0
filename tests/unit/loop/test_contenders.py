"""Two learners with the same labels: each judged on the same items, and by none that taught it."""

from dataclasses import replace

import numpy as np
import pytest

from app.core.block import Block
from app.evaluation.metrics import hits
from app.learners import make_learner
from app.loop.contenders import judged
from app.loop.guarding import folds_of
from tests.unit.loop.test_evaluate import PLAN, rows


def test_both_learners_are_judged_on_the_same_audit_items_each_once() -> None:
    labelled = rows(150, 1, audit=60)

    first = judged(labelled, None, PLAN, "ridge", {})["audit"]
    second = judged(labelled, None, PLAN, "logistic", {"strength": 0.5})["audit"]

    assert sorted(first.items) == sorted(labelled.ids[:60, 0])
    assert list(first.items) == list(second.items)
    assert np.array_equal(first.targets, second.targets)
    assert not np.allclose(first.said, second.said)


def test_each_audit_answer_is_said_by_a_learner_of_all_the_others() -> None:
    labelled = rows(90, 2, audit=40)
    found = judged(labelled, None, PLAN, "ridge", {})["audit"]
    place = {int(item): at for at, item in enumerate(found.items)}

    for fold in folds_of(labelled, PLAN, np.arange(40)):
        others = labelled.take(np.setdiff1d(np.arange(90), fold))
        learner = make_learner("ridge", {}, others.block, 3)
        model = learner.fit(others.block, others.targets, others.weights, multiple=False, seed=PLAN.seed)
        told = model.probabilities(labelled.block.take(fold))
        mine = found.said[[place[int(item)] for item in labelled.ids[fold, 0]]]
        assert mine == pytest.approx(told, abs=1e-6)


def test_without_signal_no_learner_looks_better_than_chance() -> None:
    """By heart a model would know its own labels: judged on what taught it, it would be right far more often."""
    labelled = rows(200, 3, audit=150, signal=False)

    for name in ("ridge", "logistic"):
        found = judged(labelled, None, PLAN, name, {})["audit"]
        assert abs(hits(found.said, found.targets, False).mean() - 1 / 3) < 0.13


def test_answers_that_are_kept_apart_teach_neither() -> None:
    labelled = rows(120, 4, audit=50)
    wrong = replace(
        labelled, targets=np.where(labelled.audit[:, None], np.roll(labelled.targets, 1, 1), labelled.targets)
    )
    apart = replace(PLAN, apart=True)

    one = judged(labelled, None, apart, "ridge", {})["audit"]
    other = judged(wrong, None, apart, "ridge", {})["audit"]

    assert np.array_equal(one.said, other.said)
    assert not np.array_equal(
        judged(labelled, None, PLAN, "ridge", {})["audit"].said, judged(wrong, None, PLAN, "ridge", {})["audit"].said
    )


def test_the_projects_own_test_set_judges_both_and_a_stratum_without_answers_none() -> None:
    tests = rows(70, 5)

    found = judged(rows(80, 6, audit=3), tests, PLAN, "ridge", {})

    assert set(found) == {"imported"}
    assert list(found["imported"].items) == list(tests.ids[:, 0])
    assert hits(found["imported"].said, tests.targets, False).mean() > 0.6


def test_a_learner_that_cannot_be_fitted_judges_nothing() -> None:
    labelled = rows(40, 7, audit=20)
    one_class = replace(labelled, targets=np.tile(np.array([[1, 0, 0]], dtype=np.float32), (40, 1)))
    empty = labelled.take(np.empty(0, dtype=np.int64))

    assert judged(empty, one_class, PLAN, "ridge", {}) == {}
    assert judged(replace(labelled, block=Block(np.zeros((40, 12), np.float32))), None, PLAN, "ridge", {}).keys() == {
        "audit"
    }
