"""Searching by the full-text index: the same answers on both databases, true at every moment."""

from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import delete, func, select, text, update

from app.db import Item, ItemNumber, SearchIndex
from app.services import among, numbers, search
from tests.conftest import Api, Speaker

pytestmark = pytest.mark.both

TEXTS = {
    "a": "Über den Dächern, at 3.5 degrees",
    "b": "a category of CATS (and dogs)",
    "c": "concatenate the list: NOT OR AND",
    "d": "東京タワーの写真",
    "e": "foo-bar, bar foo",
}


def keys(speaker: Speaker, project: int, filter_: str) -> str:
    answer = speaker.get(f"/projects/{project}/items?{filter_}")
    assert answer.status_code == 200, answer.text
    return "".join(row["key"] for row in answer.json()["items"])


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def project(api: Api, boss: Speaker) -> int:
    """Items that the index holds."""
    found: int = boss.project()["id"]
    rows: list[dict[str, Any]] = [{"key": key, "text": words} for key, words in TEXTS.items()]
    rows[0]["metadata"] = {"source": "web", "year": 1999, "checked": True, "empty": ""}
    rows[1]["metadata"] = {"source": "WEB", "year": "1999", "nested": {"source": "web"}}
    boss.push(found, rows)
    api.run_jobs()
    return found


WORDS = [
    ("cat", "b"),
    ("CATEG", "b"),
    ("cats dogs", "b"),
    ("cats list", ""),
    ("über DÄCH", "a"),
    ("ÜBER", "a"),
    ("3.5", "a"),
    ("3.6", ""),
    ("東京", "d"),
    ("京東", ""),
    ("写真", "d"),
    ("foo-bar", "e"),
    ("a", "ab"),
    ("list:", "c"),
    ("(and", "b"),
    ("NOT", "c"),
    ("e", "e"),
    ("'", ""),
    ('"cats"', ""),
    ("cats*", ""),
    ('cat" OR "list', ""),
    ("' | 'list", ""),
    ("NEAR(foo bar)", ""),
    ("item_words", ""),
    ("-dogs", ""),
    ("^foo", ""),
    ("\\", ""),
]


def test_words_are_found_by_their_beginning_and_no_sign_means_anything(boss: Speaker, project: int) -> None:
    for asked, wanted in WORDS:
        assert keys(boss, project, f"q={quote(asked)}") == wanted, asked


VALUES = [
    ("metadata.source=web", "a"),
    ("metadata.source=web&metadata.source=WEB", "ab"),
    ("metadata.year=1999", "ab"),
    ("metadata.year=1999.0", "a"),
    ("metadata.checked=true", "a"),
    ("metadata.empty=", "a"),
    ("metadata.source=web&q=über", "a"),
    ("metadata.source=web&q=cats", ""),
    ("metadata.year:>1998", "a"),
]


def test_values_of_metadata_are_found_by_the_index(boss: Speaker, project: int) -> None:
    for asked, wanted in VALUES:
        assert keys(boss, project, asked) == wanted, asked


@pytest.fixture
def numbered(api: Api, boss: Speaker, monkeypatch: pytest.MonkeyPatch) -> int:
    """Forty items that the index holds, with a number that grows, one that comes again, and three odd values."""
    monkeypatch.setattr(among, "FEW", 5)
    monkeypatch.setattr(numbers, "PROBED", 3)
    found: int = boss.project(name="Numbers", slug="numbers")["id"]
    rows: list[dict[str, Any]] = [
        {"key": f"k{n:02}", "text": f"item {n}", "metadata": {"n": n, "third": n % 3}} for n in range(40)
    ]
    rows[1]["metadata"]["odd"], rows[2]["metadata"]["odd"], rows[3]["metadata"]["odd"] = "7", True, -7.5
    boss.push(found, rows)
    api.run_jobs()
    return found


COMPARED = [
    ("metadata.n:>37", "k38k39"),
    ("metadata.n:%3E=30&limit=3", "k30k31k32"),
    ("metadata.n:>29&sort=-key&limit=2", "k39k38"),
    ("metadata.n:<30&sort=-created&limit=2", "k29k28"),
    ("metadata.n:>9&metadata.n:<30&sort=-updated&limit=2", "k29k28"),
    ("metadata.n:>9&metadata.n:<30&sort=key&limit=2", "k10k11"),
    ("metadata.n:>9&metadata.n:<12", "k10k11"),
    ("metadata.n:>12&metadata.n:<9", ""),
    ("metadata.third:>1&metadata.n:>33", "k35k38"),
    ("metadata.third:<1&limit=2", "k00k03"),
    ("metadata.odd:<0", "k03"),
    ("metadata.odd:>0", ""),
    ("metadata.none:>0", ""),
    ("metadata.n:>37&q=item", "k38k39"),
]


def test_numbers_are_compared_whether_few_or_many_fit(boss: Speaker, numbered: int) -> None:
    for asked, wanted in COMPARED:
        assert keys(boss, numbered, asked) == wanted, asked


def test_compared_numbers_follow_every_change(api: Api, boss: Speaker, numbered: int) -> None:
    boss.push(
        numbered,
        [{"key": "k05", "text": "y", "metadata": {"n": 99}}, {"key": "new", "text": "x", "metadata": {"n": 98}}],
    )
    shown = boss.get(f"/projects/{numbered}/items?key=k06").json()["items"][0]
    boss.delete(f"/items/{shown['id']}", params={"erase": True})

    assert keys(boss, numbered, "metadata.n:>39") == "k05new"
    assert keys(boss, numbered, "metadata.n:>4&metadata.n:<8") == "k07"
    assert boss.get(f"/projects/{numbered}/items?metadata.n:>39").json()["search"] == {"indexed": 40, "waiting": 1}
    with api.db.read() as session:
        kept = select(ItemNumber.value).where(ItemNumber.item_id == shown["id"])
        assert session.execute(kept).all() == []

    api.run_jobs()

    assert keys(boss, numbered, "metadata.n:>39") == "k05new"
    assert boss.get(f"/projects/{numbered}/items?metadata.n:>39").json()["search"] is None


def test_numbers_are_caught_up_where_the_words_were_there_before(api: Api, boss: Speaker, numbered: int) -> None:
    with api.db.write() as session:
        session.execute(delete(ItemNumber))
        session.execute(update(SearchIndex).values(numbers_to=0))
        search.request(session, numbered)

    assert keys(boss, numbered, "metadata.n:>37") == "k38k39"
    api.run_jobs()

    with api.db.read() as session:
        assert session.execute(select(func.count()).select_from(ItemNumber)).scalar_one() == 81
    assert keys(boss, numbered, "q=item&metadata.n:>37") == "k38k39"


def test_what_changes_is_found_as_it_is_now(api: Api, boss: Speaker, project: int) -> None:
    boss.push(project, [{"key": "a", "text": "replaced wholly", "metadata": {"source": "mail"}}])
    shown = boss.get(f"/projects/{project}/items?key=b").json()["items"][0]
    item = boss.get(f"/items/{shown['id']}")
    headers = {"If-Match": item.headers["etag"]}
    boss.patch(f"/items/{shown['id']}", json={"metadata": {"source": "phone"}}, headers=headers)

    assert keys(boss, project, "q=replaced") == "a"
    assert keys(boss, project, "q=über") == ""
    assert keys(boss, project, "metadata.source=mail") == "a"
    assert keys(boss, project, "metadata.source=WEB") == ""
    assert keys(boss, project, "metadata.source=phone&q=cats") == "b"


def test_an_erased_item_leaves_no_word_in_the_index(api: Api, boss: Speaker, project: int) -> None:
    shown = boss.get(f"/projects/{project}/items?q=cats").json()["items"][0]
    boss.delete(f"/items/{shown['id']}", params={"erase": True})

    with api.db.read() as session:
        query = search.matching(session, [[search.beginning_with(project, "cats")]])
        assert session.execute(query).all() == []
        if api.db.is_sqlite:
            session.execute(text("INSERT INTO item_words (item_words) VALUES ('integrity-check')"))


def test_new_items_are_found_before_the_index_has_them(api: Api, boss: Speaker, project: int) -> None:
    boss.push(project, [{"key": "f", "text": "more cats", "metadata": {"source": "web"}}])

    assert keys(boss, project, "q=cat") == "bf"
    assert keys(boss, project, "metadata.source=web") == "af"
    assert keys(boss, project, "q=cat&metadata.source=web") == "f"
    report = boss.get(f"/projects/{project}/items?q=cat").json()["search"]
    assert report == {"indexed": 5, "waiting": 1}

    api.run_jobs()

    assert keys(boss, project, "q=cat") == "bf"
    assert boss.get(f"/projects/{project}/items?q=cat").json()["search"] is None


def test_without_any_index_the_same_items_are_found(api: Api, boss: Speaker, project: int) -> None:
    with api.db.write() as session:
        session.execute(update(SearchIndex).values(indexed_to=0, numbers_to=0))

    assert keys(boss, project, "q=cats+dogs") == "b"
    assert keys(boss, project, "metadata.year=1999") == "ab"
    assert boss.get(f"/projects/{project}/items?q=cats").json()["search"] == {"indexed": 0, "waiting": 5}
    assert boss.get(f"/projects/{project}/items").json()["search"] is None


def test_words_of_another_project_are_not_found(api: Api, boss: Speaker, project: int) -> None:
    other = boss.project(name="Others", slug="others")["id"]
    boss.push(other, [{"key": "z", "text": "cats elsewhere"}])
    api.run_jobs()

    assert keys(boss, project, "q=elsewhere") == ""
    assert keys(boss, other, "q=cats") == "z"


def test_many_hits_are_found_in_every_order(
    boss: Speaker, project: int, monkeypatch: pytest.MonkeyPatch, api: Api
) -> None:
    rows = [{"key": f"k{number:02}", "text": f"common text {number}"} for number in range(30)]
    boss.push(project, rows)
    api.run_jobs()
    monkeypatch.setattr(among, "FEW", 3)

    for sort, first in (("key", "k00"), ("-key", "k29"), ("-created", "k29"), ("-updated", "k29")):
        found = boss.get(f"/projects/{project}/items?q=common&status=open&sort={sort}&limit=7").json()
        assert (found["items"][0]["key"], len(found["items"])) == (first, 7)


def test_an_enormous_text_is_indexed_by_as_many_words_as_fit(
    api: Api, boss: Speaker, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_BYTES", 200)
    boss.push(project, [{"key": "f", "text": " ".join(f"w{number:03}" for number in range(300))}])
    api.run_jobs()

    assert keys(boss, project, "q=w000") == "f"
    with api.db.read() as session:
        indexed = session.execute(select(SearchIndex.indexed_to).where(SearchIndex.project_id == project)).scalar_one()
        assert indexed == session.execute(select(Item.id).order_by(Item.id.desc()).limit(1)).scalar_one()
