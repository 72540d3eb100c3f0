"""The strategies of scikit-activeml by name: each one chooses as the library does, with the method's own parameters."""

import inspect
from typing import Any

import numpy as np
import pytest
from skactiveml import pool as theirs
from skactiveml.regressor import SklearnRegressor
from sklearn.linear_model import Ridge

from app.core.block import Block
from app.core.errors import Invalid
from app.strategies import Candidates, Need, keyed_hash, make_strategy
from app.strategies.pool import library
from app.strategies.pool.library import LibraryState
from tests.unit.strategies.toys import ids_of, labelled, pool, run

VALUES = (1.0, 2.0, 5.0)
REFUSED = {"ExpectedErrorReduction", "SubSamplingWrapper", "ParallelUtilityEstimationWrapper"}
FOR_TWO = "EpistemicUncertaintySampling"
METHODS = sorted(
    name
    for name in theirs.__all__
    if inspect.isclass(getattr(theirs, name))
    and hasattr(getattr(theirs, name), "query")
    and name not in REFUSED | {FOR_TWO}
)
FOR_NUMBERS = {
    "ExpectedModelChangeMaximization",
    "ExpectedModelOutputChange",
    "ExpectedModelVarianceReduction",
    "GreedySamplingTarget",
    "KLDivergenceMaximization",
    "RegressionTreeBasedAL",
}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_asked_by_name(method: str) -> None:
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)

    proposal = run("scikit_activeml", pool(30), given, size=4, cuts=3, values=VALUES, method=method, keeps=12)

    assert len(set(proposal.ids[:, 0].tolist())) == 4
    assert (proposal.strategy, proposal.fallback) == ("scikit_activeml", None)
    needs = make_strategy("scikit_activeml", {"method": method}).needs
    assert (Need.NUMBERS in needs) == (Need.ONE_CLASS not in needs) == (method in FOR_NUMBERS)


def test_a_failure_of_the_library_names_the_method() -> None:
    with pytest.raises(ValueError, match=r"scikit-activeml's EpistemicUncertaintySampling failed: .*two-class"):
        run("scikit_activeml", pool(30), labelled(pool(9), [0, 1, 2] * 3), method=FOR_TWO)


def candidates(rows: int) -> Candidates:
    ids = ids_of(np.arange(rows) + 1)
    order = np.argsort(keyed_hash(ids, 0))
    return Candidates(ids[order], Block(pool(rows, 6)[order]), None, np.zeros(rows, dtype=np.float32), 0)


@pytest.mark.parametrize(
    ("method", "options", "told"),
    [
        ("CoreSet", "", {}),
        ("CoreSet", "metric=manhattan", {"metric": "manhattan"}),
        ("MaxHerding", "normalize_samples=false metric=linear", {"normalize_samples": False, "metric": "linear"}),
        ("TypiClust", "k=2", {"k": 2}),
    ],
)
def test_the_choice_is_the_librarys_with_the_same_options(method: str, options: str, told: dict[str, Any]) -> None:
    shown, known = candidates(40), pool(7, 6, seed=1)
    state = LibraryState(known, np.array([0.0, 1, 2, 0, 1, 2, 0]), 3)
    strategy = make_strategy("scikit_activeml", {"method": method, "options": options})

    chosen = strategy.choose(shown, 6, state, np.random.default_rng(5))

    seed = int(np.random.default_rng(5).integers(2**31))
    matrix = np.concatenate([shown.block.dense, known]).astype(np.float64)
    labels = np.concatenate([np.full(40, np.nan), state.labels])
    query = getattr(theirs, method)(random_state=seed, **told)
    assert chosen.tolist() == query.query(X=matrix, y=labels, candidates=np.arange(40), batch_size=6).tolist()


def test_a_regressor_learns_the_numbers_of_the_answers() -> None:
    shown, known, numbers = candidates(40), pool(9, 6, seed=1), np.array([1.0, 2, 5, 1, 2, 5, 1, 2, 5])
    strategy = make_strategy("scikit_activeml", {"method": "GreedySamplingTarget", "options": "method=GSy"})

    chosen = strategy.choose(shown, 5, LibraryState(known, numbers, 3), np.random.default_rng(5))

    seed = int(np.random.default_rng(5).integers(2**31))
    matrix = np.concatenate([shown.block.dense, known]).astype(np.float64)
    expected = theirs.GreedySamplingTarget(method="GSy", random_state=seed).query(
        X=matrix,
        y=np.concatenate([np.full(40, np.nan), numbers]),
        reg=SklearnRegressor(Ridge(alpha=1.0)),
        candidates=np.arange(40),
        batch_size=5,
    )
    assert chosen.tolist() == expected.tolist()
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)
    told = run("scikit_activeml", pool(30), given, method="GreedySamplingTarget")
    assert (told.strategy, told.fallback) == ("random", "random: the answers are no numbers")


def test_without_the_library_it_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "find_spec", lambda name: None)

    with pytest.raises(Invalid, match=r"needs a library that is not installed: pip install scikit-activeml"):
        make_strategy("scikit_activeml", {"method": "CoreSet"})
