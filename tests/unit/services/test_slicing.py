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
