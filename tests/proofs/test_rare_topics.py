"""The loop learns a set with rare classes, which is made here; real questions are learned in tests/api."""

import pytest

from tests.api.test_learning import beat_random, made
from tests.conftest import Api


@pytest.mark.night
@pytest.mark.parametrize("db", ["sqlite"], indirect=True)  # what is learned does not depend on where rows lie
def test_three_hundred_answers_beat_as_many_random_ones_where_topics_are_rare(api: Api) -> None:
    beat_random(api, made())
