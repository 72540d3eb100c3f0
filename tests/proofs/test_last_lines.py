"""The last line of defence: what the schema, the headers and the boundary refuse when everything before them let it by.

Each is the test that misses one guard of `guards.py` for which no other test did.
"""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from app.core.errors import InvalidFile
from app.core.settings import Settings
from app.db import Annotation, Base, BrowserSession, Item, Job, Lease, OneTimeLink, Token
from app.services import archives, erasing, jobs, tombstones
from tests.conftest import PASSWORD, Api, Speaker


def project_of(api: Api, count: int = 2, **given: Any) -> tuple[Speaker, int]:
    """A project with some items, and its manager."""
    boss = api.as_("boss")
    project = boss.project(**given)["id"]
    boss.push(project, [{"key": f"k{number}", "text": f"text {number}"} for number in range(count)])
    return boss, project


def join(api: Api, boss: Speaker, project: int, name: str) -> Speaker:
    """Somebody who labels there."""
    speaker = api.as_(name)
    boss.post(f"/projects/{project}/members", json={"user": name, "role": "annotator"})
    return speaker


def taken(speaker: Speaker, project: int) -> int:
    """The lease of an item."""
    found: int = speaker.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]["id"]
    return found


SECOND: dict[str, tuple[type, dict[str, Any]]] = {
    "slot": (Lease, {"annotator_id": 2}),
    "lease of a person": (Lease, {"slot": 1}),
    "round": (Job, {}),
    "request": (Job, {}),
    "item of a key": (Item, {}),
    "version of an answer": (Annotation, {"request_id": None}),
    "answer of a request": (Annotation, {"version": 2}),
}


@pytest.mark.parametrize("what", SECOND)
def test_the_schema_refuses_a_second(api: Api, what: str) -> None:
    table, changes = SECOND[what]
    boss, project = project_of(api, count=1)
    join(api, boss, project, "ann")
    lease = taken(boss, project)
    if table is Annotation:
        body = {"lease": lease, "label": {"class": "cat"}}
        boss.post("/annotations", json=body, headers={"Idempotency-Key": str(uuid4())})
    with api.db.write() as session:
        session.query(Job).delete()
        jobs.enqueue(session, "round", project)
        session.query(Job).update({"state": "running" if what == "round" else "waiting"})
        columns = [column for column in table.__table__.columns if column.name != "id"]
        row = session.execute(select(*columns)).mappings().one()
        second = insert(table.__table__).values(**{**row, **changes})

    with pytest.raises(IntegrityError), api.db.write() as session:
        session.execute(second)


def test_who_is_switched_off_is_out_at_once_also_with_a_token(api: Api) -> None:
    boss, project = project_of(api)
    ann = join(api, boss, project, "ann")
    lease = taken(ann, project)

    boss.patch(f"/users/{ann.get('/session').json()['user']['id']}", json={"active": False})

    assert ann.get("/projects").status_code == 401
    body = {"lease": lease, "label": {"class": "cat"}}
    assert ann.post("/annotations", json=body).status_code == 401


def test_who_has_left_a_project_stores_and_holds_nothing_there(api: Api) -> None:
    boss, project = project_of(api, count=1)
    ann = join(api, boss, project, "ann")
    lease = taken(ann, project)
    person = ann.get("/session").json()["user"]["id"]

    assert boss.delete(f"/projects/{project}/members/{person}").status_code == 204

    label = {"lease": lease, "label": {"class": "cat"}}
    assert ann.post("/annotations", json=label).status_code == 404
    assert ann.post(f"/leases/{lease}/renew").status_code == 404
    assert ann.post(f"/leases/{lease}/skip", json={}).status_code == 404
    assert taken(boss, project) != lease  # the only item is free at once


def test_a_key_is_of_one_answer_and_no_other_goes_under_it(api: Api) -> None:
    boss, project = project_of(api)
    key = {"Idempotency-Key": str(uuid4())}
    first, second = taken(boss, project), None
    body = {"lease": first, "label": {"class": "cat"}}
    stored = boss.post("/annotations", json=body, headers=key)
    second = taken(boss, project)

    again = boss.post("/annotations", json=body, headers=key)
    other_label = boss.post("/annotations", json=body | {"label": {"class": "dog"}}, headers=key)
    other_lease = boss.post("/annotations", json=body | {"lease": second}, headers=key)

    assert again.json() == stored.json()
    assert (other_label.status_code, other_lease.status_code) == (422, 422)
    assert boss.get(f"/projects/{project}/status").json()["annotations"] == 1


def test_a_short_password_is_refused(api: Api) -> None:
    for password in ("short", "a" * 12, "x" * 257):
        answer = api.as_("boss").post("/users", json={"name": "eve", "password": password})
        assert answer.status_code == 422


def test_no_secret_lies_in_the_database(api: Api) -> None:
    boss, project = project_of(api)
    api.user("eve")
    secrets = [
        boss.headers["Authorization"].removeprefix("Bearer "),
        boss.post("/tokens", json={"name": "t"}).json()["token"],
    ]
    signed_in = api.client.post("/api/v1/session", json={"name": "eve", "password": PASSWORD})
    secrets += [PASSWORD, signed_in.cookies["labelwise"]]
    link = boss.post(f"/projects/{project}/invitations", json={"role": "annotator", "uses": 1}).json()["url"]
    secrets.append(link.rsplit("/", 1)[-1])

    held = _everything(api)

    assert all(len(secret) > 10 for secret in secrets)
    assert [secret for secret in secrets if secret in held] == []


def _everything(api: Api) -> str:
    """All that the database holds, as text."""
    if api.db.is_sqlite:
        files = Path(str(api.db.url.database)).parent.glob("labelwise.db*")
        return "".join(each.read_bytes().decode("latin-1") for each in files)
    with api.db.read() as session:
        return "".join(str(session.execute(select(table)).all()) for table in Base.metadata.sorted_tables)


def test_a_body_ends_at_its_limit(api: Api) -> None:
    answer = api.as_("boss").post("/projects", json={"name": "x" * 1_100_000})
    assert answer.status_code == 413


def test_a_zip_whose_entries_overlap_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"x" * 100)
        archive.writestr("b", b"y" * 100)
    content = bytearray(out.getvalue())
    second = content.rfind(b"PK\x01\x02")
    content[second + 42 : second + 46] = struct.pack("<I", 0)  # where its content begins: at the first one's

    with pytest.raises(InvalidFile, match="overlap"):
        list(archives.entries(io.BytesIO(bytes(content)), Settings(_env_file=None)))


def test_a_zip_unpacks_to_no_more_than_is_allowed() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1_000_000))

    found = archives.entries(io.BytesIO(out.getvalue()), Settings(archive_bytes=1_000, _env_file=None))
    with pytest.raises(InvalidFile, match="more than is allowed"):
        next(found)[1].read()  # type: ignore[union-attr]


def test_every_answer_protects_the_browser(api: Api) -> None:
    for path in ("/healthz", "/sign-in", "/nothing", "/api/v1/projects"):
        headers = api.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"


def test_a_page_runs_our_own_scripts_only(api: Api) -> None:
    api.user("eve")
    policy = api.client.get("/sign-in").headers["Content-Security-Policy"]
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";") if " " in part.strip())
    assert parts["default-src"] == "'none'"
    assert "unsafe" not in parts["script-src"]
    assert parts["frame-ancestors"] == "'none'"


def test_no_text_gets_in_that_a_database_cannot_hold(api: Api) -> None:
    boss, project = project_of(api)
    for bad in ("a\\u0000b", "a\\ud800b"):
        sent = {"content": f'{{"name": "{bad}"}}', "headers": {"Content-Type": "application/json"}}
        made = boss.post("/projects", **sent)
        rows = [f'{{"key": "x", "text": "{bad}"}}']
        ndjson = {"Content-Type": "application/x-ndjson"}
        pushed = boss.post(f"/projects/{project}/items", content="\n".join(rows), headers=ndjson)
        assert made.status_code in (400, 422)
        assert pushed.json().get("rejected_count", 1) == 1, pushed.text
    assert boss.get(f"/projects/{project}/items").status_code == 200


def test_a_filter_reaches_the_fields_of_the_list_alone(api: Api) -> None:
    boss, project = project_of(api)
    for name in ("annotator.password_hash", "users.name", "password_hash", "project_id", "draw", "reserved__x"):
        answers = [
            boss.get(f"/projects/{project}/items", params={name: value}) for value in ("$argon2", "nothing of this")
        ]
        assert {each.status_code for each in answers} == {422}
        assert answers[0].json()["detail"] == answers[1].json()["detail"]


@pytest.mark.parametrize("kind", [Token, BrowserSession], ids=["token", "session"])
def test_what_lets_somebody_in_is_over_when_its_end_comes(api: Api, kind: Any) -> None:
    token = api.as_("eve").post("/tokens", json={"name": "t", "expires_in": 3_600}).json()["token"]
    shown = {"Authorization": f"Bearer {token}"} if kind is Token else {}
    api.client.post("/api/v1/session", json={"name": "eve", "password": PASSWORD})  # the client keeps the cookie

    before = api.client.get("/api/v1/projects", headers=shown).status_code
    with api.db.write() as session:
        session.execute(update(kind).values(expires_at=kind.created_at).where(kind.expires_at.is_not(None)))
    after = api.client.get("/api/v1/projects", headers=shown).status_code

    assert (before, after) == (200, 401)


def test_a_link_is_over_when_its_end_comes(api: Api) -> None:
    boss, project = project_of(api)
    url = boss.post(f"/projects/{project}/invitations", json={"role": "annotator", "uses": 5}).json()["url"]
    code = url.rsplit("/", 1)[-1]

    def joined(name: str) -> int:
        body = {"name": name, "password": PASSWORD}
        return int(api.client.post(f"/api/v1/invitations/{code}/accept", json=body).status_code)

    first = joined("ann")
    api.client.cookies.clear()
    with api.db.write() as session:
        session.execute(update(OneTimeLink).values(expires_at=OneTimeLink.created_at))

    assert (first, joined("ben")) == (201, 404)


def test_what_belongs_to_admins_is_theirs_alone(api: Api) -> None:
    boss, project = project_of(api)
    ann = join(api, boss, project, "ann")

    assert ann.post("/users", json={"name": "eve", "password": PASSWORD}).status_code == 403
    assert ann.get("/users").status_code == 403
    assert "eve" not in {each["name"] for each in boss.get("/users").json()["items"]}


def test_a_field_that_nobody_knows_is_refused(api: Api) -> None:
    answer = api.as_("boss").post("/users", json={"name": "eve", "password": PASSWORD, "is_admin": True})

    assert answer.status_code == 422
    assert "is_admin" in answer.json()["fields"]


def test_a_refusal_repeats_nothing_of_what_was_sent(api: Api) -> None:
    secret = "correct horse battery"
    answer = api.as_("boss").post("/users", json={"name": 7, "password": [secret], secret[:7]: 1})

    assert answer.status_code == 422
    assert "password" in answer.json()["fields"]
    assert secret not in answer.text


def test_a_body_of_another_type_is_not_read(api: Api) -> None:
    """A form that another site's page sends is text/plain or one of two more: it must never be taken for JSON."""
    content = '{"name": "P", "modality": "text", "task": {"classes": ["a", "b"]}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = api.as_("boss").post("/projects", content=content, headers={"Content-Type": kind})
        assert answer.status_code == 415


def test_a_host_that_is_not_ours_is_refused(api: Api) -> None:
    for host in ("evil.example/x", "a b", "", "labelwise:99999999"):
        assert api.client.get("/sign-in", headers={"Host": host}).status_code == 400


def test_no_json_gets_in_that_a_database_cannot_hold(api: Api) -> None:
    boss, project = project_of(api)
    deep = "[" * 60 + "]" * 60
    for bad in ("9223372036854775808", "1e999", deep):
        row = f'{{"key": "x", "text": "fine", "metadata": {{"size": {bad}}}}}'
        sent = {"content": row, "headers": {"Content-Type": "application/x-ndjson"}}
        assert boss.post(f"/projects/{project}/items", **sent).json().get("rejected_count", 1) == 1
    assert boss.get(f"/projects/{project}/items").status_code == 200


def test_who_was_erased_is_erased_again_where_an_older_copy_brought_it_back(api: Api) -> None:
    boss, _ = project_of(api)
    with api.db.read() as session:
        item = session.execute(select(Item).limit(1)).scalar_one()
        number, made, payload = item.id, item.created_at.isoformat(), item.payload
    erasing.write_tombstones(api.settings, [("item", number, made)])  # by the service that erased it, after the copy

    again = tombstones.apply(api.db, api.settings)

    assert again == 1
    assert boss.get(f"/items/{number}").status_code == 404
    with api.db.read() as session:
        assert session.get_one(Item, number).payload != payload
