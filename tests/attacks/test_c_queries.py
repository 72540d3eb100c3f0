"""d.C, second part: filters, sorts and words of a search that ask for what nobody should be told."""

from typing import Any

import pytest

from tests.attacks.site import Site

case = pytest.mark.case

RELATIONS = [
    "annotator.password_hash", "user__password__startswith", "project.members.token", "labels.user.email", "__class__",
    "metadata", "c", "annotator.folded_name", "annotator_id", "user.id", "users.password_hash", "project.seed",
    "reserved",
    "draw", "item.draw", "split__in", "password_hash[startswith]", "filter[annotator.password_hash][startswith]",
    "$where",
    "tokens.secret_hash", "sessions.csrf_token", "payload", "meta", "content_hash", "fingerprint", "key__regex",
    "key[$ne]",
    "id", "project_id", "state.__init__", "metadata.", "class.aliases", "round.labels", "*", "1", "(select 1)",
    "key;--",
]  # fmt: skip
SQL = [
    "' OR 1=1--", '";drop table users;--', "\\", "%", "_", "/**/", "') UNION SELECT password_hash--", "$$",
    "a'b",
    "1; SELECT pg_sleep(5)", "'||(select 1)||'", "\x1a", "%%%", "a%b_c", "{}", "[]", "?", ":x", "%(x)s", "--",
    "x'; ATTACH 'a' AS b;--",
]  # fmt: skip
WORDS = [
    '"', "*", "NEAR(a b)", "col:a", "-a", "^a", "a AND", "OR", "NOT a", "(", ")", "a*b*", '"a" "', "'", "a:*", "a & b",
    "a | !b",
    "<->", "\\", "item_words MATCH x", "rank", "\u0000".replace("\u0000", "\u200b"), "é" * 300, "{a b}: c", "+",
    "a" * 1_000,
]  # fmt: skip


@case("C-20", "C-21")
def test_c20_no_name_reaches_another_column_in_any_place(site: Site) -> None:
    places = [f"/projects/{site.P1}/items", f"/projects/{site.P1}/export", f"/projects/{site.P1}/annotations"]
    for name in RELATIONS:
        true = [site.M.get(place, params={name: "$argon2"}) for place in places]
        false = [site.M.get(place, params={name: "never"}) for place in places]
        assert [each.status_code for each in (*true, *false)] == [422] * 6, name
        assert [told(each) for each in true] == [told(each) for each in false], name
        for order in (name, f"-{name}"):
            assert site.M.get(places[0], params={"sort": order}).status_code == 422, order
        slices = site.U1.post(f"/projects/{site.P1}/leases", json={"count": 1, "filter": f"{name}=x"})
        assert slices.status_code == 422, name
        for more in ({"fields": name}, {"group_by": name}, {"columns": name}, {"include": name}, {"cursor": name}):
            assert site.M.get(places[0], params=more).status_code in (400, 422), more
        body = {"name": "odd", "filter": f"{name}=x"}
        assert site.M.post(f"/projects/{site.P1}/snapshots", json=body).status_code == 422, name


@case("C-22")
def test_c22_operators_that_would_take_for_ever_are_none(site: Site) -> None:
    queries = [
        "key:~(a%2B)%2B%24", "key:regex=(a+)+$", "q=" + "%25" * 10_000,
        "&".join(f"key=k{n}" for n in range(100_001))[:180_000],
        "not(" * 5_000, "(" * 5_000 + ")" * 5_000, "key=" + "a" * 100_000,
        "q=" + "+".join(["ab"] * 10_000),
        "predicted.probability:<NaN", "predicted.probability:<1e999", "predicted.probability:<0x1", "learned=-1",
        "learned=9999999999",
        "metadata.a:<inf", "metadata." + "x" * 5_000 + "=1", "q=%ff%fe", "q=%00", "key=%ed%a0%80",
    ]  # fmt: skip
    for query in queries:
        answer = site.M.ask("GET", f"/api/v1/projects/{site.P1}/items?{query[:60_000]}")
        assert answer.status_code in (400, 414, 422, 431), (query[:60], answer.status_code)
        assert answer.elapsed.total_seconds() < 1, query[:60]
        body = {"filter": query, "set": {"priority": 1}}
        assert site.M.post(f"/projects/{site.P1}/items/bulk", json=body).status_code in (413, 422), query[:60]


@case("C-23")
def test_c23_fragments_of_sql_are_text(site: Site) -> None:
    project = site.new_project(site.M, 0)
    rows = [{"key": f"{n} {each}", "text": each, "metadata": {"source": each}} for n, each in enumerate(SQL)]
    assert site.M.post(f"/projects/{project}/items", json=rows).json()["created"] == len(SQL)
    users = site.rows("SELECT count(*) FROM users")[0][0]

    for n, each in enumerate(SQL):
        by_value = site.M.get(f"/projects/{project}/items", params={"metadata.source": each})
        by_key = site.M.get(f"/projects/{project}/items", params={"key": f"{n} {each}"})
        assert [len(answer.json()["items"]) for answer in (by_value, by_key)] == [1, 1], each
        for answer in (
            site.M.get(f"/projects/{project}/items", params={"q": each}),
            site.M.get(f"/projects/{project}/items", params={"class": each}),
            site.M.get(f"/projects/{project}/annotations", params={"annotator": each}),
            site.M.post("/projects", json={"name": each, "modality": "text", "task": {"classes": [each, "b"]}}),
            site.nobody.post("/session", json={"name": each, "password": each}),
        ):
            assert answer.status_code in (200, 201, 401, 422), (each, answer.text)
    percent = site.M.get(f"/projects/{project}/items", params={"key": "%"}).json()["items"]
    assert percent == []
    assert site.rows("SELECT count(*) FROM users")[0][0] == users


@case("C-24")
def test_c24_words_of_the_search_language_are_words(site: Site) -> None:
    for word in WORDS:
        answer = site.M.get(f"/projects/{site.P1}/items", params={"q": word})
        assert answer.status_code in (200, 422), (word, answer.text)
    assert site.M.get(f"/projects/{site.P1}/items", params={"q": " ".join(["ab"] * 10_000)}).status_code in (414, 422)
    assert site.X.get(f"/projects/{site.P1}/items", params={"q": "dog"}).status_code == 404


@case("C-25", "C-09")
def test_c25_commands_of_a_shell_and_templates_are_text(site: Site) -> None:
    marks = [f"$(touch {site.marker})", f"`touch {site.marker}`", f"; touch {site.marker};", f"| touch {site.marker}",
        "{{7*7}}",
             "{0.__class__}", "%(x)s", "${jndi:ldap://127.0.0.1/x}", "{% raw %}"]  # fmt: skip
    for mark in marks:
        made = site.M.post("/projects", json={"name": mark, "modality": "text", "task": {"classes": ["a", "b"]}})
        assert made.status_code == 201
        assert made.json()["name"] == mark
        number = made.json()["id"]
        site.M.post(f"/projects/{number}/items", json=[{"key": mark, "text": mark, "label": "a"}])
        given = site.M.get(f"/projects/{number}/export", params={"view": "items"})
        assert "49" not in given.headers["content-disposition"]
        assert mark in given.json()["text"] if given.text.count("\n") == 1 else True
        site.M.delete(f"/projects/{number}")
    assert not site.marker.exists()


def told(answer: Any) -> Any:
    """What an answer says, without its own number."""
    return {name: value for name, value in answer.json().items() if name != "request_id"}
