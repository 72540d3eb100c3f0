"""Guidelines version by version, and answers that name theirs."""

import json

from tests.api.test_labelling import answer, member, ready, take
from tests.conftest import Api, Speaker


def rewrite(speaker: Speaker, project: int, text: str) -> None:
    etag = speaker.get(f"/projects/{project}").headers["etag"]
    body = {"guidelines": text}
    assert speaker.patch(f"/projects/{project}", json=body, headers={"If-Match": etag}).status_code == 200


def test_every_change_is_a_version_with_its_author(api: Api) -> None:
    boss, project = ready(api, guidelines="one\ntwo")
    mia = member(api, boss, project, "mia", "manager")
    rewrite(mia, project, "one\n2\nthree")
    rewrite(boss, project, "one\n2\nthree")  # the same words are no version
    etag = boss.get(f"/projects/{project}").headers["etag"]
    boss.patch(f"/projects/{project}", json={"name": "Other"}, headers={"If-Match": etag})

    versions = boss.get(f"/projects/{project}/guidelines").json()["items"]
    changes = boss.get(f"/projects/{project}/guidelines/2/changes").json()["lines"]

    assert [(each["version"], each["author"], each["text"]) for each in versions] == [
        (2, "mia", "one\n2\nthree"), (1, "boss", "one\ntwo"),
    ]  # fmt: skip
    assert [(each["kind"], each["text"]) for each in changes] == [
        ("gap", ""), ("same", "one"), ("removed", "two"), ("added", "2"), ("added", "three"),
    ]  # fmt: skip


def test_lines_that_look_like_the_head_of_a_comparison_are_kept(api: Api) -> None:
    boss, project = ready(api, guidelines="-- a\nb")
    rewrite(boss, project, "++ c\nb")

    lines = boss.get(f"/projects/{project}/guidelines/2/changes").json()["lines"]

    assert [(each["kind"], each["text"]) for each in lines[1:3]] == [("removed", "-- a"), ("added", "++ c")]


def test_a_version_that_was_never_written_is_not_there(api: Api) -> None:
    boss, project = ready(api)
    where = f"/projects/{project}/guidelines"

    assert boss.get(f"{where}/2/changes").status_code == 404
    assert boss.get(f"{where}/1/changes", params={"against": 7}).status_code == 404
    assert boss.get(f"{where}/1/changes").json() == {"version": 1, "against": 0, "lines": []}
    assert member(api, boss, project, "ann").get(where).status_code == 403


def test_an_answer_names_the_version_that_its_annotator_had(api: Api) -> None:
    boss, project = ready(api, guidelines="old", audit_share=0)
    first, second = take(boss, project, 2)
    rewrite(boss, project, "new")
    third = next(each for each in take(boss, project, 3) if each["id"] not in (first["id"], second["id"]))

    answered = [answer(boss, each["id"]).json()["guidelines_version"] for each in (first, third)]

    text = boss.get(f"/projects/{project}/export", params={"format": "jsonl"}).text
    assert answered == [1, 2]
    assert [json.loads(line)["guidelines_version"] for line in text.splitlines()] == [1, 2]
