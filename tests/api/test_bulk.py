"""Answers given elsewhere: stored by key and source, once, in the slots that are free, and never as audit."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.api.test_labelling import answer, member, take
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def project(boss: Speaker) -> int:
    found: int = boss.project(audit_share=0)["id"]
    boss.push(found, [{"key": key, "text": f"text {key}"} for key in "abc"])
    return found


def push(speaker: Speaker, project: int, rows: list[dict[str, Any]], key: str | None = None) -> Any:
    headers = {"Content-Type": "application/x-ndjson"} | ({"Idempotency-Key": key} if key else {})
    body = "\n".join(json.dumps(row) for row in rows)
    return speaker.post(f"/projects/{project}/annotations", content=body, headers=headers)


def counts(answer: Any) -> tuple[int, int, int, int]:
    assert answer.status_code == 200, answer.text
    names = ("created", "updated", "unchanged", "rejected_count")
    return tuple(answer.json()[name] for name in names)


def exported(boss: Speaker, project: int, **query: Any) -> list[dict[str, Any]]:
    text = boss.get(f"/projects/{project}/export", params=query).text
    return [json.loads(line) for line in text.splitlines()]


def test_answers_of_people_files_and_programs_are_stored_with_their_source(
    api: Api, boss: Speaker, project: int
) -> None:
    member(api, boss, project, "Ann")
    rows = [
        {"key": "a", "label": {"class": "cat"}, "origin": "human", "annotator": "ann", "seconds_spent": 3.5},
        {"key": "b", "label": "dog", "origin": "import", "annotator": "paper", "created_at": "2026-01-02T03:04:05Z"},
        {"key": "c", "label": {"class": "dog"}, "origin": "program", "annotator": "rules v2"},
    ]

    first, again = push(boss, project, rows), push(boss, project, rows)

    assert counts(first) == (3, 0, 0, 0)
    assert counts(again) == (0, 0, 3, 0)
    stored = exported(boss, project)
    assert [(row["key"], row["origin"], row["annotator"], row["label"]["class"]) for row in stored] == [
        ("a", "human", "Ann", "cat"),
        ("b", "import", "paper", "dog"),
        ("c", "program", "rules v2", "dog"),
    ]
    assert stored[0]["seconds_spent"] == 3.5
    assert stored[1]["created_at"].startswith("2026-01-02T03:04:05")
    assert boss.get(f"/projects/{project}/status").json()["items"]["answered"] == 3


def test_another_label_of_the_same_source_is_the_next_version(boss: Speaker, project: int) -> None:
    row = {"key": "a", "label": "cat", "origin": "program", "annotator": "rules"}
    push(boss, project, [row])

    changed = push(boss, project, [row | {"label": "dog"}, row | {"label": "dog"}, row | {"label": "cat"}])

    assert counts(changed) == (0, 2, 1, 0)
    stored = exported(boss, project)
    assert [(row["version"], row["label"]["class"]) for row in stored] == [(3, "cat")]


def test_bad_rows_are_named_and_the_others_stored(boss: Speaker, project: int) -> None:
    good = {"key": "a", "label": "cat", "origin": "import"}
    bad = [
        {"label": "cat", "origin": "import"},
        {"key": "nobody", "label": "cat", "origin": "import"},
        {"key": "b", "label": "fish", "origin": "import"},
        {"key": "b", "origin": "import"},
        {"key": "b", "label": "cat"},
        {"key": "b", "label": "cat", "origin": "synthetic"},
        {"key": "b", "label": "cat", "origin": "human", "annotator": "a stranger"},
        {"key": "b", "label": "cat", "origin": "import", "annotator": 7},
        {"key": "b", "label": "cat", "origin": "import", "created_at": "2026-01-02T03:04"},
        {"key": "b", "label": "cat", "origin": "import", "seconds_spent": -1},
        {"key": "b", "label": "cat", "origin": "import", "colour": "red"},
        {"key": "b" * 600, "label": "cat", "origin": "import"},
    ]

    answer = push(boss, project, [*bad, good])

    assert counts(answer) == (1, 0, 0, len(bad))
    rejected = answer.json()["rejected"]
    assert [row["line"] for row in rejected] == list(range(1, len(bad) + 1))
    assert all(row["error"] for row in rejected)
    assert len(exported(boss, project)) == 1


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b'[{"key": "a", "label": "cat", "origin": "import"}]', 200),
        ("text/csv", b"key,label,origin\na,cat,import\n", 200),
        ("application/json", b'[{"key": "a", "label": "cat", "origin": "import"}, {"key"', 422),
        ("application/x-ndjson", b"", 400),
        ("text/plain", b"a", 415),
    ],
)
def test_formats_and_files_that_are_none(boss: Speaker, project: int, kind: str, body: bytes, status: int) -> None:
    answer = boss.post(f"/projects/{project}/annotations", content=body, headers={"Content-Type": kind})

    assert answer.status_code == status, answer.text
    assert len(exported(boss, project)) == (1 if status == 200 else 0)


def test_seconds_in_a_sheet_are_numbers(boss: Speaker, project: int) -> None:
    """Cells of a sheet are text: every row with its seconds was refused, and nothing of the file stored."""
    sheet = "key,label,origin,seconds_spent\na,cat,import,2.5\nb,cat,import,\nc,dog,import,soon\na,dog,import,nan\n"

    answered = boss.post(f"/projects/{project}/annotations", content=sheet, headers={"Content-Type": "text/csv"})

    assert counts(answered) == (2, 0, 0, 2)
    assert [each["line"] for each in answered.json()["rejected"]] == [4, 5]


def test_a_round_that_is_asked_for_twice_with_one_key_is_one(api: Api, boss: Speaker, project: int) -> None:
    """A POST without a body took no key: sent again after its round had begun, it asked for another one."""
    push(boss, project, [{"key": key, "label": "cat" if key == "a" else "dog", "origin": "import"} for key in "abc"])
    api.run_jobs()
    headers = {"Idempotency-Key": str(uuid4())}

    first = boss.post(f"/projects/{project}/rounds", headers=headers)
    api.run_jobs()
    again = boss.post(f"/projects/{project}/rounds", headers=headers)

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()


def test_a_keyed_request_is_answered_once(boss: Speaker, project: int) -> None:
    key, rows = str(uuid4()), [{"key": "a", "label": "cat", "origin": "import"}]

    first, again = push(boss, project, rows, key), push(boss, project, rows, key)
    other = push(boss, project, [{"key": "b", "label": "cat", "origin": "import"}], key)

    assert first.json() == again.json()
    assert counts(again) == (1, 0, 0, 0)
    assert other.status_code == 422
    assert push(boss, project, rows, "no uuid").status_code == 422
    assert counts(push(boss, project, rows, str(uuid4()))) == (0, 0, 1, 0)


def test_only_managers_with_the_scope_send_answers_of_others(api: Api, boss: Speaker, project: int) -> None:
    rows = [{"key": "a", "label": "cat", "origin": "human"}]

    assert push(member(api, boss, project, "ann"), project, rows).status_code == 403
    assert push(member(api, boss, project, "rita", "reviewer"), project, rows).status_code == 403
    assert push(api.as_("stranger"), project, rows).status_code == 404
    assert push(api.as_("boss", scopes=("label", "read")), project, rows).status_code == 403
    assert exported(boss, project) == []


def test_a_persons_answer_takes_the_lease_or_a_free_slot_and_else_does_not_count(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0)["id"]
    boss.push(project, [{"key": key, "text": f"text {key}"} for key in "ab"])
    ann, bea = member(api, boss, project, "ann"), member(api, boss, project, "bea")
    held = {lease["item"]["key"]: lease["id"] for lease in take(ann, project, 2)}
    row = {"label": "cat", "origin": "human"}

    own = push(boss, project, [{"key": "a", "annotator": "ann", **row}])
    taken = push(boss, project, [{"key": "b", "annotator": "bea", **row}])
    late = answer(ann, held["b"], "dog")

    assert counts(own) == counts(taken) == (1, 0, 0, 0)
    assert answer(ann, held["a"], "cat").status_code == 201
    assert late.status_code == 201
    stored = {(row["key"], row["annotator"]): row["counted"] for row in exported(boss, project, extra=True)}
    assert stored == {("a", "ann"): True, ("b", "bea"): False, ("b", "ann"): True}
    assert take(bea, project) == []


def test_a_person_who_answered_in_bulk_is_not_asked_again(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0, overlap=2)["id"]
    boss.push(project, [{"key": "a", "text": "text"}])
    ann, bea = member(api, boss, project, "ann"), member(api, boss, project, "bea")

    push(boss, project, [{"key": "a", "label": "cat", "origin": "human", "annotator": "ann"}])

    assert take(ann, project) == []
    assert len(take(bea, project)) == 1


def test_a_program_never_answers_for_the_audit_share_or_the_test_set(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0.4)["id"]
    rows = [row | ({"split": "audit"} if n < 5 else {}) for n, row in enumerate(pets(60))]
    boss.push(project, rows)
    program = [{"key": row["key"], "label": row["key"][:3], "origin": "program"} for row in rows]

    assert counts(push(boss, project, program)) == (60, 0, 0, 0)

    items = {row["key"]: row for row in exported(boss, project, view="items")}
    judged = {key for key, row in items.items() if row["split"] == "audit"}
    counted = {row["key"]: row["counted"] for row in exported(boss, project, extra=True)}
    assert len(judged) > 15
    assert {key for key, counts_ in counted.items() if not counts_} == judged
    assert all(items[key]["label"] is None for key in judged)
    api.worker().run_waiting()
    status = boss.get(f"/projects/{project}/status").json()
    assert status["audit"] == {"answers": 0, "accuracy": None}
    kinds = {lease["reason"]["kind"] for lease in take(boss, project, 20)}
    assert kinds == {"audit"}


def test_a_program_fills_a_free_slot_and_gives_way_to_answers_that_stand(boss: Speaker, project: int) -> None:
    lease = take(boss, project)[0]
    answer(boss, lease["id"], "cat")
    key = lease["item"]["key"]

    push(boss, project, [{"key": each, "label": "dog", "origin": "program"} for each in "abc"])

    stored = {row["key"]: (row["origin"], row["counted"]) for row in exported(boss, project)}
    assert stored[key] == ("human", True)
    assert [stored[each] for each in "abc" if each != key] == [("program", True)] * 2


def test_an_item_whose_answer_was_taken_back_stays_open_until_it_has_one(boss: Speaker) -> None:
    project = boss.project(audit_share=0, overlap=2)["id"]
    boss.push(project, [{"key": "a", "text": "text"}])
    lease = take(boss, project)[0]["id"]
    answer(boss, lease, "cat")
    boss.delete(f"/leases/{lease}/annotation")

    push(boss, project, [{"key": "a", "label": "cat", "origin": "import", "annotator": "one"}])
    one = boss.get(f"/projects/{project}/status").json()["items"]["answered"]
    push(boss, project, [{"key": "a", "label": "cat", "origin": "import", "annotator": "two"}])

    assert one == 0
    assert boss.get(f"/projects/{project}/status").json()["items"]["answered"] == 1
