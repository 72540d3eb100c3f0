"""Any strategy on a draw of the pool."""

import numpy as np
import pytest

from app.core.errors import Invalid
from app.strategies import Need, keyed_hash, make_strategy
from tests.unit.strategies.toys import ids_of, labelled, pool, run


@pytest.mark.parametrize("inside", ["core_set", "typiclust", "uherding", "bald", "margin", "batch_bald"])
def test_it_chooses_as_the_strategy_inside_would_from_the_drawn_items_alone(inside: str) -> None:
    matrix, given = pool(600), labelled(pool(9, seed=1), [0, 1, 2] * 3)
    hashes = keyed_hash(ids_of(np.arange(600) + 1), 3) >> np.uint64(40)
    drawn = np.sort(np.argsort(hashes)[-100:])

    picked = run("subsample", matrix, given, inside=inside, keeps=100, cuts=3)

    assert picked.fallback is None
    assert set(picked.ids[:, 0].tolist()) <= {int(row) + 1 for row in drawn}
    assert len(set(picked.ids[:, 0].tolist())) == 10
    if inside in ("core_set", "margin"):  # what depends on nothing but the rows
        alone = run(inside, matrix[drawn], given).ids[:, 0]
        assert picked.ids[:, 0].tolist() == [int(drawn[row - 1]) + 1 for row in alone]


def test_it_needs_what_the_strategy_inside_needs() -> None:
    assert make_strategy("subsample", {"inside": "epig"}).needs == make_strategy("epig", {}).needs
    assert Need.NUMBERS in make_strategy("subsample", {"inside": "gsi"}).needs
    for inside in ("subsample", "nothing"):
        with pytest.raises(Invalid, match="inside is one of random"):
            make_strategy("subsample", {"inside": inside})
