"""Any strategy of scikit-activeml by name, on a bounded draw of the pool."""

import inspect
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Floats, Indices
from app.core.errors import Invalid
from app.strategies.base import Candidates, Context, Need
from app.strategies.clustering import filled_up
from app.strategies.parameters import parameter
from app.strategies.scored import Drawn

MODELS = {"clf", "ensemble", "discriminator"}
MEMBERS = 8
STRENGTH = 20.0  # of the logistic regression that the library's strategies fit


@dataclass(frozen=True)
class LibraryState:
    """The labelled rows (n, d), their classes (n,), and how many classes there are."""

    labelled: Floats
    labels: Indices
    classes: int


@dataclass(frozen=True)
class ScikitActiveml(Drawn):
    """Ask as the strategy `method` of scikit-activeml does, among `keeps` items drawn evenly from the pool.

    Its classifier is a logistic regression on the dense features, eight of them on bootstraps where it wants several.
    Needs the library (`pip install scikit-activeml`), labelled features, the service's own learner and one class an
    item. Costs what the library does, often O(keeps^2) time and memory: that is why only a draw of the pool is shown to
    it. A method that needs more than a classifier is refused by name.

    Source: Kottke, Herde, et al. scikit-activeml: A Library and Toolbox for Active Learning Algorithms. 2021.
    """

    name: ClassVar[str] = "scikit_activeml"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.FEATURES, Need.LABELLED, Need.REFIT, Need.ONE_CLASS})

    method: str = parameter("CoreSet", says="the name of the class in skactiveml.pool")
    keeps: int = parameter(500, 10, 5_000, says="items that are shown to it")

    def __post_init__(self) -> None:
        if find_spec("skactiveml") is None:
            raise Invalid("strategy scikit_activeml needs a library: pip install scikit-activeml")
        kind = getattr(_pool(), self.method, None)
        if not inspect.isclass(kind) or not hasattr(kind, "query"):
            raise Invalid(f"strategy scikit_activeml: there is no method {self.method!r} in skactiveml.pool")
        if more := sorted(_required(kind) - MODELS - {"X", "y"}):
            raise Invalid(f"strategy scikit_activeml: {self.method} needs {', '.join(more)}, which is not there")

    def prepare(self, context: Context, rng: Generator) -> LibraryState:
        labels = context.targets.argmax(axis=1).astype(np.int64)
        return LibraryState(context.labelled.dense, labels, context.classes)

    def choose(self, candidates: Candidates, k: int, state: LibraryState, rng: Generator) -> Indices:
        rows = len(candidates)
        matrix = np.concatenate([candidates.block.dense, state.labelled]).astype(np.float64)
        labels = np.concatenate([np.full(rows, np.nan), state.labels])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = getattr(_pool(), self.method)
            made = kind(random_state=int(rng.integers(2**31)))
            models = {name: model for name, model in _models(state.classes).items() if name in _required(kind)}
            try:
                found = made.query(X=matrix, y=labels, candidates=np.arange(rows), batch_size=min(k, rows), **models)
            except Exception as error:
                raise ValueError(f"scikit-activeml's {self.method} failed: {error}") from error
        return filled_up([int(row) for row in found], candidates.by_hash(), k)


def _pool() -> Any:
    from skactiveml import pool

    return pool


def _required(kind: Any) -> set[str]:
    given = inspect.signature(kind.query).parameters.values()
    return {each.name for each in given if each.default is inspect.Parameter.empty} - {"self"}


def _models(classes: int) -> dict[str, Any]:
    from skactiveml.classifier import SklearnClassifier
    from sklearn.ensemble import BaggingClassifier
    from sklearn.linear_model import LogisticRegression

    single = SklearnClassifier(LogisticRegression(C=STRENGTH), classes=list(range(classes)))
    several = BaggingClassifier(LogisticRegression(C=STRENGTH), n_estimators=MEMBERS, random_state=1)
    ensemble = SklearnClassifier(several, classes=list(range(classes)))
    return {"clf": single, "discriminator": single, "ensemble": ensemble}
