"""Any strategy of scikit-activeml by name, on a bounded draw of the pool."""

import inspect
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.core.errors import BadSyntax, Invalid
from app.core.text import read_json
from app.strategies.base import Candidates, Context, Need
from app.strategies.clustering import filled_up
from app.strategies.parameters import parameter
from app.strategies.scored import Drawn

CLASSIFIERS = {"clf", "ensemble", "discriminator", "estimator"}
REGRESSOR = "reg"
OURS = {"classes", "random_state", "missing_label"}  # arguments of a method that are not people's to set
WRAPPED = {"query_strategy"}  # `subsample` does what wrappers do
MEMBERS = 8
STRENGTH = 20.0  # of the logistic regression that the library's strategies fit
SURE = ("KLDivergenceMaximization", "ExpectedModelVarianceReduction", "ExpectedModelOutputChange")  # of a regressor
TEACHES = frozenset({Need.FEATURES, Need.LABELLED, Need.REFIT})


@dataclass(frozen=True)
class LibraryState:
    """The labelled rows (n, d), their classes or numbers (n,), and how many classes there are."""

    labelled: Floats
    labels: Doubles
    classes: int


@dataclass(frozen=True)
class ScikitActiveml(Drawn):
    """Ask as the strategy `method` of scikit-activeml does, among `keeps` items drawn evenly from the pool.

    `options` are the method's own parameters, as `method=entropy` or, several with spaces, `gamma=3 k=7`. Its
    classifier is a logistic regression on the dense features, eight of them on bootstraps where it wants several, and
    the library's own where it takes no other; methods for regression learn the number of a rating by ridge regression,
    by a kernel or a tree where they need one. Needs the library (`pip install scikit-activeml`), labelled features,
    the service's own learner, and one class or a number an item. Costs what the library does, often O(keeps^2) time
    and memory: that is why only a draw of the pool is shown to it. A method that needs more is refused by name.

    Source: Kottke, Herde, et al. scikit-activeml: A Library and Toolbox for Active Learning Algorithms. 2021.
    """

    name: ClassVar[str] = "scikit_activeml"
    needs: ClassVar[frozenset[Need]] = TEACHES | {Need.ONE_CLASS}  # or a number, as the method wants

    method: str = parameter("CoreSet", says="the name of the class in skactiveml.pool")
    options: str = parameter("", says="its own parameters, as gamma=3, with spaces between them")
    keeps: int = parameter(500, 10, 5_000, says="items that are shown to it")

    def __post_init__(self) -> None:
        if find_spec("skactiveml") is None:
            raise Invalid("strategy scikit_activeml needs a library that is not installed: pip install scikit-activeml")
        kind = getattr(_pool(), self.method, None)
        if not inspect.isclass(kind) or not hasattr(kind, "query"):
            raise Invalid(f"strategy scikit_activeml: there is no method {self.method!r} in skactiveml.pool")
        more = _required(kind.query) - CLASSIFIERS - {REGRESSOR, "X", "y"}
        more |= _required(kind.__init__) - OURS | WRAPPED & inspect.signature(kind.__init__).parameters.keys()
        if more:
            raise Invalid(
                f"strategy scikit_activeml: {self.method} needs {', '.join(sorted(more))}, which is not there"
            )
        options_of(kind, self.options)
        wants = Need.NUMBERS if REGRESSOR in _required(kind.query) else Need.ONE_CLASS
        object.__setattr__(self, "needs", TEACHES | {wants})

    def prepare(self, context: Context, rng: Generator) -> LibraryState:
        labels = context.targets.argmax(axis=1).astype(np.float64)
        if Need.NUMBERS in self.needs:
            assert context.values is not None
            labels = context.targets.astype(np.float64) @ np.array(context.values)
        return LibraryState(context.labelled.dense, labels, context.classes)

    def choose(self, candidates: Candidates, k: int, state: LibraryState, rng: Generator) -> Indices:
        rows = len(candidates)
        matrix = np.concatenate([candidates.block.dense, state.labelled]).astype(np.float64)
        labels = np.concatenate([np.full(rows, np.nan), state.labels])
        kind = getattr(_pool(), self.method)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = self._made(kind, state.classes, rng).query(
                    X=matrix,
                    y=labels,
                    candidates=np.arange(rows),
                    batch_size=min(k, rows),
                    **_models(kind, state.classes),
                )
                chosen = list(dict.fromkeys(int(row) for each in found for row in np.ravel(each)))
            except Exception as error:
                raise ValueError(f"scikit-activeml's {self.method} failed: {error}") from error
        return filled_up(chosen, candidates.by_hash(), k)

    def _made(self, kind: Any, classes: int, rng: Generator) -> Any:
        given = options_of(kind, self.options)
        if "classes" in _required(kind.__init__):
            given["classes"] = list(range(classes))
        return kind(random_state=int(rng.integers(2**31)), **given)


def options_of(kind: Any, text: str) -> dict[str, Any]:
    """A method's own parameters from `name=value` with spaces between; numbers, true and false, words.

    Raises:
        Invalid: a part of another form, a parameter that the method does not have, or a value of another type than its
            default has.
    """
    known = inspect.signature(kind.__init__).parameters
    able = [name for name in known if name not in OURS | {"self"}]
    found: dict[str, Any] = {}
    for part in text.split():
        name, equals, value = part.partition("=")
        if not equals:
            raise Invalid(f"strategy scikit_activeml: options are written as name=value, not {part!r}")
        if name not in able:
            has = f"it has {', '.join(able)}" if able else "it has none"
            raise Invalid(f"strategy scikit_activeml: {kind.__name__} has no option {name!r}; {has}")
        found[name] = _value(value)
        if fault := _fault(known[name].default, found[name]):
            raise Invalid(f"strategy scikit_activeml: option {name} {fault}")
    return found


def _value(text: str) -> Any:
    try:
        found = read_json(text.encode(), what="option")
    except BadSyntax:
        return text
    return found if isinstance(found, bool | int | float | str) else text


def _fault(default: Any, value: Any) -> str:
    """What is wrong with a value, by the type of the default; a default of None takes any."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "is true or false"
    if isinstance(default, int | float):
        return "" if number else "is a number"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "is a word"
    return "" if default is None else "cannot be set: it is a part of a program"


def _pool() -> Any:
    from skactiveml import pool

    return pool


def _required(function: Any) -> set[str]:
    """The arguments that have no default."""
    given = inspect.signature(function).parameters.values()
    loose = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = {each.name for each in given if each.default is inspect.Parameter.empty and each.kind not in loose}
    return named - {"self"}


def _models(kind: Any, classes: int) -> dict[str, Any]:
    """What the method's query asks to be given: a fresh classifier, several, or a regressor."""
    wanted = _required(kind.query)
    made = {name: _classifier(kind.__name__, name, list(range(classes))) for name in wanted & CLASSIFIERS}
    return made | ({REGRESSOR: _regressor(kind.__name__)} if REGRESSOR in wanted else {})


def _classifier(method: str, name: str, classes: list[int]) -> Any:
    from skactiveml.classifier import MixtureModelClassifier, ParzenWindowClassifier, SklearnClassifier
    from sklearn.ensemble import BaggingClassifier
    from sklearn.linear_model import LogisticRegression

    if method == "FourDs":
        return MixtureModelClassifier(classes=classes, random_state=1)
    if method in ("ProbabilisticAL", "EpistemicUncertaintySampling"):
        return ParzenWindowClassifier(classes=classes, random_state=1)
    single = LogisticRegression(C=STRENGTH)
    if name != "ensemble":
        return SklearnClassifier(single, classes=classes, random_state=1)
    several = BaggingClassifier(single, n_estimators=MEMBERS, random_state=1)
    return SklearnClassifier(several, classes=classes, random_state=1)


def _regressor(method: str) -> Any:
    from skactiveml.regressor import NICKernelRegressor, SklearnRegressor
    from sklearn.linear_model import Ridge
    from sklearn.tree import DecisionTreeRegressor

    if method in SURE:
        return NICKernelRegressor()
    if method == "RegressionTreeBasedAL":
        return SklearnRegressor(DecisionTreeRegressor(min_samples_leaf=2, random_state=1))
    return SklearnRegressor(Ridge(alpha=1.0))
