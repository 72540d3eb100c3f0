"""What the client says of the loop, against the real application."""

import pytest

from labelwise import LabelwiseError, Project
from tests.unit.client.test_client import pets, site

__all__ = ["pets", "site"]


def test_audit_items_are_asked_for_now_and_cancelled(pets: Project) -> None:
    pets.push([{"key": str(number), "text": f"pet number {number} of {number * 7}"} for number in range(300)])

    asked = pets.ask_for_audit_items(7)
    with pytest.raises(LabelwiseError, match="7 of 7 audit items left: cancel that first"):
        pets.ask_for_audit_items()
    pets.cancel_audit_request()

    assert asked["request"] == {"count": 7, "left": 7, "in_hands": 0}
    assert pets.audit_request()["request"] is None
