"""Who watches the watchmen: each harness of the proofs is run against a build that is broken, and has to say so.

A proof that finds nothing is worth what it would have found. Guards that go one by one stand in `guards.py`, harnesses
of bad days prove themselves in `benchmarks/faults`, random requests in `tests/attacks`; here are the others: the lints
of the doors, rule zero, the reference model, and the two tenants.
"""

import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import sqlalchemy
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from starlette.testclient import TestClient

import app.services.leases
from tests.attacks.asking import own_site
from tests.attacks.rules import all_is_well, rule_zero
from tests.attacks.site import Site
from tests.proofs import test_two_tenants as tenants
from tests.proofs.machine import Machine
from tests.proofs.removals import (
    Taken,
    answers_are_overwritten,
    earlier_answers_are_forgotten,
    no_token_is_asked_for,
    nothing,
    who_left_stays,
)
from tests.proofs.test_state_machine import world_on
from tests.unit import test_doors as doors

ROUND_A_DOOR: dict[str, tuple[Callable[..., None], str, str]] = {
    "rows": (
        doors.test_a_row_of_a_project_is_looked_up_by_a_given_id_through_visible_only,
        "services",
        "def shown(session, person, item_id):\n    return session.get(Item, item_id)\n",
    ),
    "handlers": (doors.test_no_handler_looks_a_row_up_by_itself, "api", "session.scalars(select(Item))\n"),
    "addresses": (
        doors.test_every_address_that_somebody_named_is_called_by_core_fetch,
        "services",
        "httpx.post(address, json={})\n",
    ),
    "files": (doors.test_every_stored_file_is_given_back_by_api_files, "api", "FileResponse(path)\n"),
    "types of files": (
        doors.test_every_stored_file_is_given_back_by_api_files,
        "services",
        'headers = {"Content-Disposition": "inline"}\n',
    ),
    "JSON": (doors.test_json_from_outside_is_parsed_by_core_text_only, "services", "json.loads(body)\n"),
    "pickles": (doors.test_nothing_from_outside_is_unpickled_or_run, "learners", "joblib.load(file)\n"),
    "arrays of objects": (
        doors.test_nothing_from_outside_is_unpickled_or_run,
        "learners",
        "np.load(file, allow_pickle=True)\n",
    ),
    "XML": (doors.test_no_parser_of_xml_or_yaml_is_imported, "formats", "from lxml import etree\n"),
    "errors": (doors.test_errors_become_answers_in_one_map, "api", "raise HTTPException(404)\n"),
}
DECODERS = ("Image.open(file)\n", "soundfile.read(file)\n", "av.open(file)\n", "zipfile.ZipFile(file)\n")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the program that the lints look at."""
    shutil.copytree(doors.APP, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(doors, "ROOT", tmp_path)
    monkeypatch.setattr(doors, "APP", tmp_path / "app")
    monkeypatch.setattr(doors.users, "__defaults__", (tmp_path / "app",))
    return tmp_path / "app"


@pytest.mark.parametrize("door", ROUND_A_DOOR)
def test_who_goes_round_a_door_is_found(copy: Path, door: str) -> None:
    lint, room, source = ROUND_A_DOOR[door]
    lint()  # nobody does yet
    (copy / room / "sneaky.py").write_text(source)

    with pytest.raises(AssertionError):
        lint()


@pytest.mark.parametrize("source", DECODERS)
def test_who_decodes_elsewhere_is_found(copy: Path, source: str) -> None:
    [decoder] = [each for each in doors.DECODES if each.fullmatch(source.split("(", maxsplit=1)[0])]
    doors.test_media_and_archives_are_opened_in_one_place_each(decoder)
    (copy / "services" / "sneaky.py").write_text(source)

    with pytest.raises(AssertionError):
        doors.test_media_and_archives_are_opened_in_one_place_each(decoder)


GOOD = {"error": "NotFound", "detail": "there is no such item", "request_id": "abc"}
BROKEN_ANSWERS: dict[str, tuple[int, dict[str, str], Any, float, str]] = {
    "a stumble": (500, {}, GOOD, 0, "answered 500"),
    "busy and does not say for how long": (503, {}, GOOD, 0, "answered 503"),
    "slow": (404, {}, GOOD, 10_000, "took"),
    "the secret": (200, {}, {"text": "the secret of this place"}, 0, "gave the secret away"),
    "names its program": (200, {"server": "uvicorn"}, {}, 0, "names the program"),
    "no stable code": (404, {}, GOOD | {"error": "not found!"}, 0, "no stable code"),
    "no detail": (404, {}, {"error": "NotFound", "request_id": "abc"}, 0, "items/1: "),
    "another request": (404, {"x-request-id": "xyz"}, GOOD, 0, "GET http"),
    "SQL": (404, {}, GOOD | {"detail": "SELECT id FROM items"}, 0, "how it is made"),
    "a folder": (404, {}, GOOD | {"detail": "nothing in /data/of/labelwise"}, 0, "names a folder"),
}


def answered(status: int, headers: dict[str, str], body: Any, seconds: float) -> httpx.Response:
    request = httpx.Request("GET", "http://here/api/v1/items/1")
    made = httpx.Response(status, headers={"x-request-id": "abc"} | headers, json=body, request=request)
    made.elapsed = timedelta(seconds=seconds)
    return made


PLACE = cast(Site, SimpleNamespace(secret="the secret of this place", data=Path("/data/of/labelwise")))


def test_rule_zero_lets_a_good_refusal_through() -> None:
    assert rule_zero(PLACE, answered(404, {}, GOOD, 0)).status_code == 404


@pytest.mark.parametrize("what", BROKEN_ANSWERS)
def test_rule_zero_names_what_an_answer_breaks(what: str) -> None:
    *given, words = BROKEN_ANSWERS[what]

    with pytest.raises(AssertionError, match=words):
        rule_zero(PLACE, answered(*given), may_be_busy=True)


def visited(site: Site) -> None:
    httpx.get(site.canary.url)


def stumbled(site: Site) -> None:
    with site.running.log.open("a") as log:
        log.write("Traceback (most recent call last):\n")


def died(site: Site) -> None:
    with site.running.log.open("a") as log:
        log.write("a web process ended with code -9\n")


def spoilt(site: Site) -> None:
    """A row that no list can show."""
    site.rows(
        "UPDATE items SET payload = '{' WHERE id = (SELECT max(id) FROM items WHERE project_id = :id)", id=site.P1
    )


SPOILT: dict[str, tuple[Callable[[Site], Any], str]] = {  # the last one stays
    "a visit of the canary": (visited, "canary was visited"),
    "what was uploaded ran": (lambda site: site.marker.touch(), "was run"),
    "a file outside": (lambda site: site.secret_file.write_text("other"), "outside the data folder"),
    "a stumble": (stumbled, "stumbled"),
    "a dead process": (died, "process of the service died"),
    "a list that falls": (spoilt, "answered 500"),
}


@pytest.mark.night
def test_rule_zero_sees_what_an_attack_left_behind(tmp_path: Path) -> None:
    with own_site(tmp_path, "sqlite") as site:
        for spoil, words in SPOILT.values():
            all_is_well(site)
            spoil(site)

            with pytest.raises(AssertionError, match=words):
                all_is_well(site)

            site.canary.hits.clear()
            site.marker.unlink(missing_ok=True)
            site.secret_file.write_text(site.secret)
            site.unread_log()


BROKEN_MODELS: dict[str, Callable[[Taken], None]] = {
    "I1: leases never end": lambda taken: taken.patch.setattr(app.services.leases, "expire", nothing),
    "I9: a worker that lost its job goes on": no_token_is_asked_for,
    "I3: an answer is overwritten": answers_are_overwritten,
    "I4: a repetition makes a second answer": earlier_answers_are_forgotten,
    "who left answers on": who_left_stays,
}


@pytest.mark.night
@pytest.mark.parametrize("broken", BROKEN_MODELS)
def test_the_model_notices_a_broken_product(
    broken: str, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_on("sqlite", client, tmp_path)
    BROKEN_MODELS[broken](Taken(monkeypatch, client, world.api.db))
    times = settings(
        max_examples=100,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        with pytest.raises(Exception) as found:  # as many kinds as there are rules
            run_state_machine_as_test(lambda: Machine(world), settings=times)
    finally:
        world.close()

    assert isinstance(found.value, AssertionError | BaseExceptionGroup), repr(found.value)


@pytest.mark.night
def test_tenants_that_mix_are_noticed(client: TestClient, tmp_path: Path) -> None:
    """A list of items that forgets whose they are."""

    def forget(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return re.sub(
            r"\bitems\.project_id = (\?|%\(\w+\)s)", r"(items.project_id = \1 OR 1 = 1)", statement
        ), parameters

    engines = sqlalchemy.engine.Engine
    sqlalchemy.event.listen(engines, "before_cursor_execute", forget, retval=True)
    try:
        with pytest.raises(AssertionError):
            tenants.test_what_others_do_changes_no_answer("sqlite", client, tmp_path)
    finally:
        sqlalchemy.event.remove(engines, "before_cursor_execute", forget)
