"""What every query strategy keeps to, whoever wrote it."""

import numpy as np
import pytest

from app.loop.needs import Aims, missing
from app.strategies import AUTO, POOL_STRATEGIES, Need
from tests.unit.strategies.toys import labelled, pool, run, takes_several

NAMES = [AUTO, *POOL_STRATEGIES]
OF_A_MODEL = {Need.PROBABILITIES, Need.COMMITTEE, Need.POSTERIOR, Need.REFIT}


def needs(name: str) -> frozenset[Need]:
    return POOL_STRATEGIES[name].needs


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_holds_k_different_items_of_the_pool_and_repeats_itself(name: str) -> None:
    matrix = pool()
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)

    first, again = run(name, matrix, given), run(name, matrix, given)

    picked = first.ids[:, 0].tolist()
    assert len(set(picked)) == 10
    assert set(picked) <= set(range(1, 61))
    assert picked == again.ids[:, 0].tolist()
    assert np.isfinite(first.scores).all()
    assert first.fallback is None


@pytest.mark.parametrize("name", NAMES)
def test_the_choice_does_not_depend_on_how_the_pool_is_cut_or_on_threads(name: str) -> None:
    for matrix, given, cuts in (
        (pool(200), labelled(pool(9, seed=1), [0, 1, 2] * 3), 50),
        (pool(2_500, 32, seed=5), labelled(pool(30, 32, seed=1), [0, 1, 2] * 10), 7),
    ):
        whole = run(name, matrix, given, size=20, cuts=1, threads=1).ids[:, 0]

        assert run(name, matrix, given, size=20, cuts=cuts, threads=3).ids[:, 0].tolist() == whole.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_shard_whose_items_are_all_answered_changes_nothing(name: str) -> None:
    matrix, given = pool(7), labelled(pool(9, seed=1), [0, 1, 2] * 3)

    whole, with_empty_shards = run(name, matrix, given, size=5), run(name, matrix, given, size=5, cuts=9)

    assert whole.ids.tolist() == with_empty_shards.ids.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_small_and_strange_pools_are_served(name: str) -> None:
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)

    assert run(name, pool(1), given).ids.shape == (1, 3)
    assert sorted(run(name, pool(4), given, size=100).ids[:, 0].tolist()) == [1, 2, 3, 4]
    assert run(name, pool(0), given).ids.shape == (0, 3)
    for strange in (np.repeat(pool(1), 30, axis=0), np.zeros((12, 5), dtype=np.float32)):
        proposal = run(name, strange, given)

        assert len(set(proposal.ids[:, 0].tolist())) == 10
        assert proposal.fallback is None


@pytest.mark.parametrize("name", NAMES)
def test_features_without_any_meaning_in_the_labels_are_served(name: str) -> None:
    given = labelled(np.zeros((9, 5), dtype=np.float32), [0, 1, 2] * 3)

    assert len(set(run(name, pool(), given).ids[:, 0].tolist())) == 10


@pytest.mark.parametrize("name", NAMES)
def test_what_a_strategy_lacks_is_said_with_its_reason_and_the_order_is_random(name: str) -> None:
    for given, why in ((labelled(pool(3), [0, 0, 0]), "only one class so far"), (labelled(pool(0), []), "no labels")):
        proposal = run(name, pool(), given)

        assert len(set(proposal.ids[:, 0].tolist())) == 10
        if name == AUTO:
            assert proposal.strategy == "coverage"
            assert why in proposal.sentence
        elif needs(name) & OF_A_MODEL or (Need.LABELLED in needs(name) and not len(given)):
            assert proposal.strategy == "random"
            assert why in (proposal.fallback or "") or takes_several(name)
            assert name in proposal.sentence
        else:
            assert (proposal.strategy, proposal.fallback) == (name, None)


@pytest.mark.parametrize("name", NAMES)
def test_several_classes_an_item_are_served_or_refused_by_name(name: str) -> None:
    rng = np.random.default_rng(0)
    given = labelled(pool(12, seed=1), [0, 1, 2] * 4)
    given.targets[:] = (given.targets + (rng.random(given.targets.shape) < 0.3) > 0).astype(np.float32)

    proposal = run(name, pool(), given, multiple=True)

    assert len(set(proposal.ids[:, 0].tolist())) == 10
    if name != AUTO and Need.ONE_CLASS in needs(name):
        assert proposal.fallback == "random: several classes may hold for an item"
        assert name in proposal.sentence
    else:
        assert proposal.fallback is None
    if takes_several(name):
        assert run(name, pool(), given, multiple=False).fallback == "random: only one class may hold for an item"


@pytest.mark.parametrize("name", NAMES)
def test_features_that_are_not_finite_are_refused(name: str) -> None:
    broken = np.full((9, 5), np.nan, dtype=np.float32)

    with pytest.raises(ValueError, match="not finite"):
        run(name, pool(), labelled(broken, [0, 1, 2] * 3))
    with pytest.raises(ValueError, match="not finite"):
        run(name, broken, labelled(pool(9), [0, 1, 2] * 3))


def test_needs_are_refused_in_words() -> None:
    def lack(need: Need, *, multiple: bool = False, external: bool = False, labels: int = 3, why: str = "") -> str:
        return missing(need, multiple, external, labels, why)

    assert lack(Need.COMMITTEE, external=True) == "an outside model has no committee"
    assert lack(Need.POSTERIOR, external=True) == "an outside model has no posterior draws"
    assert lack(Need.REFIT, external=True) == "an outside model has no refittable learner"
    assert lack(Need.PROBABILITIES, external=True) == ""
    assert lack(Need.PROBABILITIES, why="no labels so far") == "no labels so far"
    assert lack(Need.LABELLED, labels=0) == "no labels so far"
    assert lack(Need.NUMBERS) == "the answers are no numbers"
    assert missing(Need.NUMBERS, False, False, 3, "", numbers=True) == ""
    assert lack(Need.EXAMPLES) == "none of the example items is here with features"
    assert lack(Need.WEIGHTS) == "the metadata of the items is not here"
    aims = Aims(pool(2), lambda ids: np.ones(len(ids)))
    assert all(missing(need, False, False, 3, "", aims=aims) == "" for need in (Need.EXAMPLES, Need.WEIGHTS))
    told = (Need.SEVERAL_CLASSES, Need.NUMBERS, Need.EXAMPLES, Need.WEIGHTS)
    assert all(lack(need) == "" for need in Need if need not in told)
