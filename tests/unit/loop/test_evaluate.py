"""The two strata of an evaluation, and that neither is flattered."""

from dataclasses import replace

import numpy as np
import pytest

from app.core.block import Block
from app.evaluation.draws import Draws
from app.learners import Model, make_learner
from app.loop.auditing import AuditSet
from app.loop.evaluate import Evaluation, Peek, evaluate
from app.loop.executors import LocalExecutor
from app.loop.propose import Labelled, Plan, propose

PLAN = Plan((3, 5, 9), False, "text", learner="ridge", seed=4)


def rows(count: int, seed: int, audit: int = 0, noise: float = 0.6, signal: bool = True) -> Labelled:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count)
    matrix = np.eye(3, 12)[truth if signal else rng.integers(0, 3, count)] + noise * rng.normal(size=(count, 12))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    ids = np.zeros((count, 3), dtype=np.int64)
    ids[:, 0] = np.arange(count) + 10_000 * seed
    targets = np.eye(3, dtype=np.float32)[truth]
    return Labelled(ids, Block(matrix.astype(np.float32)), targets, np.ones(count), np.arange(count) < audit)


def judged(labelled: Labelled, heldout: Labelled | None) -> Evaluation:
    learner = make_learner(PLAN.learner, {}, labelled.block, 3)
    model = learner.fit(labelled.block, labelled.targets, labelled.weights, multiple=False, seed=0)
    return evaluate(labelled, heldout, PLAN, model, lambda _step, _fraction: None)


def test_the_projects_own_test_set_is_the_headline_and_near_the_truth() -> None:
    found = judged(rows(200, 1, audit=60), rows(400, 2)).to_json()
    far = judged(rows(200, 1), rows(4_000, 3)).to_json()

    assert found["stratum"] == "imported"
    assert found["accuracy"]["n"] == 400
    assert found["accuracy"]["low"] <= far["accuracy"]["value"] <= found["accuracy"]["high"]
    assert found["audit"]["accuracy"]["n"] == 60


def test_audit_answers_are_predicted_by_models_that_never_saw_them() -> None:
    """With no signal at all the honest accuracy is a third, although a model can learn its own labels by heart."""
    labelled = rows(120, 5, audit=100, signal=False)

    found = judged(labelled, None).to_json()

    assert found["stratum"] == "audit"
    assert found["accuracy"]["low"] <= 1 / 3 <= found["accuracy"]["high"]
    assert sum(map(sum, found["confusion"])) == 100


def test_too_few_audit_answers_are_said_in_words() -> None:
    found = judged(rows(50, 6, audit=3), None).to_json()

    assert found["accuracy"] is None
    assert found["reason"] == "3 audit answers so far"


def test_the_twin_compares_as_many_random_labels_as_chosen_ones() -> None:
    twin = judged(rows(200, 7, audit=60), rows(300, 8)).twin

    assert twin is not None
    assert twin["labels"] == 60
    assert twin["random"]["n"] == twin["chosen"]["n"] == 300


def test_class_balance_is_that_of_the_test_set_while_audit_answers_are_few() -> None:
    heldout = rows(300, 11)

    found = judged(rows(60, 10, audit=2), heldout)

    assert found.to_json()["balance_of"] == "imported"
    assert {each["n"] for each in found.balance} == {300}
    assert np.allclose([each["value"] for each in found.balance], heldout.targets.mean(axis=0), atol=1e-3)
    assert judged(rows(60, 10, audit=2), None).balance == []


def test_class_balance_is_that_of_the_audit_answers_alone() -> None:
    labelled = rows(300, 9, audit=80)

    balance = judged(labelled, None).balance

    assert [each["class_id"] for each in balance] == [3, 5, 9]
    assert {each["n"] for each in balance} == {80}
    first = labelled.targets[:80].mean(axis=0)
    assert np.allclose([each["value"] for each in balance], first, atol=1e-3)


def test_audit_answers_kept_apart_teach_nothing_and_are_judged_by_the_model_itself() -> None:
    labelled = rows(200, 12, audit=80)
    plan = replace(PLAN, apart=True)
    with LocalExecutor(1) as executor:
        proposal = propose(labelled, [], plan, executor, lambda _step, _fraction: None)
    taught = labelled.take(~labelled.audit)
    alone = make_learner(PLAN.learner, {}, taught.block, 3)
    model = alone.fit(taught.block, taught.targets, taught.weights, multiple=False, seed=PLAN.seed)
    assert proposal.model is not None

    found = evaluate(labelled, None, plan, proposal.model, lambda _step, _fraction: None)

    judges = labelled.take(labelled.audit)
    assert np.allclose(proposal.model.probabilities(judges.block), model.probabilities(judges.block))
    right = (model.probabilities(judges.block).argmax(axis=1) == judges.targets.argmax(axis=1)).mean()
    assert found.to_json()["accuracy"]["value"] == round(float(right), 4)
    assert found.compared is not None


def fitted(taught: Labelled) -> Model:
    learner = make_learner("ridge", {}, taught.block, 3)
    return learner.fit(taught.block, taught.targets, taught.weights, multiple=False, seed=4)


def chosen(labelled: Labelled, powered: bool) -> Peek:
    """The audit rows as draws from five times as many items, the later ones ever less by chance."""
    items = labelled.ids[labelled.audit, 0]
    waiting = items.max() + 1 + np.arange(4 * len(items))
    left = 5 * len(items) - np.arange(len(items))
    frame = np.concatenate([items, waiting])
    draws = Draws(items, np.linspace(0.5, 2, len(items)) / left, left, frame)
    expected = (lambda _model: np.full(len(waiting), 0.25)) if powered else None
    return Peek(3, None, AuditSet(draws, True, powered, waiting, expected))


@pytest.mark.parametrize("apart", [True, False])
def test_chosen_audit_answers_weigh_by_their_chances_and_compare_nothing(apart: bool) -> None:
    labelled, plan = rows(200, 13, audit=60), replace(PLAN, apart=apart)
    taught = labelled.take(~labelled.audit)
    model = fitted(taught)
    peek = chosen(labelled, powered=False)
    assert peek.audits.draws is not None

    found = evaluate(labelled, None, plan, model, lambda _step, _fraction: None, peek).to_json()

    draws = peek.audits.draws
    if apart:
        wrong = model.probabilities(labelled.take(labelled.audit).block).argmax(axis=1) != labelled.targets[:60].argmax(
            1
        )
        assert found["accuracy"]["value"] == pytest.approx(1 - draws.weights @ wrong / 300, abs=1e-4)
    share = draws.weights @ labelled.targets[:60] / draws.weights.sum()
    assert [each["value"] for each in found["balance"]] == pytest.approx(share.tolist(), abs=1e-4)
    assert found["how"] == {
        "choice": "active", "estimate": "counted", "why": None, "drawn": 60, "unanswered": 0, "audit_set": 300,
        "speaks_of": 1.0, "unheard": 0, "ahead": 0, "taken_out": 0,
    }  # fmt: skip
    assert found["twin"] is None
    assert found["accuracy"]["low"] < found["accuracy_at_one_look"]["low"] < found["accuracy"]["value"]


def test_the_models_expectation_corrects_the_estimate_once_enough_answers_are_wrong() -> None:
    for audit, estimate in ((60, "prediction_powered"), (15, "counted")):
        labelled = rows(200, 14, audit=audit, noise=1.0)
        waiting = np.arange(1_000, 1_400)
        audits = AuditSet(None, False, True, waiting, lambda _model: np.full(400, 0.9))
        model = fitted(labelled)

        found = evaluate(labelled, None, PLAN, model, lambda _step, _fraction: None, Peek(2, None, audits)).to_json()

        counted = evaluate(labelled, None, PLAN, model, lambda _step, _fraction: None, Peek(2)).to_json()
        assert found["how"]["estimate"] == estimate
        assert found["twin"] == counted["twin"]  # the audit answers are random ones still
        if audit == 60:
            assert found["how"]["factor"] > 0
            assert found["accuracy"]["value"] < counted["accuracy"]["value"]  # the others are expected to be far worse
        else:
            assert found["how"]["why"] == "counted until 15 audit answers are wrong, and as many right"
            assert found["accuracy"] == counted["accuracy"]


def test_what_is_expected_corrects_nothing_once_items_were_taken_out_undrawn() -> None:
    labelled, plan = rows(200, 14, audit=60, noise=1.0), replace(PLAN, apart=True)
    model = fitted(labelled.take(~labelled.audit))
    as_drawn = chosen(labelled, powered=True)
    assert as_drawn.audits.draws is not None
    frame = as_drawn.audits.draws.frame[:-20]
    draws = replace(as_drawn.audits.draws, frame=frame, gone=np.array([[0, 60, 20]]))
    peek = replace(as_drawn, audits=replace(as_drawn.audits, draws=draws))

    before, after, counted = (
        evaluate(labelled, None, plan, model, lambda _step, _fraction: None, each).to_json()
        for each in (as_drawn, peek, replace(peek, audits=replace(peek.audits, powered=False)))
    )

    assert before["how"]["estimate"] == "prediction_powered"
    assert after["how"]["estimate"] == "counted"
    assert after["how"]["why"] == "counted, as items of the audit set were taken out before they were drawn"
    assert after["accuracy"] == counted["accuracy"]
