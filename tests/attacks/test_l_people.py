"""d.L: personal data: given out whole, erased wherever it lies, kept no longer than needed, and not brought back."""

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.core.settings import Settings
from app.db import Database, Job
from app.services import accounts, audit, retention
from tests.attacks.running import command, environment, running
from tests.attacks.site import Site
from tests.attacks.voices import PASSWORD
from tests.attacks.waiting import lease, wait_for_a_round, wait_for_features

case = pytest.mark.case


@case("L-01")
def test_l01_a_person_gets_all_that_is_about_them_and_nobody_elses(aimed: Site) -> None:
    name = f"told {uuid4()}"
    told = aimed.new_user(name)
    aimed.join(aimed.M, aimed.P1, told)
    [one, two] = lease(aimed, told, aimed.P1, 2)
    aimed.answer(told, one)
    told.post(f"/leases/{two['id']}/skip", json={"reason": "too hard for me"})
    told.post(f"/items/{one['item']['id']}/flags", json={"note": "I wrote this"})
    told.browser()
    aimed.A.patch(f"/users/{told.id}", json={"active": True})

    mine, admins = told.get(f"/users/{told.id}/export"), aimed.A.get(f"/users/{told.id}/export")
    others = [
        person.get(f"/users/{told.id}/export").status_code for person in (aimed.M, aimed.X, aimed.U1, aimed.nobody)
    ]

    assert others == [404, 404, 404, 401]
    given = mine.json()
    assert {**given, "events": []} == {**admins.json(), "events": []}  # the first one is an event of the second
    assert given["user"]["name"] == name
    assert [each["item_id"] for each in given["answers"]] == [one["item"]["id"]]
    assert [each["note"] for each in given["notes"]] == ["I wrote this"]
    assert {each["state"] for each in given["leases"]} == {"answered", "skipped"}
    assert "too hard for me" in mine.text
    assert given["tokens"]
    assert given["sessions"]
    assert [each["role"] for each in given["projects"]] == ["annotator"]
    assert {"user.changed", "member.set", "session.opened"} <= {each["action"] for each in given["events"]}
    assert "argon2" not in mine.text


@case("L-02", "L-05")
def test_l02_an_erased_person_is_nowhere_any_more(aimed: Site) -> None:
    word = f"Wilhelmine{uuid4().hex[:12]}"
    gone = aimed.new_user(word)
    named = {"name": f"{word} the second", "password": PASSWORD}
    made = aimed.A.post("/users", json=named, headers={"Idempotency-Key": str(uuid4())})  # its answer is kept
    assert aimed.A.delete(f"/users/{made.json()['id']}").status_code == 204
    aimed.join(aimed.M, aimed.P1, gone)
    project = aimed.new_project(aimed.M, 6)
    aimed.join(aimed.M, project, gone, "manager")
    for held in lease(aimed, gone, project, 3):
        key = {"Idempotency-Key": str(uuid4())}
        gone.post("/annotations", json={"lease": held["id"], "label": {"class": "cat"}}, headers=key)
    gone.post("/tokens", json={"name": f"token of {word}"})
    gone.post(f"/items/{held['item']['id']}/flags", json={"note": "a note"}, headers={"Idempotency-Key": str(uuid4())})
    rows = [{"key": "i", "text": "imported", "labels": [{"annotator": word, "label": {"class": "cat"}}]}]
    assert aimed.M.post(f"/projects/{project}/items", json=rows).json()["created"] == 1
    made = aimed.M.post(f"/projects/{project}/snapshots", json={"name": "of-one", "filter": f"annotator={word}"})
    assert made.status_code == 202, made.text
    browser = gone.browser()
    assert found_in_rows(aimed, word)

    assert aimed.M.delete(f"/users/{gone.id}").status_code == 403
    assert aimed.A.delete(f"/users/{gone.id}").status_code == 204
    assert aimed.A.delete(f"/users/{gone.id}").status_code == 404
    wait_until_scrubbed(aimed)

    assert found_in_rows(aimed, word) == []
    assert found_in_files(aimed, word) == []
    assert word not in aimed.log()
    assert [voice.get("/session").status_code for voice in (gone, browser)] == [401, 401]
    assert aimed.nobody.post("/session", json={"name": word, "password": PASSWORD}).status_code == 401
    exported = aimed.M.get(f"/projects/{project}/export").text
    assert (word in exported, exported.count("erased-")) == (False, 4)
    again = aimed.new_user(word)
    assert again.get("/projects").json()["items"] == []
    assert again.get(f"/users/{gone.id}/export").status_code == 404
    assert aimed.A.delete(f"/users/{again.id}", params={"answers": "true"}).status_code == 204


@case("L-02")
def test_l02_answers_go_too_where_that_is_wanted_and_their_items_are_asked_again(aimed: Site) -> None:
    project = aimed.new_project(aimed.M, 4)
    gone = aimed.new_user(f"forgotten {uuid4()}")
    aimed.join(aimed.M, project, gone)
    for held in lease(aimed, gone, project, 4):
        aimed.answer(gone, held)
    before = aimed.M.get(f"/projects/{project}/status").json()["items"]["answered"]

    assert aimed.A.delete(f"/users/{gone.id}", params={"answers": "true"}).status_code == 204

    assert before == 4
    assert aimed.M.get(f"/projects/{project}/status").json()["items"]["answered"] == 0
    aimed.join(aimed.M, project, aimed.U1)
    assert len(lease(aimed, aimed.U1, project, 4)) == 4
    aimed.M.delete(f"/projects/{project}")


@case("L-03", "L-05")
def test_l03_an_erased_items_word_is_nowhere_any_more(aimed: Site) -> None:
    word = f"kanarienvogel{uuid4().hex[:12]}"
    project = aimed.new_project(aimed.M, 30)
    aimed.join(aimed.M, project, aimed.U1)
    rows = [{"key": f"key {word}", "text": f"a {word} sings", "metadata": {"who": word, word: 1}, "priority": 5}]
    assert aimed.M.post(f"/projects/{project}/items", json=rows).json()["created"] == 1
    for held in lease(aimed, aimed.U1, project, 12):
        number = held["item"]["key"].split("-")[-1]
        aimed.answer(aimed.U1, held, "dog" if number.isdigit() and int(number) % 2 else "cat")
    [item] = aimed.M.get(f"/projects/{project}/items", params={"q": word}).json()["items"]
    aimed.M.post(
        f"/items/{item['id']}/flags", json={"note": f"look at {word}"}, headers={"Idempotency-Key": str(uuid4())}
    )
    aimed.M.post(f"/projects/{project}/snapshots", json={"name": "with"})
    wait_for_features(aimed, project)
    aimed.M.post(f"/projects/{project}/rounds")
    first = wait_for_a_round(aimed, project, labels=12)
    assert first.get("state") in ("published", "done"), first
    assert found_in_rows(aimed, word)

    assert aimed.X.delete(f"/items/{item['id']}", params={"erase": "true"}).status_code == 404
    assert aimed.M.delete(f"/items/{item['id']}", params={"erase": "true"}).status_code == 204
    assert aimed.M.delete(f"/items/{item['id']}", params={"erase": "true"}).status_code == 404
    wait_until_scrubbed(aimed)

    assert aimed.M.get(f"/projects/{project}/rounds/{first['number']}").json()["erased"] == 1
    assert found_in_rows(aimed, word) == []
    assert found_in_files(aimed, word) == []
    assert word not in aimed.log()
    for path in ("items", "export?view=items", "export?extra=true", "annotations", "queue", "snapshots/with/export"):
        answer = aimed.M.get(f"/projects/{project}/{path}")
        assert word not in answer.text, path
    assert aimed.M.get(f"/projects/{project}/items", params={"q": word}).json()["items"] == []
    newest = wait_for_a_round(aimed, project, after=first["number"])
    assert newest["erased"] == 0
    kept = aimed.rows("SELECT number FROM rounds WHERE project_id = :p AND model_file IS NOT NULL", p=project)
    assert [row[0] for row in kept] == [newest["number"]]


@case("L-04")
def test_l04_who_holds_an_item_that_is_erased_gets_the_label_back(aimed: Site) -> None:
    project = aimed.new_project(aimed.M, 3)
    aimed.join(aimed.M, project, aimed.U2)
    [held] = lease(aimed, aimed.U2, project, 1)

    erased = aimed.M.delete(f"/items/{held['item']['id']}", params={"erase": "true"})
    late = aimed.answer(aimed.U2, held)
    export = aimed.M.get(f"/projects/{project}/export", params={"view": "items"})

    assert erased.status_code == 204
    assert late.status_code == 410
    assert late.json()["label"] == {"class": "cat"}
    assert export.text.count("\n") == 2
    assert held["item"]["id"] not in [each["item"]["id"] for each in lease(aimed, aimed.U2, project, 3)]
    aimed.M.delete(f"/projects/{project}")


@case("L-05")
def test_l05_a_restored_backup_brings_nobody_back(tmp_path: Path) -> None:
    data, restored, file = tmp_path / "data", tmp_path / "restored", tmp_path / "backup.tar.gz"
    with running(data) as service:
        first = _Plain(service.address, service.setup_code)
        gone = first.ask("POST", "/users", {"name": "Ottilie Forgotten", "password": PASSWORD})["id"]
        project = first.ask("POST", "/projects", {"name": "p", "modality": "text", "task": {"classes": ["a", "b"]}})[
            "id"
        ]
        rows = [{"key": "stays", "text": "this stays"}, {"key": "goes", "text": "a forgettable sentence"}]
        first.ask("POST", f"/projects/{project}/items", rows)
        listed = first.ask("GET", f"/projects/{project}/items")["items"]
        run(data, "backup", str(file))
        [item] = [each["id"] for each in listed if each["key"] == "goes"]
        first.ask("DELETE", f"/users/{gone}")
        first.ask("DELETE", f"/items/{item}?erase=true")
        end = time.monotonic() + 20
        while (
            time.monotonic() < end
            and len((data / "erased.jsonl").read_text().splitlines() if (data / "erased.jsonl").exists() else []) < 2
        ):
            time.sleep(0.2)

    said = run(restored, "restore", str(file), "--erased", str(data / "erased.jsonl"))

    assert "erased again: 2" in said
    assert (restored / "erased.jsonl").read_text() == (data / "erased.jsonl").read_text()
    with running(restored) as service:
        second = _Plain(service.address, None, first.token)
        users = json.dumps(second.ask("GET", "/users"))
        items = json.dumps(second.ask("GET", f"/projects/{project}/items"))
        second.ask("POST", f"/projects/{project}/items", [{"key": "new", "text": "pushed later"}])
    assert ("Ottilie" in users, "forgettable" in items, "this stays" in items) == (False, False, True)
    with running(restored) as service:  # another start erases nothing that came since
        third = _Plain(service.address, None, first.token)
        again = json.dumps(third.ask("GET", f"/projects/{project}/items"))
    for each in (first, second, third):
        each.close()
    assert "pushed later" in again


@case("L-06")
def test_l06_what_is_too_old_goes_and_a_dry_run_says_it_before(
    tmp_path: Path, settings: Settings, db: Database
) -> None:
    """In this process, as the clock of a year later is needed; the command beside it is the same function."""
    with db.write() as session:
        user = accounts.create_user(session, "boss", PASSWORD, admin=True).id
        accounts.create_token(session, user, "ended", ["read"], expires_in=timedelta(days=1))
        accounts.create_token(session, user, "lives", ["read"])
        audit.record(session, "old.deed", user)
    later = datetime.now(UTC) + timedelta(days=400)
    future = Database(db.url.render_as_string(hide_password=False), clock=lambda: later)
    with future.write() as session:
        audit.record(session, "new.deed", user)
        for state in ("done", "waiting"):
            moment = later - timedelta(days=200)
            session.add(
                Job(kind="import", state=state, payload={}, due_at=moment, created_at=moment, updated_at=moment)
            )

    dry = {each.name: each.count for each in retention.look(future, settings)}
    twice = {each.name: each.count for each in retention.look(future, settings)}
    done = {each.name: each.count for each in retention.clear(future, settings)}
    after = {each.name: each.count for each in retention.look(future, settings)}

    assert dry == twice == done
    assert dry["lines of the audit log"] >= 2
    assert dry["finished jobs with their rejected rows"] == 1
    assert dry["tokens that ended"] == 1
    assert set(after.values()) == {0}
    with future.read() as session:
        told = audit.listed(session, None, 10)
        assert [each.action for each in told] == ["retention.applied", "new.deed"]
        assert sum(told[0].detail["removed"].values()) == sum(done.values())
        left = [row.state for row in session.query(Job)]
        assert left == ["waiting"]
    future.dispose()


@case("L-06")
def test_l06_the_command_says_what_would_go(tmp_path: Path) -> None:
    run(tmp_path / "data", "migrate")

    said = run(tmp_path / "data", "retention", "--dry-run")

    assert "would go: lines of the audit log, older than 365 days" in said
    assert "files of closed projects, kept for ever" in said


def found_in_rows(site: Site, word: str) -> list[str]:
    """Tables and columns that hold a word, in any case, as text."""
    found = []
    sqlite = site.url.startswith("sqlite")
    if sqlite:
        columns = site.rows(
            "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'"
            " AND m.name NOT LIKE 'item_words%' AND m.name NOT LIKE 'sqlite_%'"
        )
    else:
        columns = site.rows(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        )
    for table, column in columns:
        asked = f'SELECT count(*) FROM "{table}" WHERE lower(CAST("{column}" AS TEXT)) LIKE :word'
        if site.rows(asked, word=f"%{word.lower()}%")[0][0]:
            found.append(f"{table}.{column}")
    return found


def found_in_files(site: Site, word: str) -> list[str]:
    """Files of the data folder, the database's own among them, that hold a word."""
    wanted = [word.encode(), word.lower().encode(), word.encode("utf-16-le")]
    return [
        str(file.relative_to(site.data))
        for file in sorted(site.data.rglob("*"))
        if file.is_file() and any(each in file.read_bytes() for each in wanted)
    ]


def wait_until_scrubbed(site: Site, seconds: float = 60) -> None:
    """Until the jobs of erasures have ended; those that wait for others are let begin now."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        site.rows("UPDATE jobs SET due_at = created_at WHERE kind = 'scrub' AND state = 'waiting'")
        left = site.rows(
            "SELECT kind, state, reason FROM jobs WHERE kind IN ('erase', 'scrub') AND state IN ('waiting', 'running')"
        )
        if not left:
            failed = site.rows("SELECT reason FROM jobs WHERE kind IN ('erase', 'scrub') AND state = 'failed'")
            assert failed == []
            return
        time.sleep(0.3)
    raise AssertionError(f"erasures are not done: {left}")


def run(data: Path, *words: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        command(*words),
        env=environment(data),
        cwd=data.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class _Plain:
    """An admin of a service that is not the one under attack."""

    def __init__(self, address: str, code: str | None, token: str = "") -> None:
        import httpx

        self._client, self.token = httpx.Client(base_url=f"{address}/api/v1", timeout=30), token
        if code is not None:
            made = self._client.post(f"/setup/{code}", json={"name": "boss", "password": PASSWORD})
            headers = {"X-CSRF-Token": made.json()["csrf_token"]}
            answer = self._client.post("/tokens", json={"name": "all"}, headers=headers)
            self.token = answer.json()["token"]
            self._client.cookies.clear()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self._client.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def close(self) -> None:
        self._client.close()
