"""The counterfactual: random answers alone, fold by fold, beside the first chosen ones; what judges taught neither."""

from dataclasses import replace

import numpy as np
import pytest

from app.evaluation.saved import Saved
from app.learners import GivenModel
from app.loop import counterfactual
from app.loop.counterfactual import compared, look, sizes_of
from app.loop.guarding import folds_of, right
from app.loop.propose import Labelled, Plan
from tests.unit.loop.test_evaluate import PLAN, rows


def test_sizes_go_down_from_all_random_labels_to_twenty_or_an_eighth() -> None:
    assert sizes_of(48) == [48, 34, 24]
    assert sizes_of(500) == [500, 354, 250, 177, 125, 88, 62]
    assert sizes_of(19) == []


def test_random_learners_are_of_audit_answers_outside_the_fold_that_judges() -> None:
    labelled = rows(160, 1, audit=60)
    found = compared(labelled, PLAN)
    folds = folds_of(labelled, PLAN)

    assert found is not None
    assert found.labels == 48
    outside = [np.setdiff1d(np.arange(60), fold) for fold in folds]
    whole = [right(labelled.take(each), labelled.take(fold), PLAN) for each, fold in zip(outside, folds, strict=True)]
    drawn = 3 * found.random - np.concatenate(whole)  # of the sizes 48, 34 and 24, the last of two draws
    assert np.allclose(drawn * 2, np.round(drawn * 2), atol=1e-4)
    assert drawn.min() >= -1e-4
    assert drawn.max() <= 2 + 1e-4


def test_the_draws_of_one_size_share_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    labelled, taught = rows(160, 1, audit=60), []

    def noted(rows: Labelled, judges: Labelled, plan: Plan) -> np.ndarray:
        taught.append(rows.ids[:, 0])
        return right(rows, judges, plan)

    monkeypatch.setattr(counterfactual, "right", noted)
    compared(labelled, PLAN)

    first = taught[:4]
    assert [len(each) for each in first] == [48, 34, 24, 24]
    assert set(first[2]) | set(first[3]) == set(first[0])
    assert not set(first[2]) & set(first[3])


def test_chosen_learners_are_of_the_first_answers_in_their_order_and_of_no_audit_answer() -> None:
    labelled = rows(160, 2, audit=60)
    turned = replace(labelled, order=np.arange(160)[::-1].copy(), chosen=np.arange(160) % 2 == 0)

    found = compared(turned, PLAN)

    assert found is not None
    first = [at for at in range(159, -1, -1) if at >= 60 and at % 2 == 0]
    judges = turned.take(np.concatenate(folds_of(turned, PLAN)))
    for ratio, hits in found.chosen.items():
        sizes = [round(48 * 2 ** (-step / 2) * ratio) for step in range(3)]
        each = [right(turned.take(np.array(first[:size])), judges, PLAN) for size in sizes]
        assert np.allclose(hits, np.mean(each, axis=0))
    assert max(found.chosen) == 1  # 50 were chosen, and 57 would be the next
    assert min(found.chosen) == 0.25


def test_judges_of_ones_own_judge_all_of_them_by_the_mean_of_the_random_learners() -> None:
    labelled, judges = rows(130, 3, audit=30), rows(80, 4)  # of 24 random labels, one draw of one size

    found = compared(labelled, PLAN, judges)

    assert found is not None
    arms = [right(labelled.take(np.setdiff1d(np.arange(30), fold)), judges, PLAN) for fold in folds_of(labelled, PLAN)]
    assert found.random == pytest.approx(np.mean(arms, axis=0))
    assert len(found.random) == 80


@pytest.mark.parametrize(("count", "audit"), [(100, 20), (34, 30), (60, 60)])
def test_too_few_of_either_kind_compare_nothing(count: int, audit: int) -> None:
    labelled = rows(count, 5, audit=audit)

    assert compared(labelled, PLAN) is None
    assert look(Saved(), labelled, PLAN, 3) == Saved()


def test_a_look_waits_for_forty_judges_and_then_for_half_as_many_more_and_an_outside_model_has_none() -> None:
    few, enough, hardly_more = rows(160, 6, audit=39), rows(160, 6, audit=40), rows(160, 6, audit=59)

    first = look(Saved(), enough, PLAN, 4)

    assert look(Saved(), few, PLAN, 4) == Saved()
    assert (first.looks, first.judged) == (1, 40)
    assert look(first, hardly_more, PLAN, 5) == first
    assert look(first, rows(160, 6, audit=60), PLAN, 5).looks == 2
    assert look(Saved(), enough, replace(PLAN, given=GivenModel(3, False)), 4) == Saved()


def test_only_answers_since_the_question_drove_the_choice_were_chosen_for_it() -> None:
    labelled = rows(160, 6, audit=60)
    labelled = replace(labelled, chosen=~labelled.audit, order=np.arange(160))

    assert look(Saved(), labelled, PLAN, 4).looks == 1
    assert look(Saved(since=100), labelled, PLAN, 4).looks == 1
    assert look(Saved(since=155), labelled, PLAN, 4).looks == 0  # four are too few to compare


def test_a_look_says_how_far_it_is() -> None:
    told: list[tuple[str, float]] = []
    looked = look(Saved(), rows(160, 1, audit=60), PLAN, 3, lambda *each: told.append(each))

    assert looked.looks == 1
    assert {step for step, _ in told} == {"compare"}
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert 0.9 == fractions[0] < fractions[-1] < 1
    assert len(fractions) > 10
