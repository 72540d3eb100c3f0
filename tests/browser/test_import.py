"""More items for a project that runs, in the browser: a file, its columns, what is here already, what is not taken."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.db import Item, Project, ProjectClass
from tests.browser.conftest import Visit
from tests.browser.test_annotate import stored
from tests.browser.test_copy_as import run, shown
from tests.browser.test_forms import FORM, make
from tests.browser.test_new_project import drop

TOPIC: dict[str, Any] = {"type": "classification", "classes": ["sport", "politics"]}


def texts(visit: Visit) -> dict[str, str]:
    with visit.site.db.read() as session:
        return {row.key: row.payload["text"] for row in session.execute(select(Item)).scalars()}


def at(visit: Visit, task: dict[str, Any], rows: list[dict[str, Any]]) -> Page:
    """The page of a project with these items, its admin looking."""
    project = make(visit.site, task, rows)
    visit.sign_in(1)
    with visit.site.db.read() as session:
        slug = session.get_one(Project, project).slug
    page = visit.open(f"/projects/{slug}/items")
    page.get_by_role("link", name="Add items").click()
    return page


def test_a_file_is_added_its_strange_classes_are_asked_about_and_bad_rows_named(visit: Visit, tmp_path: Path) -> None:
    rows = [{"key": "a", "text": "an old text", "label": {"class": "sport"}}, {"key": "b", "text": "another"}]
    page = at(visit, TOPIC, rows)
    file = tmp_path / "more.csv"
    file.write_bytes(
        "\ufeffDoc ID;body;topic\na;a new text;sport\nb;another;\nc;a third text;Politics\nd;;sport\n"
        'e;"a text; with\nlines";weather\n'.encode()
    )

    page.get_by_role("button", name="Add the items").click()
    expect(page.get_by_role("alert")).to_have_text("Drop a file or paste lines first.")
    drop(page, file)
    expect(page.get_by_role("combobox", name="Text", exact=True)).to_have_value("body")
    expect(page.get_by_text("“weather”. Rows with a label that is no class are not taken")).to_be_visible()
    assert visit.findings() == []
    page.get_by_role("button", name="Add the items").click()

    expect(page.get_by_text("1 new item; 1 row was here already; 3 rows were not taken.")).to_be_visible()
    expect(page.get_by_role("cell", name="send it with on_change=replace")).to_be_visible()
    expect(page.get_by_role("cell", name="text is empty")).to_be_visible()
    assert texts(visit) == {"a": "an old text", "b": "another", "c": "a third text"}

    page.get_by_role("checkbox", name="Make a class of them").check()
    page.get_by_role("radio", name="Take the new content").check()
    page.get_by_role("button", name="Add the items").click()
    expect(
        page.get_by_text("1 new item; 1 item changed; 2 rows were here already; 1 row was not taken.")
    ).to_be_visible()
    assert texts(visit) == {"a": "a new text", "b": "another", "c": "a third text", "e": "a text; with\nlines"}
    with visit.site.db.read() as session:
        assert set(session.execute(select(ProjectClass.name)).scalars()) == {"sport", "politics", "weather"}
    page.get_by_role("link", name="Look at them").click()
    expect(page.get_by_text("a third text")).to_be_visible()


def test_the_code_that_is_copied_adds_the_same_items(visit: Visit, tmp_path: Path) -> None:
    page = at(visit, TOPIC, [{"key": "a", "text": "one"}])
    file = tmp_path / "caf\u00e9s.csv"
    file.write_bytes("key,text\nx,caf\u00e9 cr\u00e8me\n".encode("cp1252"))
    drop(page, file)
    expect(page.get_by_role("combobox", name="Saved as")).to_have_value("windows-1252")
    expect(page.get_by_role("cell", name="caf\u00e9 cr\u00e8me")).to_be_visible()
    page.get_by_role("button", name="Copy as curl").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save caf\u00e9s.utf-8.csv").click()
    download.value.save_as(tmp_path / "caf\u00e9s.utf-8.csv")
    page.get_by_role("button", name="Copy as curl").click()

    for kind in ("Python", "curl"):
        code = shown(page, kind)
        run(visit, kind, code, tmp_path, "Ann")
        assert texts(visit)["x"] == "caf\u00e9 cr\u00e8me"
        with visit.site.db.write() as session:
            session.execute(select(Item).where(Item.key == "x")).scalar_one().key = f"x {kind}"
    page.get_by_role("button", name="Add the items").click()

    expect(page.get_by_text("1 new item.")).to_be_visible()
    assert texts(visit) == {"a": "one", **dict.fromkeys(["x", "x Python", "x curl"], "caf\u00e9 cr\u00e8me")}


def test_known_answers_come_by_key_alone_and_forms_by_their_questions(visit: Visit, tmp_path: Path) -> None:
    page = at(visit, {"type": "form", "fields": FORM["fields"][:2]}, [{"key": "a", "text": "one"}])
    file = tmp_path / "known.jsonl"
    file.write_text(json.dumps({"key": "a", "label.topic": "sport", "label.tone": 4}) + "\n")

    drop(page, file)
    page.get_by_role("combobox", name="Text", exact=True).select_option("none")
    expect(page.get_by_text("label.topic, label.tone.")).to_be_visible()
    page.get_by_role("button", name="Add the items").click()

    expect(page.get_by_text("1 item changed.")).to_be_visible()
    assert stored(visit.site)[0].label["tone"]["value"] == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(visit: Visit, tmp_path: Path, scheme: str) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its two words
    page = at(visit, TOPIC, [{"key": "a", "text": "one"}])
    file = tmp_path / "wide.csv"
    columns = ",".join(f"column number {n}" for n in range(9))
    file.write_text(f"key,text,topic,{columns}\nx,a text,other{',1' * 9}\n")
    drop(page, file)

    expect(page.get_by_text("and 6 more columns")).to_be_visible()
    assert not visit.overflows()
    assert visit.findings() == []
