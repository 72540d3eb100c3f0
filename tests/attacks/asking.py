"""Random requests that the OpenAPI description allows, and ones that it forbids, and what is wrong with the answers."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ensure_resource_availability,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    use_after_free,
)

from tests import databases
from tests.attacks import world
from tests.attacks.rules import LEAKS
from tests.attacks.running import running
from tests.attacks.site import Site, canary
from tests.attacks.voices import Voice

ROLES = ("-", "U1", "R", "M", "A")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
]
LINKED = [*CHECKS[:-1], use_after_free, ensure_resource_availability]  # of a request that follows from another's answer
STEPS, WALKS_AT_ONCE = 12, 20  # requests of one walk, and walks with one seed
# Routes that take rows: one that is wrong is named in an answer 200 and the others are stored, so that "a body that is
# forbidden is refused" is not what they promise; what they do promise is tried by test_changed_files and _answers.
ROWS = frozenset(f"POST /projects/{{project}}/{each}" for each in ("items", "annotations", "predictions"))
SLOW = {"wait": 0}  # nobody waits for what will not change
TOO_LARGE = 413
TOO_LONG = 414  # said of an address before anybody looks which route it is
MOST_FINDINGS = 20  # after so many the run ends
RENEWED = 250  # after so many requests a role has things of its own again: some were deleted


@dataclass
class Outcome:
    """How many requests of a role got which status, and what was wrong: each with the request as a curl command."""

    statuses: Counter[int] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many were made."""
        return self.statuses.total()

    def take(self, voice: Voice, case: Any, answer: Any, checks: Sequence[Any], **more: Any) -> None:
        """Count an answer, and note what is wrong with it."""
        self.statuses[answer.status_code] += 1
        try:
            if answer.status_code != TOO_LONG:
                case.validate_response(
                    answer, checks=[each for each in checks if not _is_noise(each, case, answer)], **more
                )
            leak = LEAKS.search(answer.text) if answer.status_code >= 400 else None
            assert leak is None or _is_said_back(leak.group(), case), f"a leak: {answer.text[:500]}"
        except (AssertionError, Failure, FailureGroup) as error:
            self.findings.append(
                f"{voice.name}: {case.method} {case.formatted_path} {answer.status_code}: {_words(error)}"
            )


def _is_said_back(words: str, case: Any) -> bool:
    """Whether the request named them itself: values to try come from the code too, its tests among it."""
    return words in json.dumps([case.path_parameters, case.query, case.body], default=str, ensure_ascii=False)


class EnoughError(Exception):
    """There is no need, or no time, for more."""


@contextmanager
def own_site(folder: Path, database: str) -> Iterator[Site]:
    """A service that nothing else uses: random requests leave little standing."""
    data = folder / "data"
    url = None if database == "sqlite" else databases.another_postgres_url("random")
    with canary() as watching, running(data, url) as service:
        made = Site(service, data, url or f"sqlite:///{data / 'labelwise.db'}", watching)
        yield made
        made.close()


def ask_at_random(
    site: Site, roles: Sequence[str], count: int, number: int | None = None, seconds: float = float("inf")
) -> dict[str, Outcome]:
    """Make so many requests as each of some roles; the same `number`, on a fresh service, makes the same ones.

    After so many `seconds` it ends with what was made until then, whatever came of that.

    To draw a request takes longer than to answer it, so each role is asked the same ones, of things of its own.
    """
    asked = {role: _Asked(site, site.people[role]) for role in roles}
    strategy = _described(site.A.get("/openapi.json").text)
    end = time.monotonic() + seconds

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(case=strategy, real=st.sampled_from([True, True, False]))
    def ask(case: Any, real: bool) -> None:
        drawn = dict(case.path_parameters or {})
        for name in SLOW.keys() & (case.query or {}).keys():
            case.query[name] = SLOW[name]
        for each in asked.values():
            each.ask(case, drawn, real)
        found = sum(len(each.outcome.findings) for each in asked.values())
        if found >= MOST_FINDINGS or time.monotonic() > end:
            raise EnoughError

    asking = ask if number is None else seed(number)(ask)
    with suppress(EnoughError):
        asking()
    return {role: each.outcome for role, each in asked.items()}


def walk_at_random(site: Site, count: int, number: int = 0) -> Outcome:
    """So many requests or some more, each of ids that an answer gave: what one has made is looked at, changed, deleted
    and asked for again. As a manager: an admin would erase the people of the test.

    schemathesis infers which answer's ids another route takes. Answers differ from one walk to the next, which
    Hypothesis calls flaky and ends its run over; the next seed goes on.
    """
    outcome, voice = Outcome(), site.M
    description = schemathesis.openapi.from_dict(json.loads(site.A.get("/openapi.json").text))

    class Walk(description.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            for name in SLOW.keys() & (case.query or {}).keys():
                case.query[name] = SLOW[name]
            return {"headers": _signed(site, voice), "base_url": site.address, "timeout": 60}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            outcome.take(voice, case, response, LINKED, recorder=self.recorder)
            if len(outcome.findings) >= MOST_FINDINGS:
                raise EnoughError

    chosen = settings(
        max_examples=WALKS_AT_ONCE,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    while outcome.requests < count and len(outcome.findings) < MOST_FINDINGS:
        with suppress(EnoughError, Flaky):
            run_state_machine_as_test(seed(number)(Walk), settings=chosen)
        number += 1
    return outcome


class _Asked:
    """A role: who asks, of which things, and what came of it."""

    def __init__(self, site: Site, voice: Voice) -> None:
        self._site, self._voice, self.outcome = site, voice, Outcome()
        self._here, self._spent = world.make(site), False

    def ask(self, case: Any, drawn: dict[str, Any], real: bool) -> None:
        """One request, with the ids of things that there are where it is to be a `real` one."""
        if self._spent or self.outcome.requests % RENEWED == RENEWED - 1:
            self._here = world.make(self._site)
        people = {str(each.id) for each in self._site.people.values()}
        stays = str(drawn.get("user")) in people  # who asks is not to be switched off by chance
        case.path_parameters = {**drawn, **(_real(self._here, case, drawn) if real or stays else {})}
        headers = _signed(self._site, self._voice)
        answer = case.call(base_url=self._site.address, headers=headers, timeout=60)
        self._spent = case.method == "DELETE" and case.path.endswith("/projects/{project}") and answer.status_code < 300
        self.outcome.take(self._voice, case, answer, CHECKS, headers=headers)


def _is_noise(check: Any, case: Any, answer: Any) -> bool:
    """Whether a check says nothing here: of `ROWS`, and where only what we put real values in place of was forbidden.

    Those are ids in the path, and how long to wait. A parameter without a value is not sent, so that one that is not
    to be there is not. A body refused as too large (413) is refused, which schemathesis does not know.
    """
    if check is not negative_data_rejection or case.meta is None:
        return False
    if answer.status_code == TOO_LARGE:
        return True
    asked = {ParameterLocation.QUERY, ParameterLocation.BODY}
    query = case.query or {}
    if not set(query) - set(SLOW) or any(_vanishes(each) for each in query.values()):
        asked.discard(ParameterLocation.QUERY)
    forbidden = any(place in asked and part.mode.is_negative for place, part in case.meta.components.items())
    return not forbidden or f"{case.method} {case.path.removeprefix('/api/v1')}" in ROWS


def _vanishes(value: Any) -> bool:
    """Whether a parameter of this value is left out of the address."""
    return value is None or (isinstance(value, list | tuple | dict) and all(_vanishes(each) for each in value))


@cache
def _described(text: str) -> st.SearchStrategy[Any]:
    """Requests that a description allows, or forbids; read once, as that takes longer than many requests."""
    description = schemathesis.openapi.from_dict(json.loads(text))
    return st.one_of(
        description.as_strategy(generation_mode=GenerationMode.POSITIVE),
        description.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )


def _words(error: BaseException) -> str:
    """What is wrong, with the command that shows it again."""
    inner = getattr(error, "exceptions", ())
    return " | ".join([str(error), *map(str, inner)])[:3_000]


def _real(here: world.World, case: Any, drawn: Iterable[str]) -> dict[str, Any]:
    """Ids of things that there are, in place of the random ones."""
    found = {name: here.ids[name] for name in drawn if name in here.ids}
    if "user" in found and "/members/" not in case.path:
        found["user"] = here.ids["somebody"]  # the people of the test stay
    if "token" in found:
        found["token"] = here.ids["token"]
    return found


def _signed(site: Site, voice: Voice) -> dict[str, str]:
    """The person's token; a random request may have ended it, then there is a new one."""
    if voice.headers and site.client().get("/api/v1/session", headers=voice.headers).status_code == 401:
        site.rows("DELETE FROM sign_in_failures")  # random codes of links are failed attempts of this address
        voice.headers = Voice(site, voice.name).browser().token().headers
    return voice.headers
