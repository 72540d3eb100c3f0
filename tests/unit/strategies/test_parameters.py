"""Parameters are checked when they are set, not when a round fails."""

import math
from typing import Any

import numpy as np
import pytest

from app.core.block import Block
from app.core.errors import Invalid
from app.learners import make_learner
from app.strategies import POOL_STRATEGIES, make_strategy

BLOCK = Block(np.eye(3, dtype=np.float32))


@pytest.mark.parametrize("name", POOL_STRATEGIES)
def test_every_strategy_can_be_made_by_name_and_explains_itself(name: str) -> None:
    strategy = make_strategy(name, {})

    assert strategy.name == name
    assert len((type(strategy).__doc__ or "").splitlines()[0]) > 20


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("nonsense", {}, "there is no strategy"),
        ("margin", {"own": 1.0}, "has no parameter"),
        ("uherding", {"own": "much"}, "is a number"),
        ("uherding", {"own": True}, "is a number"),
        ("uherding", {"own": math.nan}, "finite"),
        ("uherding", {"own": -1}, "from 0 to 10"),
        ("bald", {"heads": 1}, "from 2 to 128"),
        ("bald", {"heads": 2.5}, "whole number"),
        ("expected_error", {"loss": "much"}, "one of log, zero_one, brier"),
        ("expected_error", {"loss": 1}, "is a word"),
        ("expected_error", {"costs": "0 1; 5 0"}, "costs are for the losses zero_one and brier"),
        ("expected_error", {"loss": "brier", "costs": "0 1; 5 -0.1"}, "finite and not below nought"),
        ("expected_cost", {"costs": "0 1; 5"}, "as many numbers a row as there are rows"),
        ("expected_cost", {"costs": "0"}, "as many numbers a row as there are rows"),
        ("expected_cost", {"costs": "0 much; 5 0"}, "costs are numbers"),
        ("expected_cost", {"costs": "0 inf; 5 0"}, "finite and not below nought"),
        ("expected_cost", {"costs": "0 1; 5 1"}, "the cost of a right decision is 0"),
        ("expected_cost", {"costs": [[0, 1], [5, 0]]}, "is a word"),
        ("product", {"threshold": 1.5}, "from 0 to 1"),
        ("product", {"similarity": 1.0}, "similarity needs the keys of example items in like"),
        ("product", {"similarity": 1.0, "like": " , "}, "similarity needs the keys"),
        ("product", {"like": ",".join(map(str, range(101)))}, "like names at most 100 items"),
        ("product", {"weight": 1.0, "by": " "}, "weight needs the name of a number in the metadata in by"),
        ("product", {"by": 3}, "is a word"),
        ("scikit_activeml", {"method": "Nonsense"}, "no method 'Nonsense'"),
        ("scikit_activeml", {"method": "SubSamplingWrapper"}, "SubSamplingWrapper needs query_strategy"),
        ("scikit_activeml", {"method": "ExpectedErrorReduction"}, "ExpectedErrorReduction needs enforce_mapping"),
        ("scikit_activeml", {"options": "much"}, "options are written as name=value, not 'much'"),
        ("scikit_activeml", {"options": "gamma=3"}, "CoreSet has no option 'gamma'; it has metric, metric_dict"),
        ("scikit_activeml", {"options": "random_state=3"}, "has no option 'random_state'"),
        ("scikit_activeml", {"options": "metric=3"}, "option metric is a word"),
        ("scikit_activeml", {"method": "Falcun", "options": "gamma=high"}, "option gamma is a number"),
        ("scikit_activeml", {"method": "Falcun", "options": "gamma=NaN"}, "option gamma is a number"),
        ("scikit_activeml", {"method": "MonteCarloEER", "options": "subtract_current=1"}, "is true or false"),
        ("scikit_activeml", {"method": "Clue", "options": "cluster_algo=KMeans"}, "is a part of a program"),
        ("scikit_activeml", {"method": "RandomSampling", "options": "a=1"}, "it has none"),
    ],
)
def test_a_strategys_bad_parameters_are_refused_by_name(name: str, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        make_strategy(name, parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("nonsense", {}, "there is no learner"),
        ("ridge", {"strength": 1.0}, "has no parameter"),
        ("ridge", {"penalty": "low"}, "is a number"),
        ("ridge", {"penalty": -0.1}, "above nought"),
        ("logistic", {"strength": 0.0}, "above nought"),
        ("logistic", {"strength": math.inf}, "finite"),
        ("logistic", {"balanced": 1}, "true or false"),
    ],
)
def test_a_learners_bad_parameters_are_refused_by_name(name: str, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        make_learner(name, parameters, BLOCK, 3)


def test_auto_gives_each_learner_the_parameters_that_it_has() -> None:
    many = Block(np.zeros((1_001, 3), dtype=np.float32))

    assert make_learner("auto", {"penalty": 0.5}, BLOCK, 3).name == "ridge"
    assert make_learner("auto", {"penalty": 0.5}, many, 3).name == "logistic"
