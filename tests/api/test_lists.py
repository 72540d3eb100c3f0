"""Lists: filtered by one grammar, sorted, and walked page by page without a gap or a double."""

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event

from tests.api.test_loop import pets
from tests.conftest import Api, Speaker


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def project(boss: Speaker) -> int:
    """Five items: two answered, one of them by two files, one excluded, one of the client's own test set."""
    found: int = boss.project()["id"]
    rows: list[dict[str, Any]] = [
        {"key": "e", "text": "Purring Loudly", "label": "cat", "metadata": {"source": "web", "year": 1999}},
        {"key": "d", "text": "100 % barking", "label": "dog", "metadata": {"source": "web", "year": 2004.5}},
        {"key": "c", "text": "neither_nor", "metadata": {"source": "mail", "checked": True, "year": "2001"}},
        {
            "key": "b",
            "text": "left out",
            "state": "excluded",
            "metadata": {'a "b".c': "x", "nested": {"source": "web"}},
        },
        {"key": "a", "text": "of the test set", "label": "dog", "split": "audit"},
    ]
    report = boss.push(found, rows)
    assert (report["created"], report["rejected"]) == (5, [])
    return found


def keys(speaker: Speaker, project: int, filter_: str = "", **query: Any) -> list[str]:
    answer = speaker.get(f"/projects/{project}/items?{filter_}", params=query or None)
    assert answer.status_code == 200, answer.text
    return [row["key"] for row in answer.json()["items"]]


FILTERS = [
    ("", "edcba"),
    ("status=open", "c"),
    ("status=answered", "ed"),
    ("status=test", "a"),
    ("status=excluded&status=open", "cb"),
    ("status=skipped", ""),
    ("state=excluded", "b"),
    ("split=audit", "a"),
    ("class=dog", "da"),
    ("class=DOG&status=answered", "d"),
    ("class=cat&class=dog", "eda"),
    ("metadata.source=web", "ed"),
    ("metadata.source=web&metadata.source=mail", "edc"),
    ("metadata.year=1999", "e"),
    ("metadata.year=1.999e3", "e"),
    ("metadata.year=2001", "c"),
    ("metadata.year:>1999", "d"),
    ("metadata.year:>=1999&metadata.year:<2004.5", "e"),
    ("metadata.checked=true", "c"),
    ("metadata.a+%22b%22.c=x", "b"),
    ("metadata.source.web=1", ""),
    ("q=purring", "e"),
    ("q=100+%25", "d"),
    ("q=_", "c"),
    ("q=bark+100", "d"),
    ("q=bark&q=purr", ""),
    ("q=\\", ""),
    ("key=a&key=e&key=nobody", "ea"),
    ("predicted.probability:<0.9", ""),
    ("predicted.class=cat", ""),
]


def test_each_field_of_a_filter(boss: Speaker, project: int) -> None:
    for filter_, wanted in FILTERS:
        assert keys(boss, project, filter_) == list(wanted), filter_


NO_FILTERS = [
    "colour=red",
    "class=fish",
    "predicted.class=fish",
    "status=asleep",
    "predicted.probability:<x",
    "metadata.=1",
    "annotator.password_hash=a",
    "items.id=1",
    "sort=password",
    "sort=--key",
    "limit=0",
    "limit=201",
    "limit",
    "q=%00",
]


def test_what_is_no_filter_is_refused_with_the_name_of_the_field(boss: Speaker, project: int) -> None:
    for asked in NO_FILTERS:
        refused = boss.get(f"/projects/{project}/items?{asked}")

        assert refused.status_code == 422, (asked, refused.text)
        assert refused.json()["detail"]


def walk(speaker: Speaker, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    for _ in range(100):
        page = speaker.get(path, params=query | ({"cursor": cursor} if cursor else {})).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found
    raise AssertionError("the list has no end")


def test_every_order_gives_each_item_once_and_its_reverse_the_same_ones(boss: Speaker, project: int) -> None:
    path = f"/projects/{project}/items"

    for sort in ("key", "created", "updated", "score", "probability"):
        there = [row["key"] for row in walk(boss, path, sort=sort, limit=2)]
        back = [row["key"] for row in walk(boss, path, sort=f"-{sort}", limit=2)]

        assert there == back[::-1], sort
        assert there == (list("abcde") if sort == "key" else list("edcba")), sort


def test_the_models_opinion_is_shown_filtered_and_sorted(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0)["id"]
    rows = pets(300)
    for number, row in enumerate(rows):
        row |= {"label": row["key"][:3]} if number < 20 else {}
        row["text"] += " barks and purrs alike" if number % 7 == 0 else ""
    boss.push(project, rows)
    api.worker().run_waiting()
    path = f"/projects/{project}/items"

    sure = walk(boss, path, sort="-probability", limit=50)
    known = [row["predicted"]["probability"] for row in sure if row["predicted"]]
    middle = (known[0] + known[-1]) / 2
    doubted = walk(boss, path, limit=50, **{f"predicted.probability:<{middle}": ""})
    cats = walk(boss, path, **{"predicted.class": "cat"})
    ranked = walk(boss, path, sort="-score", limit=70)

    assert len(sure) == len({row["id"] for row in sure}) == 300
    assert len(known) > 200
    assert known == sorted(known, reverse=True)
    assert [bool(row["predicted"]) for row in sure] == sorted((bool(row["predicted"]) for row in sure), reverse=True)
    assert 0 < len(doubted) < len(known)
    assert {row["id"] for row in doubted} == {
        row["id"] for row in sure if row["predicted"] and row["predicted"]["probability"] < middle
    }
    assert {row["id"] for row in cats} == {
        row["id"] for row in sure if row["predicted"] and row["predicted"]["label"] == {"class": "cat"}
    }
    assert cats
    scores = [row["predicted"]["score"] for row in ranked if row["predicted"] and row["predicted"]["score"] is not None]
    assert scores == sorted(scores, reverse=True)
    assert len(ranked) == 300
    assert boss.get(f"/items/{sure[0]['id']}").json()["predicted"] == sure[0]["predicted"]


EXPORTED = [
    ("class=dog", "da"),
    ("status=answered", "ed"),
    ("metadata.year:>2000", "d"),
    ("status=skipped", ""),
    ("predicted.class=cat", ""),
    ("q=purring", "e"),
]


def test_an_export_takes_the_same_filter(boss: Speaker, project: int) -> None:
    for filter_, wanted in EXPORTED:
        for view in ("items", "annotations"):
            text = boss.get(f"/projects/{project}/export?view={view}&format=jsonl&{filter_}").text
            assert [json.loads(line)["key"] for line in text.splitlines()] == list(wanted), (view, filter_)
    assert boss.get(f"/projects/{project}/export?view=items&colour=red").status_code == 422
    assert boss.get(f"/projects/{project}/export?class=fish").status_code == 422


def test_a_cursor_is_good_for_its_own_list_and_person_only(api: Api, boss: Speaker, project: int) -> None:
    path = f"/projects/{project}/items"
    cursor = boss.get(path, params={"limit": 2, "status": "answered", "sort": "key"}).json()["next"]
    assert cursor is None
    cursor = boss.get(path, params={"limit": 1, "status": "answered", "sort": "key"}).json()["next"]
    mine = {"limit": 1, "status": "answered", "sort": "key", "cursor": cursor}
    reviewer = api.as_("rita")
    boss.post(f"/projects/{project}/members", json={"user": "rita", "role": "reviewer"})
    other = boss.project(slug="other")["id"]

    assert [row["key"] for row in boss.get(path, params=mine).json()["items"]] == ["e"]
    assert reviewer.get(path, params=mine).status_code == 422
    assert boss.get(path, params=mine | {"status": "open"}).status_code == 422
    assert boss.get(path, params=mine | {"sort": "-key"}).status_code == 422
    assert boss.get(path, params=mine | {"q": "x"}).status_code == 422
    assert boss.get(f"/projects/{other}/items", params=mine).status_code == 422
    for place in range(len(cursor)):
        forged = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        if place < len(cursor) - 1:  # the last character has bits that say nothing
            assert boss.get(path, params=mine | {"cursor": forged}).status_code == 422, place
    assert boss.get(path, params=mine | {"cursor": "7"}).status_code == 422


def test_a_page_is_not_disturbed_by_items_that_come_and_go(boss: Speaker, project: int) -> None:
    path = f"/projects/{project}/items"
    first = boss.get(path, params={"limit": 2, "sort": "key"}).json()
    boss.push(project, [{"key": "0", "text": "new before"}, {"key": "bb", "text": "new behind"}])
    gone = boss.get(path, params={"key": "b"}).json()["items"][0]["id"]
    boss.delete(f"/items/{gone}")

    rest = boss.get(path, params={"limit": 200, "sort": "key", "cursor": first["next"]}).json()

    assert [row["key"] for row in first["items"]] == ["a", "b"]
    assert [row["key"] for row in rest["items"]] == ["bb", "c", "d", "e"]


def test_a_filter_reads_rows_and_names_of_files_too(boss: Speaker) -> None:
    table = boss.project(modality="table", slug="t")["id"]
    boss.push(table, [{"key": "1", "row": {"colour": "Red 50%", "size": 3}}, {"key": "2", "row": {"colour": "blue"}}])

    assert keys(boss, table, "q=red") == ["1"]
    assert keys(boss, table, "q=50%25") == ["1"]
    assert keys(boss, table, "q=colour") == []


def test_classes_of_items_with_several(boss: Speaker) -> None:
    project = boss.project(task={"multiple": True}, slug="m")["id"]
    boss.push(
        project, [{"key": "1", "text": "x", "label": ["cat", "dog"]}, {"key": "2", "text": "y", "label": ["dog"]}]
    )

    assert keys(boss, project, "class=cat") == ["1"]
    assert keys(boss, project, "class=dog") == ["1", "2"]


def test_an_answer_that_was_corrected_or_taken_back_is_found_by_what_stands(boss: Speaker) -> None:
    project = boss.project(audit_share=0)["id"]
    boss.push(project, [{"key": "1", "text": "x"}])
    lease = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]["id"]
    headers = {"Idempotency-Key": str(uuid4())}
    stored = boss.post("/annotations", json={"lease": lease, "label": {"class": "cat"}}, headers=headers).json()

    boss.put(f"/annotations/{stored['id']}", json={"label": {"class": "dog"}}, headers={"If-Match": '"1"'})
    corrected = keys(boss, project, "class=dog"), keys(boss, project, "class=cat")
    boss.delete(f"/leases/{lease}/annotation")

    assert corrected == (["1"], [])
    assert keys(boss, project, "class=dog") == []


def test_rounds_are_walked_with_a_signed_cursor(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0)["id"]
    boss.push(project, [row | {"label": row["key"][:3]} for row in pets(40)] + pets(80)[40:])
    for _ in range(3):
        api.worker().run_waiting()
        boss.post(f"/projects/{project}/rounds")
    api.worker().run_waiting()
    path = f"/projects/{project}/rounds"

    numbers = [row["number"] for row in walk(boss, path, limit=2)]

    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) >= 3
    assert boss.get(path, params={"cursor": "2"}).status_code == 422


def test_items_have_the_label_votes_and_agreement_of_their_export(api: Api, boss: Speaker) -> None:
    project = boss.project(overlap=3, audit_share=0)["id"]
    boss.push(project, [{"key": key, "text": f"text {key}"} for key in "abcd"])
    given = {"a": "cat cat dog", "b": "cat dog", "c": "dog"}
    lines = [
        {"key": key, "label": name, "origin": "import", "annotator": f"paper {place}"}
        for key, names in given.items()
        for place, name in enumerate(names.split())
    ]
    body = "\n".join(map(json.dumps, lines))
    boss.post(f"/projects/{project}/annotations", content=body, headers={"Content-Type": "application/x-ndjson"})

    found = boss.get(f"/projects/{project}/items").json()["items"]

    wanted = ("key", "label", "votes", "agreement", "disputed")
    assert [tuple(row[name] for name in wanted) for row in found] == [
        ("a", {"class": "cat"}, 3, 0.3333, False),
        ("b", None, 2, 0.0, True),
        ("c", {"class": "dog"}, 1, None, False),
        ("d", None, 0, None, False),
    ]
    exported = boss.get(f"/projects/{project}/export", params={"view": "items"}).text.splitlines()
    assert [tuple(json.loads(line)[name] for name in wanted) for line in exported] == [
        tuple(row[name] for name in wanted) for row in found
    ]
    one = boss.get(f"/items/{found[1]['id']}").json()
    assert (one["votes"], one["disputed"]) == (2, True)


def test_projects_people_and_tokens_are_lists_with_pages(api: Api, boss: Speaker) -> None:
    made = [boss.project(name=f"P {number}")["id"] for number in range(5)]
    names = [f"person {number}" for number in range(5)]
    for name in names:
        api.user(name)
        boss.post(f"/projects/{made[0]}/members", json={"user": name})
        boss.post("/tokens", json={"name": name})
    for project in made[3:]:
        boss.delete(f"/projects/{project}")

    def walk(path: str, **query: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = boss.get(path, params={"limit": 2, **query, **cursor}).json()
            assert len(page["items"]) <= 2
            rows += page["items"]
            if page["next"] is None:
                return rows
            cursor = {"cursor": page["next"]}

    assert [each["id"] for each in walk("/projects")] == made[2::-1]
    assert [each["id"] for each in walk("/projects", deleted=True)] == made[:2:-1]
    assert [each["name"] for each in walk("/users")] == ["boss", *names]
    assert [each["name"] for each in walk("/tokens")][-5:] == names
    assert [each["user"] for each in walk(f"/projects/{made[0]}/members")] == ["boss", *names]
    assert boss.get("/users?limit=201").status_code == 422
    cursor = boss.get("/users?limit=2").json()["next"]
    assert boss.get("/tokens", params={"limit": 2, "cursor": cursor}).status_code == 422


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize("filter_", ["status=answered", "status=excluded", "q=purring", "q=purring&status=answered"])
def test_sqlite_reads_few_items_by_their_ids_and_walks_no_project(
    api: Api, boss: Speaker, project: int, filter_: str
) -> None:
    api.run_jobs()  # the index of words
    asked: list[tuple[str, Any]] = []
    engine = api.db.reading

    def listen(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("SELECT items.id") and "ORDER BY items.id" in statement:
            asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", listen)
    try:
        keys(boss, project, filter_)
    finally:
        event.remove(engine, "before_cursor_execute", listen)

    [(statement, values)] = asked
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert plan[0].detail == "SEARCH items USING INTEGER PRIMARY KEY (rowid=?)"
