"""Snapshots: they stay as they were, have a hash to check, splits without leaks, and can be compared."""

import hashlib
import json
import os
import time
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select, update

from app.db import Job, Snapshot
from app.services import snapshot_files, sweeping
from tests.api.test_bulk import push
from tests.api.test_labelling import member
from tests.conftest import Api, Speaker

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def project(boss: Speaker) -> int:
    """Twelve items of four patients, without an audit share; a and b are labelled, e and E differ in case only."""
    found: int = boss.project(audit_share=0)["id"]
    keys = "abcdefghijkE"
    rows = [{"key": key, "text": f"text {key}", "metadata": {"patient": number % 4}} for number, key in enumerate(keys)]
    boss.push(found, rows)
    label(boss, found, a="cat", b="dog")
    return found


def label(boss: Speaker, project: int, annotator: str = "paper", **labels: str) -> None:
    rows = [{"key": key, "label": name, "origin": "import", "annotator": annotator} for key, name in labels.items()]
    assert push(boss, project, rows).json()["rejected"] == []


def make(api: Api, boss: Speaker, project: int, name: str, **given: Any) -> dict[str, Any]:
    """Ask for a snapshot, let the worker make it; the snapshot."""
    asked = boss.post(f"/projects/{project}/snapshots", json={"name": name, **given})
    assert asked.status_code == 202, asked.text
    api.run_jobs()
    found: dict[str, Any] = boss.get(f"/projects/{project}/snapshots/{name}").json()
    assert found["job"] == asked.json()["job"]["id"]
    return found


def exported(boss: Speaker, project: int, name: str, **query: Any) -> bytes:
    reply = boss.get(f"/projects/{project}/snapshots/{name}/export", params=query)
    assert reply.status_code == 200, reply.text
    content: bytes = reply.content
    return content


def rows(boss: Speaker, project: int, name: str, **query: Any) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in exported(boss, project, name, **query).splitlines()]
    return {row["key"]: row for row in found}


def splits(boss: Speaker, project: int, name: str) -> dict[str, str]:
    return {key: row["split"] for key, row in rows(boss, project, name).items()}


def differences(boss: Speaker, project: int, name: str, other: str) -> dict[str, Any]:
    reply = boss.get(f"/projects/{project}/snapshots/{name}/diff", params={"with": other})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_a_snapshot_stays_as_it_was(api: Api, boss: Speaker, project: int) -> None:
    made = make(api, boss, project, "v1")
    before = exported(boss, project, "v1")

    label(boss, project, a="dog", c="cat")
    boss.push(project, [{"key": "new", "text": "one more"}, {"key": "d", "text": "changed"}])

    assert exported(boss, project, "v1") == before
    assert hashlib.sha256(before).hexdigest() == made["sha256"]
    assert (made["state"], made["items"], made["report"]["labelled"]) == ("ready", 12, 2)
    assert json.loads(before.splitlines()[0]) == {
        "key": "a",
        "text": "text a",
        "label": {"class": "cat"},
        "votes": 1,
        "agreement": None,
        "disputed": False,
        "split": "train",
        "metadata": {"patient": 0},
    }


def test_equal_data_have_equal_hashes_and_a_changed_answer_has_another(api: Api, boss: Speaker, project: int) -> None:
    one, again = make(api, boss, project, "v1"), make(api, boss, project, "v2")
    twin = boss.project(name="Twin", audit_share=0)["id"]
    boss.push(twin, [{"key": "nobody", "text": "so that the ids differ"}])
    keys = "abcdefghijkE"
    boss.push(
        twin,
        [{"key": key, "text": f"text {key}", "metadata": {"patient": n % 4}} for n, key in enumerate(keys)],
    )
    label(boss, twin, a="cat", b="dog")
    elsewhere = make(api, boss, twin, "v1", filter="&".join(f"key={key}" for key in keys))
    label(boss, project, b="cat")
    after = make(api, boss, project, "v3")

    assert one["sha256"] == again["sha256"] == elsewhere["sha256"]
    assert after["sha256"] != one["sha256"]


def test_a_filter_chooses_the_items(api: Api, boss: Speaker, project: int) -> None:
    item = boss.get(f"/projects/{project}/items", params={"key": "c"}).json()["items"][0]
    etag = boss.get(f"/items/{item['id']}").headers["ETag"]
    boss.patch(f"/items/{item['id']}", json={"state": "excluded"}, headers={"If-Match": etag})
    for name, filter_ in (("all", ""), ("answered", "status=answered"), ("out", "state=excluded")):
        make(api, boss, project, name, filter=filter_)

    assert sorted(rows(boss, project, "all")) == sorted("abdefghijkE")  # what was left out is left out
    assert sorted(rows(boss, project, "answered")) == ["a", "b"]
    assert sorted(rows(boss, project, "out")) == ["c"]


def test_no_group_stands_in_two_splits(api: Api, boss: Speaker, project: int) -> None:
    made = make(api, boss, project, "v1", splits={"train": 0.5, "test": 0.5}, group_by="patient")

    found = rows(boss, project, "v1")

    by_group = {(row["metadata"]["patient"], row["split"]) for row in found.values()}
    assert len(by_group) == 4
    assert {split for _, split in by_group} == {"train", "test"}
    assert made["report"]["grouped"] == 12
    counts = Counter(row["split"] for row in found.values())
    assert {name: part["items"] for name, part in made["report"]["splits"].items()} == counts


def test_near_identical_items_stay_together_without_groups_and_are_named_where_groups_part_them(
    api: Api, boss: Speaker, project: int
) -> None:
    boss.push(project, [{"key": f"copy {n}", "text": "TEXT A!", "metadata": {"patient": n}} for n in range(30)])

    together = make(api, boss, project, "together", splits=SHARES)
    parted = make(api, boss, project, "parted", splits=SHARES, group_by="patient")

    found = splits(boss, project, "together")
    assert len({found[key] for key in found if key.startswith("copy")} | {found["a"]}) == 1
    assert found["e"] == found["E"]
    assert len(set(found.values())) > 1
    assert together["report"]["leaks"] == {"groups": 0, "items": 0, "named": []}
    leaks = parted["report"]["leaks"]
    assert (leaks["groups"] >= 1, leaks["items"] >= 31) == (True, True)
    assert all(len({each["split"] for each in group}) > 1 for group in leaks["named"])


def test_the_audit_share_is_the_test_split_where_there_is_one(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0.3)["id"]
    boss.push(project, [{"key": f"k{n}", "text": f"text {n}"} for n in range(60)])
    boss.push(project, [{"key": "mine", "text": "of my own test set", "label": "cat", "split": "audit"}])
    audit = {
        json.loads(line)["key"]
        for line in boss.get(f"/projects/{project}/export", params={"view": "items"}).text.splitlines()
        if json.loads(line)["split"] == "audit"
    }

    plain = make(api, boss, project, "plain")
    make(api, boss, project, "shares", splits=SHARES)

    assert plain["report"]["audit"] == len(audit)
    assert {key for key, split in splits(boss, project, "plain").items() if split == "test"} == audit
    found = splits(boss, project, "shares")
    assert {key for key, split in found.items() if split == "test"} == audit
    assert {split for key, split in found.items() if key not in audit} == {"train", "validation"}
    assert len(rows(boss, project, "shares", split="test")) == len(audit)


def test_two_snapshots_are_compared_item_by_item(api: Api, boss: Speaker, project: int) -> None:
    make(api, boss, project, "v1")
    label(boss, project, a="dog", c="cat")
    boss.push(project, [{"key": "new", "text": "one more"}])
    gone = boss.get(f"/projects/{project}/items", params={"key": "k"}).json()["items"][0]["id"]
    assert boss.delete(f"/items/{gone}").status_code == 204
    make(api, boss, project, "v2", splits={"train": 0.5, "rest": 0.5})

    found = differences(boss, project, "v2", "v1")

    assert (found["added"], found["removed"]) == (["new"], ["k"])
    assert found["changed"] == [
        {"key": "a", "before": {"class": "cat"}, "after": {"class": "dog"}},
        {"key": "c", "before": None, "after": {"class": "cat"}},
    ]
    assert (found["added_count"], found["removed_count"], found["changed_count"], found["same"]) == (1, 1, 2, 9)
    assert 0 < found["moved"] < 11
    back = differences(boss, project, "v1", "v2")
    assert (back["added"], back["removed"]) == (["k"], ["new"])
    assert differences(boss, project, "v1", "v1")["same"] == 12


def test_every_format_has_every_row(api: Api, boss: Speaker, project: int) -> None:
    make(api, boss, project, "v1")

    csv = exported(boss, project, "v1", format="csv").decode().splitlines()
    reply = boss.get(f"/projects/{project}/snapshots/v1/export", params={"format": "csv"})

    assert csv[0] == "key,text,label,votes,agreement,disputed,split,metadata"
    assert len(csv) == 13
    assert 'filename="pets-v1.csv"' in reply.headers["Content-Disposition"]
    assert len(json.loads(exported(boss, project, "v1", format="json"))) == 12
    assert exported(boss, project, "v1", format="parquet")[:4] == b"PAR1"


def test_what_will_not_do_is_refused_by_name(api: Api, boss: Speaker, project: int) -> None:
    make(api, boss, project, "v1")
    path = f"/projects/{project}/snapshots"

    def refused(**body: Any) -> tuple[int, list[str]]:
        reply = boss.post(path, json={"name": "v2", **body})
        return reply.status_code, list(reply.json()["fields"])

    assert refused(name="v1") == (409, ["name"])
    assert refused(name="../v1") == (422, ["name"])
    assert refused(name="") == (422, ["name"])
    assert refused(filter="sauce=web") == (422, ["sauce"])
    assert refused(filter="class=bird") == (422, ["class"])
    assert refused(splits={"train": 0.5}) == (422, ["splits"])
    assert refused(group_by="patient") == (422, ["splits"])
    assert refused(splits=SHARES, group_by="") == (422, ["group_by"])
    assert boss.get(f"{path}/v1/export", params={"format": "xml"}).status_code == 422
    assert boss.get(f"{path}/v1/export", params={"split": "none"}).json()["fields"] == {"split": "unknown"}
    assert boss.get(f"{path}/v1/diff").status_code == 422
    assert boss.get(f"{path}/v1/diff", params={"with": "v9"}).status_code == 404
    assert boss.get(f"{path}/v9").status_code == 404
    assert boss.delete(f"{path}/v9").status_code == 404


def test_a_request_that_is_repeated_with_its_key_makes_one(api: Api, boss: Speaker, project: int) -> None:
    key = {"Idempotency-Key": "0b0b0b0b-0000-4000-8000-000000000001"}
    path = f"/projects/{project}/snapshots"

    first, again = (boss.post(path, json={"name": "v1"}, headers=key) for _ in range(2))

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()


def test_one_that_failed_says_why_and_makes_room(api: Api, boss: Speaker, project: int) -> None:
    failed = make(api, boss, project, "v1", splits=SHARES, group_by="pateint")
    path = f"/projects/{project}/snapshots"

    assert failed["state"] == "failed"
    assert "pateint" in failed["reason"]
    assert "pateint" in boss.get(f"{path}/v1/export").json()["detail"]
    assert boss.get(f"{path}/v1/export").status_code == 409
    assert make(api, boss, project, "v1", splits=SHARES, group_by="patient")["state"] == "ready"
    assert list((api.settings.data / "tmp").glob("*.snapshot")) == []


def test_snapshots_are_listed_newest_first_page_by_page(api: Api, boss: Speaker, project: int) -> None:
    for name in ("v1", "v2", "v3"):
        make(api, boss, project, name)
    path = f"/projects/{project}/snapshots"

    first = boss.get(path, params={"limit": 2}).json()
    second = boss.get(path, params={"limit": 2, "cursor": first["next"]}).json()

    assert [each["name"] for each in first["items"]] == ["v3", "v2"]
    assert [each["name"] for each in second["items"]] == ["v1"]
    assert second["next"] is None


def test_only_managers_have_them(api: Api, boss: Speaker, project: int) -> None:
    make(api, boss, project, "v1")
    rita = member(api, boss, project, "Rita", "reviewer")
    reader, stranger = api.as_("boss", scopes=("read", "label")), api.as_("stranger")
    path = f"/projects/{project}/snapshots"

    for each in ("", "/v1", "/v1/export", "/v1/diff?with=v1"):
        assert rita.get(path + each).status_code == 403
        assert stranger.get(path + each).status_code == 404
        assert reader.get(path + each).status_code == 200
    assert rita.post(path, json={"name": "v2"}).status_code == 403
    assert reader.post(path, json={"name": "v2"}).status_code == 403
    assert reader.delete(f"{path}/v1").status_code == 403


def test_a_deleted_snapshot_takes_its_file_along(api: Api, boss: Speaker, project: int) -> None:
    make(api, boss, project, "v1")
    folder = snapshot_files.folder(api.settings, project)
    assert len(list(folder.iterdir())) == 1

    assert boss.delete(f"/projects/{project}/snapshots/v1").status_code == 204

    assert list(folder.iterdir()) == []
    asked = boss.post(f"/projects/{project}/snapshots", json={"name": "v1"})
    assert boss.delete(f"/projects/{project}/snapshots/v1").status_code == 204
    assert boss.get(f"/jobs/{asked.json()['job']['id']}").json()["state"] == "cancelled"
    api.run_jobs()
    assert list(folder.iterdir()) == []


def test_an_erased_item_leaves_every_snapshot(api: Api, boss: Speaker, project: int) -> None:
    made = make(api, boss, project, "v1")
    make(api, boss, project, "without", filter="key=b")
    item = boss.get(f"/projects/{project}/items", params={"key": "a"}).json()["items"][0]["id"]

    boss.delete(f"/items/{item}", params={"erase": True})
    api.run_jobs()

    assert "a" not in rows(boss, project, "v1")
    assert len(rows(boss, project, "v1")) == 11
    after = boss.get(f"/projects/{project}/snapshots/v1").json()
    assert (after["erased"], after["items"], after["sha256"]) == (1, 12, made["sha256"])
    assert boss.get(f"/projects/{project}/snapshots/without").json()["erased"] == 0
    assert len(list(snapshot_files.folder(api.settings, project).iterdir())) == 2


def test_a_lost_file_is_said_and_a_forgotten_one_is_swept(api: Api, boss: Speaker, project: int) -> None:
    make(api, boss, project, "v1")
    make(api, boss, project, "v2")
    folder = snapshot_files.folder(api.settings, project)
    with api.db.write() as session:
        file = session.execute(select(Snapshot.file).where(Snapshot.name == "v1")).scalar_one()
        session.execute(update(Snapshot).where(Snapshot.name == "v1").values(file="gone.jsonl.gz"))
    for each in folder.iterdir():
        os.utime(each, (time.time() - 10**6,) * 2)

    lost = boss.get(f"/projects/{project}/snapshots/v1/export")
    gone = sweeping.sweep(api.db, api.settings)

    assert (lost.status_code, lost.json()["error"]) == (503, "Unavailable")
    assert gone == 1
    assert not (folder / file).exists()
    assert len(rows(boss, project, "v2")) == 12


def test_a_worker_that_died_while_it_wrote_is_followed_by_one_that_writes_it_anew(
    api: Api, boss: Speaker, project: int
) -> None:
    job = boss.post(f"/projects/{project}/snapshots", json={"name": "v1"}).json()["job"]["id"]
    with api.db.write() as session:  # claimed, and its lease ended
        session.execute(update(Job).where(Job.id == job).values(state="running", lease_until=Job.created_at, attempt=1))

    api.worker().run_waiting()

    assert boss.get(f"/projects/{project}/snapshots/v1").json()["state"] == "ready"
