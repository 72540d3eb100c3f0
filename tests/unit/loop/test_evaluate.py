"""The two strata of an evaluation, and that neither is flattered."""

from dataclasses import replace

import numpy as np

from app.core.block import Block
from app.learners import make_learner
from app.loop.evaluate import Evaluation, evaluate
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
