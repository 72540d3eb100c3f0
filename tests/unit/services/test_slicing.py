"""Which judges are cut into slices."""

from typing import Any

import numpy as np
import pytest

from app.loop.auditing import Answers
from app.services import slicing


def answers(count: int) -> Answers:
    """Every fourth one is wrong."""
    targets = np.tile(np.eye(2, dtype=np.float32), (count // 2, 1))
    said = np.where(np.arange(count)[:, None] % 4 == 0, 1 - targets, targets).astype(np.float32)
    return Answers(np.arange(count), said, targets, np.empty(0))


@pytest.mark.parametrize(("audits", "tests", "stratum"), [(40, 60, "imported"), (8, 60, "imported"), (40, 0, "audit")])
def test_slices_are_of_the_judges_that_the_headline_is_of(
    monkeypatch: pytest.MonkeyPatch, audits: int, tests: int, stratum: str
) -> None:
    """Beside a test set of one's own, few audit answers hid the slices, and many led to other items."""
    monkeypatch.setattr(slicing, "columns_of", lambda _session, _project, ids: {"site": ["a", "b"] * (len(ids) // 2)})
    judged = {"audit": answers(audits)} | ({"imported": answers(tests)} if tests else {})
    nobody: Any = None

    found = slicing.worst_slices(nobody, 1, judged, False, 1)

    assert found is not None
    assert (found["stratum"], found["judged"]) == (stratum, tests or audits)


MIXED = ["1", 1, 1.0, 2, "2 ", "1e3", 1000, True, "true", "web", (), None]


@pytest.mark.parametrize(
    ("value", "words", "filter_"),
    [
        ("1", 'site is "1"', None),  # a filter for it finds the number too
        (1.0, "site is 1", "metadata.site:>=1&metadata.site:<=1"),
        (2.0, "site is 2", "metadata.site=2"),
        ("1e3", 'site is "1e3"', None),
        (1000.0, "site is 1000", "metadata.site=1000"),  # it does not find the text
        (True, "site is true", None),
        ("true", 'site is "true"', None),
        ("web", "site is web", "metadata.site=web"),
    ],
)
def test_values_that_are_written_alike_are_told_apart(value: Any, words: str, filter_: str | None) -> None:
    assert slicing.told({"column": "site", "value": value}, MIXED) == {"words": words, "filter": filter_}


def test_ends_of_a_range_are_written_as_an_address_has_them() -> None:
    found = slicing.filter_of({"column": "size", "low": 1e20, "high": None})

    assert found == "metadata.size:>=1e%2B20"
