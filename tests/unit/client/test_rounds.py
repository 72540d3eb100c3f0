"""What the client says of the loop, against the real application."""

import threading

import pytest

from labelwise import LabelwiseError, Project
from tests.unit.client.test_client import Site, pets, site

__all__ = ["pets", "site"]


def test_audit_items_are_asked_for_now_and_cancelled(pets: Project) -> None:
    pets.push([{"key": str(number), "text": f"pet number {number} of {number * 7}"} for number in range(300)])

    asked = pets.ask_for_audit_items(7)
    with pytest.raises(LabelwiseError, match="7 of 7 audit items left: cancel that first"):
        pets.ask_for_audit_items()
    pets.cancel_audit_request()

    assert asked["request"] == {"count": 7, "left": 7, "in_hands": 0}
    assert pets.audit_request()["request"] is None


def test_two_learners_are_compared_once_the_job_is_done(site: Site, pets: Project) -> None:
    rows = [{"text": f"{word} {n}", "label": word, "split": "audit"} for word in ("cat", "dog") for n in range(60)]
    pets.push(rows)
    pets.push([{"text": f"{word} {n} more", "label": word} for word in ("cat", "dog") for n in range(30)])
    site.worker.run_waiting()
    ended = threading.Event()
    worker = threading.Thread(target=lambda: [site.worker.run_waiting() for _ in iter(lambda: ended.wait(0.05), True)])
    worker.start()

    try:
        found = pets.compare_learners({"name": "ridge"}, {"name": "logistic"}, timeout=60)
    finally:
        ended.set()
        worker.join()

    assert found["accuracy"]["stratum"] == "imported"
    assert found["accuracy"]["difference"]["n"] == 120
    with pytest.raises(LabelwiseError, match="trained elsewhere"):
        pets.compare_learners({"name": "ridge"}, {"name": "external"})
