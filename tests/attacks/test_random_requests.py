"""Random requests that the OpenAPI description allows, and ones that it forbids, as each role: no answer lies.

Walks go on from what an answer gave: what was made is asked for, changed, deleted, and asked for again.

`LABELWISE_TEST_RANDOM_REQUESTS=2000 pytest tests/attacks/test_random_requests.py` makes so many as each role; without
it there are 250. A failing case is printed as a curl command, and found again by `--hypothesis-seed`. Many more, in
pieces that are summed: `python -m benchmarks.random_requests`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.attacks import asking, running
from tests.attacks.asking import ROLES, ask_at_random, own_site, walk_at_random
from tests.attacks.conftest import KINDS
from tests.attacks.site import Site

CASES = int(os.environ.get("LABELWISE_TEST_RANDOM_REQUESTS", "250"))


@pytest.fixture(scope="module", params=KINDS)
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service of this file alone."""
    with own_site(tmp_path_factory.mktemp("random"), request.param) as made:
        yield made


def test_what_is_made_is_there_until_it_is_deleted(own: Site) -> None:
    outcome = walk_at_random(own, CASES)

    assert outcome.findings == []
    assert outcome.statuses[200] + outcome.statuses[201], outcome.statuses
    assert "Traceback" not in own.unread_log()


def test_what_is_answered_is_what_is_described(own: Site) -> None:
    for role, outcome in ask_at_random(own, ROLES, CASES).items():
        assert outcome.findings == [], role
        assert outcome.requests >= CASES * 0.9, role
    assert own.nobody.get("/healthz").status_code == 200
    assert "Traceback" not in own.unread_log()
    assert own.canary.hits == []


BROKEN_BUILD = """
from app.core import errors, secrets
from app.services import access, holders

del access._named  # handlers fall
errors.NotFound.status = 418  # a status that nothing describes
errors.Invalid.__str__ = lambda _: "Traceback (most recent call last)"  # an answer that tells how it is made
secrets.fault_of = lambda token: None
holders.by_tokens = lambda session, hashes, moment: {  # any token is good
    each: (access.Person(1, "A", True), None) for each in hashes
}
"""
BROKEN = {"a fall": "Server error", "a lie": "418", "a leak": "a leak: ", "an open door": "uthentication"}


def test_random_requests_find_what_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text(BROKEN_BUILD)  # run by each process as it starts
    whole = running.environment

    def environment(*given: Any, **more: Any) -> dict[str, str]:
        made = whole(*given, **more)
        return made | {"PYTHONPATH": f"{tmp_path / 'broken'}:{made['PYTHONPATH']}"}

    monkeypatch.setattr(asking, "MOST_FINDINGS", 10**6)
    with own_site(tmp_path, "sqlite") as site:
        monkeypatch.setattr(running, "environment", environment)
        with running.running(site.data) as broken:
            site.address = broken.address
            found = "\n".join(ask_at_random(site, ["A"], 400, 3)["A"].findings)

    assert [what for what, words in BROKEN.items() if words not in found] == [], found[:2_000]
