"""The counterfactual: random answers alone, fold by fold, beside the first chosen ones; what judges taught neither."""

from dataclasses import replace

import numpy as np
import pytest

from app.evaluation.saved import Saved
from app.learners import GivenModel
from app.loop.counterfactual import SHARES, compared, look
from app.loop.guarding import folds_of, right
from tests.unit.loop.test_evaluate import PLAN, rows


def test_random_learners_are_of_the_audit_answers_outside_the_fold_that_judges() -> None:
    labelled = rows(160, 1, audit=60)
    found = compared(labelled, PLAN)
    folds = folds_of(labelled, PLAN)

    assert found is not None
    assert found.labels == 48
    audit = np.arange(60)
    expected = [right(labelled.take(np.setdiff1d(audit, fold)), labelled.take(fold), PLAN) for fold in folds]
    assert np.array_equal(found.random, np.concatenate(expected))
    assert sorted(found.chosen) == sorted({size for share in SHARES if 5 <= (size := round(share * 48)) <= 100})


def test_chosen_learners_are_of_the_first_answers_in_their_order_and_of_no_audit_answer() -> None:
    labelled = rows(160, 2, audit=60)
    turned = replace(labelled, order=np.arange(160)[::-1].copy(), chosen=np.arange(160) % 2 == 0)

    found = compared(turned, PLAN)

    assert found is not None
    first = [at for at in range(159, -1, -1) if at >= 60 and at % 2 == 0]
    judges = turned.take(np.concatenate(folds_of(turned, PLAN)))
    for size, hits in found.chosen.items():
        assert np.array_equal(hits, right(turned.take(np.array(first[:size])), judges, PLAN))
    assert max(found.chosen) <= len(first) == 50


def test_judges_of_ones_own_judge_all_of_them_by_the_mean_of_the_random_learners() -> None:
    labelled, judges = rows(160, 3, audit=60), rows(80, 4)

    found = compared(labelled, PLAN, judges)

    assert found is not None
    arms = [right(labelled.take(np.setdiff1d(np.arange(60), fold)), judges, PLAN) for fold in folds_of(labelled, PLAN)]
    assert found.random == pytest.approx(np.mean(arms, axis=0))
    assert len(found.random) == 80


@pytest.mark.parametrize(("count", "audit"), [(100, 5), (34, 30), (60, 60)])
def test_too_few_of_either_kind_compare_nothing(count: int, audit: int) -> None:
    labelled = rows(count, 5, audit=audit)

    assert compared(labelled, PLAN) is None
    assert look(Saved(), labelled, PLAN, 3) == Saved()


def test_a_look_waits_for_twenty_judges_and_then_for_a_quarter_more_and_an_outside_model_has_none() -> None:
    few, enough, hardly_more = rows(120, 6, audit=19), rows(120, 6, audit=20), rows(120, 6, audit=24)

    first = look(Saved(), enough, PLAN, 4)

    assert look(Saved(), few, PLAN, 4) == Saved()
    assert (first.looks, first.judged) == (1, 20)
    assert look(first, hardly_more, PLAN, 5) == first
    assert look(first, rows(120, 6, audit=25), PLAN, 5).looks == 2
    assert look(Saved(), enough, replace(PLAN, given=GivenModel(3, False)), 4) == Saved()
