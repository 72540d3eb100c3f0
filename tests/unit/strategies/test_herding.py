"""What uncertainty herding does for classes that are a small part of the pool."""

import numpy as np

from app.strategies.pool.herding import between, rare_classes
from tests.unit.strategies.toys import clustered, labelled, run, unit


def test_a_class_is_rare_that_has_labels_and_is_hardly_ever_predicted() -> None:
    sample = np.tile(np.array([[0.7, 0.3, 0.0, 0.0]], dtype=np.float32), (1_000, 1))
    sample[:300] = [0.2, 0.8, 0.0, 0.0]
    sample[0] = [0.1, 0.1, 0.8, 0.0]
    targets = np.eye(4)[[0] * 5 + [1] * 5 + [2]]

    assert rare_classes(sample, targets, False) == (2,)  # the last class has no label: nobody knows what it is like
    assert rare_classes(sample[300:], targets, False) == (2, 1)
    assert rare_classes(sample, targets, True) == (2,)


def test_sought_rows_are_their_share_of_every_prefix_and_no_row_comes_twice() -> None:
    order = np.arange(10)

    assert between(order, [20, 3, 21], 0.25, 10).tolist() == [0, 1, 2, 20, 3, 4, 5, 21, 6, 7]
    assert len(set(between(order, [20, 3, 21], 0.5, 10).tolist())) == 10
    assert between(order, [], 0.25, 10).tolist() == order.tolist()
    assert between(order, [20, 21, 22], 1.0, 3).tolist() == [20, 21, 22]


def test_the_small_group_is_asked_for_once_one_of_it_is_known() -> None:
    rng = np.random.default_rng(0)
    here = np.zeros(16)
    here[0] = 6
    rare = unit(rng.normal(size=(13, 16)) + here)
    others = clustered(rng, 2_500, 16, 6, 0.6)
    given = labelled(np.concatenate([rare[:3], others[:40]]), [2] * 3 + [0, 1] * 20)
    matrix = np.concatenate([rare[3:], others[40:]])

    found = run("uherding", matrix, given, size=40, cuts=3, rare=0.25).ids[:, 0]
    without = run("uherding", matrix, given, size=40, cuts=3, rare=0).ids[:, 0]

    assert (found <= 10).sum() > (without <= 10).sum()
    assert (found <= 10).sum() >= 8
    assert (found[:8] <= 10).sum() <= 4
