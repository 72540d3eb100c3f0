"""Random requests that the OpenAPI description allows, and ones that it forbids, as each role: no answer lies.

`LABELWISE_TEST_RANDOM_REQUESTS=50000 pytest tests/attacks/test_random_requests.py` makes so many as each role; without
it there are 500. A failing case is printed as a curl command, and found again by `--hypothesis-seed`.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from tests.attacks import world
from tests.attacks.rules import LEAKS
from tests.attacks.running import running
from tests.attacks.site import Site, canary
from tests.attacks.voices import Voice

CASES = int(os.environ.get("LABELWISE_TEST_RANDOM_REQUESTS", "500"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]
SLOW = {"wait": 0}  # nobody waits for what will not change
TOO_LONG = 414  # said of an address before anybody looks which route it is


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service of this file alone: random requests leave little standing."""
    data = tmp_path_factory.mktemp("random") / "data"
    with canary() as watching, running(data) as service:
        made = Site(service, data, f"sqlite:///{data / 'labelwise.db'}", watching)
        yield made
        made.close()


@pytest.fixture(scope="module")
def description(own: Site) -> Any:
    """What the service says of itself, read by schemathesis."""
    return schemathesis.openapi.from_dict(own.A.get("/openapi.json").json())


@pytest.mark.xdist_group("sqlite")
@pytest.mark.parametrize("role", ["-", "U1", "M", "A"])
def test_what_is_answered_is_what_is_described(own: Site, description: Any, role: str) -> None:
    voice = own.people[role]
    strategy = st.one_of(
        description.as_strategy(generation_mode=GenerationMode.POSITIVE),
        description.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )
    here = world.make(own)
    seen: dict[int, int] = {}

    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(case=strategy, real=st.sampled_from([True, True, False]))
    def ask(case: Any, real: bool) -> None:
        if real:
            case.path_parameters = {**case.path_parameters, **_real(here, case)}
        for name in SLOW.keys() & (case.query or {}).keys():
            case.query[name] = SLOW[name]
        answer = case.call(base_url=own.address, headers=_signed(own, voice), timeout=30)
        if answer.status_code != TOO_LONG:
            case.validate_response(answer, checks=CHECKS, headers=_signed(own, voice))
        assert LEAKS.search(answer.text if answer.status_code >= 400 else "") is None, answer.text[:500]
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1

    ask()

    assert sum(seen.values()) >= CASES * 0.9
    assert own.nobody.get("/healthz").status_code == 200
    assert "Traceback" not in own.unread_log()
    assert own.canary.hits == []


def _real(here: world.World, case: Any) -> dict[str, Any]:
    """Ids of things that there are, in place of the random ones."""
    found = {name: here.ids[name] for name in case.path_parameters if name in here.ids}
    if "user" in found and "/members/" not in case.path:
        found["user"] = here.ids["somebody"]  # the people of the test stay
    if "token" in found:
        found["token"] = here.ids["token"]
    return found


def _signed(own: Site, voice: Voice) -> dict[str, str]:
    """The person's token; a random request may have ended it, then there is a new one."""
    if voice.headers and own.client().get("/api/v1/session", headers=voice.headers).status_code == 401:
        voice.headers = Voice(own, voice.name).browser().token().headers
    return voice.headers
