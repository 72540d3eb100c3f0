"""Contracts of every learner."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from app.core.block import Block
from app.learners import DAMAGED, LEARNERS, CannotFit, LinearModel, left_out, load_model, logistic, make_learner, ridge
from app.learners.calibration import temperature
from app.learners.linear import BESIDE, LENGTHS, columns_space, link, row_space


def blobs(sparse: bool, rows: int = 60) -> tuple[Block, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.arange(rows) % 3
    dense = (np.eye(3)[truth] @ rng.normal(size=(3, 8)) + 0.2 * rng.normal(size=(rows, 8))).astype(np.float32)
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    return Block(dense, csr_matrix(dense) if sparse else None), np.eye(3, dtype=np.float32)[truth]


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("sparse", [False, True])
def test_a_learner_learns_and_its_file_gives_the_same_probabilities(name: str, sparse: bool, tmp_path: Path) -> None:
    block, targets = blobs(sparse)
    model = make_learner(name, {}, block, 3).fit(block, targets, np.ones(60), multiple=False, seed=0)

    probabilities = model.probabilities(block)
    model.save(tmp_path / "model.npz")
    again = load_model(tmp_path / "model.npz")
    assert again is not None

    assert (probabilities.argmax(axis=1) == targets.argmax(axis=1)).mean() > 0.95
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(60), abs=1e-5)
    assert np.array_equal(again.probabilities(block), probabilities)


def test_the_file_of_another_kind_of_model_is_no_place_to_start_from(tmp_path: Path) -> None:
    np.savez(tmp_path / "trees.npz", thresholds=np.zeros(3))
    assert load_model(tmp_path / "trees.npz") is None


@pytest.mark.parametrize("name", LEARNERS)
def test_several_classes_may_hold_at_once(name: str) -> None:
    block, targets = blobs(False)
    both = np.clip(targets + np.roll(targets, 1, axis=1) * (np.arange(60) % 2)[:, None], 0, 1).astype(np.float32)

    model = make_learner(name, {}, block, 3).fit(block, both, np.ones(60), multiple=True, seed=0)

    assert model.multiple
    assert ((model.probabilities(block) >= 0.5) == (both >= 0.5)).mean() > 0.7


@pytest.mark.parametrize("name", LEARNERS)
def test_one_class_or_no_label_cannot_be_fitted(name: str) -> None:
    block, targets = blobs(False)
    learner = make_learner(name, {}, block, 3)

    with pytest.raises(CannotFit, match="one class"):
        learner.fit(
            block.take(np.arange(3)), np.eye(3, dtype=np.float32)[[0, 0, 0]], np.ones(3), multiple=False, seed=0
        )
    with pytest.raises(CannotFit, match="no labels"):
        learner.fit(block.take(np.arange(0)), targets[:0], np.ones(0), multiple=False, seed=0)


def test_logistic_regression_finds_the_optimum_that_scikit_learn_finds() -> None:
    from sklearn.linear_model import LogisticRegression

    block, targets = blobs(False)
    ours = make_learner("logistic", {"strength": 5.0, "calibrate": False}, block, 3)
    model = ours.fit(block, targets, np.ones(60), multiple=False, seed=0)
    theirs = LogisticRegression(C=5.0, tol=1e-8, max_iter=5000).fit(block.dense, targets.argmax(axis=1))

    assert model.probabilities(block) == pytest.approx(theirs.predict_proba(block.dense), abs=0.01)


def test_more_columns_than_rows_give_the_same_model_as_fewer() -> None:
    """The row space is a detour of algebra, not another model."""
    block, targets = blobs(False, rows=60)
    wide = Block(np.concatenate([block.dense, np.zeros((60, 100), dtype=np.float32)], axis=1))

    plain = make_learner("ridge", {}, block, 3).fit(block, targets, np.ones(60), multiple=False, seed=0)
    roundabout = make_learner("ridge", {}, wide, 3).fit(wide, targets, np.ones(60), multiple=False, seed=0)

    assert roundabout.probabilities(wide) == pytest.approx(plain.probabilities(block), abs=0.02)


def test_a_model_file_with_code_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", weights=np.array([{"a": 1}], dtype=object), bias=np.zeros(2), settings=np.ones(3))

    with pytest.raises(ValueError, match="pickle"):
        load_model(tmp_path / "evil.npz")


def test_ridge_takes_the_penalty_that_leaving_one_out_prefers() -> None:
    """The closed form is compared with fitting again without each row."""
    block, targets = blobs(False, rows=24)
    noisy = Block((block.dense + 0.5 * np.random.default_rng(1).normal(size=block.dense.shape)).astype(np.float32))
    x, weights = noisy.dense.astype(np.float64), np.ones(24)
    errors = []
    for penalty in ridge.PENALTIES:
        total = 0.0
        for row in range(24):
            kept = np.arange(24) != row
            w, b = ridge.solved(x[kept], targets[kept], weights[kept], penalty)
            total += float((((x[row] @ w + b) / ridge.SCALE - targets[row]) ** 2).sum())
        errors.append(total)

    assert ridge.best_penalty(x, targets, weights) == ridge.PENALTIES[int(np.argmin(errors))]


@pytest.mark.parametrize("multiple", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_left_out_is_what_a_fit_of_all_others_says(sparse: bool, multiple: bool) -> None:
    """The closed form is compared with fitting again without each row, at the penalty and temperature it took."""
    block, targets = blobs(sparse, rows=24)
    aims = 2 * targets - 1 if multiple else targets
    weights = np.linspace(0.5, 1.5, 24)
    x, _ = row_space(block)
    penalty = ridge.best_penalty(x, aims, weights)
    scores = np.empty((24, targets.shape[1]))
    for row in range(24):
        kept = np.arange(24) != row
        w, b = ridge.solved(x[kept], aims[kept], weights[kept], penalty)
        scores[row] = x[row] @ w + b
    expected = link((scores / temperature(scores, targets, weights, multiple)).astype(np.float32), multiple)

    assert left_out(block, targets, weights, multiple=multiple) == pytest.approx(expected, abs=1e-4)


def test_many_sparse_rows_are_fitted_on_their_columns_to_the_same_model() -> None:
    from app.learners import logistic

    block, targets = blobs(True, rows=logistic.ROW_SPACE_ROWS + 200)
    learner = make_learner("logistic", {"calibrate": False}, block, 3)
    ones = np.ones(len(block))

    sparse = learner.fit(block, targets, ones, multiple=False, seed=0)
    dense = learner.fit(Block(block.dense), targets, ones, multiple=False, seed=0)

    assert sparse.probabilities(block) == pytest.approx(dense.probabilities(Block(block.dense)), abs=0.01)


def words(rows: int, seed: int = 4) -> tuple[Block, np.ndarray]:
    """Rows of few words of many, with a dense part of another length and what they are about."""
    rng = np.random.default_rng(seed)
    counts = csr_matrix((rng.random((rows, 300)) < 0.03).astype(np.float32))
    truth = (counts @ rng.normal(size=(300, 4))).argmax(axis=1)
    dense = np.asarray(counts @ rng.normal(size=(300, 12)), dtype=np.float32)
    dense /= np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-9)
    return Block(dense, counts), np.eye(4, dtype=np.float32)[truth]


def side_by_side(block: Block, length: float) -> Block:
    assert block.sparse is not None
    return Block(np.hstack([block.sparse.toarray(), length * block.dense]).astype(np.float32))


@pytest.mark.parametrize(("name", "rows"), [("ridge", 200), ("logistic", 200), ("logistic", 1_100)])
def test_the_dense_part_stands_beside_the_sparse_one(name: str, rows: int) -> None:
    block, targets = words(rows)
    length = ridge.best_length(block, targets, np.ones(rows)) if rows <= 1_000 else BESIDE
    plain = side_by_side(block, length)
    learner = make_learner(name, {}, block, 4)

    both = learner.fit(block, targets, np.ones(rows), multiple=False, seed=0)
    one = learner.fit(plain, targets, np.ones(rows), multiple=False, seed=0)

    fresh, _ = words(300, seed=5)
    wanted = one.probabilities(side_by_side(fresh, length))
    assert both.probabilities(fresh) == pytest.approx(wanted, abs=2e-3 if name == "ridge" else 0.02)


def test_of_many_rows_the_dense_part_stays_only_where_it_tells_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "LARGE", 1_050)
    block, targets = words(1_100)
    noise = np.random.default_rng(1).normal(size=(1_100, 20)).astype(np.float32)
    useless = Block(noise / np.linalg.norm(noise, axis=1, keepdims=True), block.sparse)
    learner = make_learner("logistic", {"calibrate": False}, block, 4)

    told = np.hstack([targets, np.ones((1_100, 1), dtype=np.float32)]) / np.float32(np.sqrt(2))

    kept = learner.fit(Block(told, block.sparse), targets, np.ones(1_100), multiple=False, seed=0)
    left = learner.fit(useless, targets, np.ones(1_100), multiple=False, seed=0)
    again = learner.fit(useless, targets, np.ones(1_100), multiple=False, seed=0, warm=left)

    assert isinstance(kept, LinearModel)
    assert isinstance(left, LinearModel)
    assert kept.space is not None
    assert left.space is None
    same = again.probabilities(useless).argmax(axis=1) == left.probabilities(useless).argmax(axis=1)
    assert same.mean() > 0.98


def test_of_many_rows_the_held_out_fifth_gives_the_temperature_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "LARGE", 1_050)
    block, targets = words(1_100)
    kept = Block(np.zeros_like(block.dense), block.sparse)  # nothing beside the words: both ways are one
    learner = make_learner("logistic", {}, block, 4)
    fits: list[int] = []
    solve = logistic.Logistic._solve

    def counted(self: Any, x: Any, *given: Any) -> Any:
        fits.append(x.shape[0])
        return solve(self, x, *given)

    monkeypatch.setattr(logistic.Logistic, "_solve", counted)
    model = learner.fit(kept, targets, np.ones(1_100), multiple=False, seed=0)

    assert fits == [880, 880, 1_100]
    order = np.random.default_rng(0).permutation(1_100)
    x, _ = columns_space(kept)
    w, b = solve(learner, x[order[220:]], targets[order[220:]], np.ones(880), False, None)
    held = order[:220]
    expected = temperature(x[held] @ w + b, targets[held], np.ones(220), False)
    assert isinstance(model, LinearModel)
    assert model.temperature == pytest.approx(expected, rel=1e-3)


def test_the_length_of_the_dense_part_is_the_one_that_leaving_one_out_prefers() -> None:
    block, targets = words(60)
    errors = []
    for length in LENGTHS:
        x, best = side_by_side(block, length).dense.astype(np.float64), np.inf
        for penalty in ridge.PENALTIES:
            total = 0.0
            for row in range(60):
                kept = np.arange(60) != row
                w, b = ridge.solved(x[kept], targets[kept], np.ones(59), penalty)
                total += float((((x[row] @ w + b) / ridge.SCALE - targets[row]) ** 2).sum())
            best = min(best, total)
        errors.append(best)

    assert ridge.best_length(block, targets, np.ones(60)) == LENGTHS[int(np.argmin(errors))]
    only = np.zeros(200)
    only[100:160] = 1
    some = words(200)
    heeded = some[0].take(np.arange(100, 160)), some[1][100:160], np.ones(60)
    assert ridge.best_length(*some, only) == ridge.best_length(*heeded)
    assert ridge.best_length(Block(block.dense), targets, np.ones(60)) == BESIDE


def test_a_model_of_an_earlier_release_knows_the_sparse_part_alone(tmp_path: Path) -> None:
    block, targets = words(100)
    assert block.sparse is not None
    made = make_learner("ridge", {}, block, 4).fit(block, targets, np.ones(100), multiple=False, seed=0)
    assert isinstance(made, LinearModel)
    replace(made, space=None).save(tmp_path / "model.npz")

    earlier = load_model(tmp_path / "model.npz")

    assert earlier is not None
    assert earlier.space is None
    full = np.zeros((300, 4), dtype=np.float32)
    full[earlier.columns] = earlier.weights
    expected = link((block.sparse @ full + earlier.bias) / np.float32(earlier.temperature), False)
    assert earlier.probabilities(block) == pytest.approx(expected, abs=1e-5)
    learner = make_learner("logistic", {"calibrate": False}, block, 4)
    many, aims = words(1_100)
    warm = learner.fit(many, aims, np.ones(1_100), multiple=False, seed=0, warm=earlier)
    assert np.array_equal(
        warm.probabilities(many), learner.fit(many, aims, np.ones(1_100), multiple=False, seed=0).probabilities(many)
    )


@pytest.mark.parametrize("sparse", [False, True])
def test_a_warm_start_ends_where_a_cold_one_does_and_sooner(sparse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    counts = csr_matrix((rng.random((1_400, 300)) < 0.03).astype(np.float32))
    truth = (counts @ rng.normal(size=(300, 4))).argmax(axis=1)
    targets = np.eye(4, dtype=np.float32)[truth]
    block = Block(np.asarray(counts[:, :40].todense()), counts if sparse else None)
    after = np.arange(1_400)
    iterations = []

    def counted(*given, **more):
        found = minimize(*given, **more)
        iterations.append(found.nit)
        return found

    monkeypatch.setattr(logistic, "minimize", counted)
    learner = make_learner("logistic", {"calibrate": False}, block, 4)
    # The first labels touch only some columns, so the later fit has weights that the warm model has not.
    first = learner.fit(block.take(after[:1_100]), targets[:1_100], np.ones(1_100), multiple=False, seed=0)
    cold = learner.fit(block.take(after), targets, np.ones(1_400), multiple=False, seed=0)
    warm = learner.fit(block.take(after), targets, np.ones(1_400), multiple=False, seed=0, warm=first)
    assert warm.probabilities(block) == pytest.approx(cold.probabilities(block), abs=0.02)
    assert iterations[2] < iterations[1]


@pytest.mark.parametrize("sign", [b"(", b"\0", b"=", b"\xff"])
def test_a_model_whose_head_is_no_python_any_more_is_damaged(tmp_path: Path, sign: bytes) -> None:
    """numpy reads the head of each array as Python, and raised what nobody expected."""
    file = tmp_path / "model.npz"
    LinearModel(np.eye(3, 2, dtype=np.float32), np.zeros(2, dtype=np.float32), 1.0, False, 3).save(file)
    assert load_model(file) is not None
    file.write_bytes(file.read_bytes().replace(b"}", sign))

    with pytest.raises(DAMAGED):
        load_model(file)
