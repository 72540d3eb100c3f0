"""What is handed out of a person is all that there is: the register, the tables and the export are held together."""

import json
import re
import secrets
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.cli.parser import main
from app.db import BucketGrant, Event, Job, PredictionSet, Simulation, User
from app.db.base import Base
from app.db.session import now
from app.services import personal
from tests.api.test_access import sign_in
from tests.conftest import Api, Speaker
from tests.unit.test_docs import text

NAME = "Ann Example"
WRITTEN = "words that Ann wrote"
SECRET = re.compile(r"hash|secret|csrf|folded")
OF_PEOPLE = {each.table.__tablename__: each for each in personal.PARTS.values()}


def test_every_table_of_the_register_that_holds_something_of_people_is_handed_out() -> None:
    lines = re.findall(r"^\| `(\w+)`[^|]*\| ([^|]+) \|", text("personal-data.md").split("## Where it lies")[1], re.M)
    registered = {name for name, people in lines if not people.startswith("-") and name in Base.metadata.tables}

    assert registered - personal.NOBODYS == OF_PEOPLE.keys()
    assert registered >= personal.NOBODYS - {"audit_doors"}


def test_whoever_a_column_names_gets_its_row() -> None:
    somebody = User(id=7, name=NAME)
    naming = [
        column
        for table in Base.metadata.tables.values()
        for column in table.columns
        if any(key.column.table.name == "users" for key in column.foreign_keys)
    ]

    assert len(naming) > 15
    for column in naming:
        assert column.table.name in OF_PEOPLE, column
        asked = str(OF_PEOPLE[column.table.name].whose(somebody))
        assert f"{column.table.name}.{column.name} = " in asked, column


def test_no_column_that_is_a_secret_is_handed_out_and_none_is_left_out_that_is_not_there() -> None:
    given = [column for part in personal.PARTS.values() for column in part.columns]

    assert [str(each) for each in given if SECRET.search(each.name)] == []
    for part in personal.PARTS.values():
        left_out = part.without - personal.CHOICE
        assert left_out <= {each.name for each in part.table.__table__.columns}, part.table


@pytest.fixture
def ann(api: Api) -> Speaker:
    """Somebody of whom every kind of row is there."""
    boss = api.as_("boss")
    project = boss.project()["id"]
    own = api.user(NAME)
    boss.post(f"/projects/{project}/members", json={"user": NAME, "role": "manager"}).raise_for_status()
    boss.patch(f"/users/{own}", json={"active": True}).raise_for_status()
    ann = api.as_(NAME)
    sign_in(api.client, NAME)
    api.client.cookies.clear()
    key = {"Idempotency-Key": str(uuid4())}
    ann.post(f"/projects/{project}/invitations", json={"uses": 1}).raise_for_status()
    ann.post("/projects", json=_new("Keyed"), headers=key).raise_for_status()
    ann.push(project, [{"key": str(n), "text": f"x {n}"} for n in range(6)])
    boss.push(project, [{"key": "said before", "text": "y", "label": "cat", "annotator": NAME}])
    [one, two] = ann.post(f"/projects/{project}/leases", json={"count": 2}).json()["leases"]
    ann.post("/annotations", json={"lease": one["id"], "label": {"class": "cat"}}).raise_for_status()
    ann.post(f"/leases/{two['id']}/skip", json={"reason": f"{WRITTEN} in skipping"}).raise_for_status()
    ann.post(f"/items/{one['item']['id']}/flags", json={"note": f"{WRITTEN} in a note"}).raise_for_status()
    version = {"If-Match": ann.get(f"/projects/{project}").headers["etag"]}
    words = {"guidelines": f"{WRITTEN} in guidelines"}
    ann.patch(f"/projects/{project}", json=words, headers=version).raise_for_status()
    body = {"name": "asked", "filter": f"annotator={NAME}"}
    boss.post(f"/projects/{project}/snapshots", json=body).raise_for_status()
    boss.post(f"/projects/{project}/snapshots", json={"name": "not hers", "filter": "annotator=boss"})
    hook = {"url": "https://example.com/hook", "events": ["goal.reached"]}
    ann.post(f"/projects/{project}/webhooks", json=hook).raise_for_status()
    with api.db.write() as session:
        moment = now(session)
        job = Job(project_id=project, kind="compare", payload={}, created_by=own, due_at=moment)
        job.created_at = job.updated_at = moment
        session.add(job)
        session.flush()
        session.add_all(
            [
                Simulation(
                    project_id=project, job_id=job.id, design={}, items=[], classes=[], features="", judged_by="audit",
                    pool_rows=1, test_rows=1, created_by=own, created_at=moment,
                ),
                PredictionSet(
                    project_id=project, model="hers", version="1", use="rank", state="open", folder="f", class_ids=[],
                    width=2, created_by=own, created_at=moment,
                ),
                BucketGrant(project_id=project, bucket="pets", granted_by=own, created_at=moment),
            ]
        )  # fmt: skip
    return ann


def _new(name: str) -> dict[str, Any]:
    return {"name": name, "modality": "text", "task": {"classes": ["a", "b"]}}


def test_the_export_of_a_person_has_every_kind_of_row_and_no_secret(api: Api, ann: Speaker) -> None:
    own = ann.get("/session").json()["user"]["id"]

    answer = ann.get(f"/users/{own}/export")
    found = answer.json()

    assert found.keys() == (personal.PARTS.keys() - {"account"}) | {"user"}
    assert [name for name, rows in found.items() if not rows] == []
    assert (found["user"]["name"], found["user"]["id"]) == (NAME, own)
    assert sorted(each["annotator_name"] or "" for each in found["answers"]) == ["", NAME]
    assert [each["name"] for each in found["snapshots"]] == ["asked"]
    assert {"user.changed", "member.set", "session.opened", "token.created"} <= {e["action"] for e in found["events"]}
    assert all(each["request_id"] for each in found["events"] if each["action"] == "user.changed")
    for where in ("skipping", "a note", "guidelines"):
        assert f"{WRITTEN} in {where}" in answer.text
    assert ann.headers["Authorization"].removeprefix("Bearer ") not in answer.text
    assert not re.search(r"argon2|[0-9a-f]{64}", json.dumps({**found, "requests": []}))
    bea = api.as_("bea")
    assert bea.get(f"/users/{own}/export").status_code == 404
    hers = bea.get(f"/users/{bea.get('/session').json()['user']['id']}/export").json()
    assert NAME not in json.dumps(hers)
    assert {name for name, rows in hers.items() if rows} == {"user", "tokens", "events"}


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_the_command_prints_the_same_and_says_so_in_the_audit_log(
    api: Api, ann: Speaker, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ann.get("/session").json()["user"]["id"]
    given = ann.get(f"/users/{own}/export").json()
    capsys.readouterr()

    code = main(["user", "export", "--data", str(api.settings.data), NAME.upper()])
    printed = json.loads(capsys.readouterr().out)
    nobody = main(["user", "export", "--data", str(api.settings.data), secrets.token_hex(4)])

    assert (code, nobody) == (0, 1)
    assert {name: len(rows) for name, rows in printed.items() if name != "events"} == {
        name: len(rows) for name, rows in given.items() if name != "events"
    }
    with api.db.read() as session:
        lines = session.execute(select(Event.detail).where(Event.action == "user.exported"))
        assert [each["user"] for each in lines.scalars()] == [own, own]
