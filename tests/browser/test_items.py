"""Finding items, looking at one, and mending what was answered."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from app.db import Annotation, Flag, Item, User
from tests.browser.conftest import Site, Visit
from tests.browser.test_annotate import make_project, open_page, stored


def answered(visit: Visit, keys: str = "1221") -> int:
    """A project with so many answers; its number."""
    project = make_project(visit.site, count=12)
    page = open_page(visit, project)
    card = page.get_by_role("article", name="Item")
    for key in keys:
        before = card.inner_text()
        page.keyboard.press(key)
        expect(card).not_to_have_text(before)
    expect(page.get_by_role("status")).to_have_text("Saved")
    return project


def rows(page: Page) -> Locator:
    return page.get_by_role("region", name="Items found").get_by_role("listitem")


def open_item(page: Page, place: int = 0) -> Locator:
    rows(page).nth(place).get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="Item")
    expect(dialog.get_by_role("heading", name="Answers")).to_be_visible()
    return dialog


def item_of(site: Site, key: str) -> Item:
    with site.db.read() as session:
        return session.query(Item).filter_by(key=key).one()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_items_are_found_by_words_state_and_answer(visit: Visit, width: int, scheme: str) -> None:
    visit.page.set_viewport_size({"width": width, "height": 844})
    visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal in the parameter list
    page = visit.page
    project = answered(visit)

    visit.open(f"/projects/{project}/items")
    expect(page.get_by_text("12 items")).to_be_visible()
    page.get_by_role("combobox", name="Answered", exact=True).select_option("bad")
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("bad")
    page.get_by_role("combobox", name="Answered", exact=True).select_option("")
    page.get_by_label("Words").fill("number 11")
    page.get_by_label("Words").press("Enter")

    expect(rows(page)).to_have_count(1)
    assert page.url.endswith("/items?q=number%2011")
    assert visit.findings() == []
    assert not visit.overflows()
    page.reload()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Show all items").click()
    expect(rows(page)).to_have_count(12)


def test_a_manager_corrects_an_answer_and_the_earlier_version_is_kept(visit: Visit) -> None:
    project = answered(visit, "1")
    page = visit.open(f"/projects/{project}/items?status=answered")
    dialog = open_item(page)
    expect(dialog).to_contain_text("Ann, ")

    dialog.get_by_label("Correct the answer of Ann").click()
    dialog.get_by_role("button", name="bad").click()

    expect(dialog.get_by_role("status")).to_have_text("Corrected: the earlier version is kept.")
    expect(dialog).to_contain_text("version 2")
    assert [(row.version, row.label["label"]["class_id"]) for row in stored(visit.site)] == [(1, 1), (2, 2)]
    assert visit.findings() == []
    dialog.get_by_role("button", name="Close").click()
    expect(rows(page).first).to_contain_text("bad")


def test_an_answer_that_changed_meanwhile_is_not_overwritten(visit: Visit) -> None:
    project = answered(visit, "1")
    page = visit.open(f"/projects/{project}/items?status=answered")
    dialog = open_item(page)
    with visit.site.db.write() as session:
        first = session.query(Annotation).one()
        copied = {each.key: getattr(first, each.key) for each in Annotation.__mapper__.column_attrs}
        session.add(Annotation(**{**copied, "id": None, "version": 2, "request_id": None}))

    dialog.get_by_label("Correct the answer of Ann").click()
    dialog.get_by_role("button", name="bad").click()

    expect(dialog.get_by_role("alert")).to_contain_text("the newest version is 2")
    assert len(stored(visit.site)) == 2
    visit.complaints.clear()  # the browser reports the refusal


def test_an_item_is_excluded_put_first_and_stepped_through_by_keys(visit: Visit) -> None:
    project = make_project(visit.site, count=12)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items?sort=key")
    dialog = open_item(page)
    expect(dialog.get_by_role("heading", level=2)).to_have_text("k0")

    dialog.get_by_role("button", name="Exclude it").click()
    expect(dialog.get_by_role("status")).to_have_text("It is neither asked about nor learned from.")
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("k1")
    dialog.get_by_role("button", name="Ask about it first").click()
    expect(dialog.get_by_role("status")).to_have_text("It is asked about first.")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    assert item_of(visit.site, "k0").state == "excluded"
    assert item_of(visit.site, "k1").priority == 1
    expect(rows(page).first).to_contain_text("excluded")


def test_a_note_reaches_the_manager_and_is_closed(visit: Visit) -> None:
    project = make_project(visit.site, count=3)
    page = open_page(visit, project)
    page.keyboard.press("f")
    page.get_by_label("What should the manager know?").fill("this is no film")
    page.get_by_role("button", name="Send the flag").click()
    expect(page.get_by_role("status")).to_have_text("Saved")

    visit.open(f"/projects/{project}/overview")
    page.get_by_role("link", name="1 with an open note").click()
    dialog = open_item(page)
    expect(dialog).to_contain_text("“this is no film” Ann")
    dialog.get_by_role("button", name="Close the note").click()

    expect(dialog.get_by_role("status")).to_have_text("The note is closed.")
    with visit.site.db.read() as session:
        assert [flag.state for flag in session.query(Flag)] == ["closed"]
        assert session.query(User).count() == 1


def test_numbers_of_the_overview_lead_to_their_items(visit: Visit) -> None:
    project = answered(visit, "122")
    page = visit.open(f"/projects/{project}/overview")
    balance = page.get_by_role("region", name="Class balance, table")

    balance.get_by_role("row", name=re.compile("bad")).get_by_role("link").click()

    expect(rows(page)).to_have_count(2)
    assert re.search(r"\?state=open&split=pool&class=bad$", page.url)


def test_a_condition_that_means_nothing_is_said_and_can_be_taken_away(visit: Visit) -> None:
    project = make_project(visit.site, count=3)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items?status=open&colour=red")

    expect(page.get_by_role("alert")).to_contain_text("colour")
    page.get_by_role("button", name="Without colour=red").click()
    expect(rows(page)).to_have_count(3)
    page.get_by_role("combobox", name="State", exact=True).select_option("failed")

    expect(page.get_by_text("No item fits all of this.")).to_be_visible()
    visit.complaints.clear()  # the browser reports the refusal


def test_more_items_come_page_by_page(visit: Visit) -> None:
    project = make_project(visit.site, count=120)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items?sort=key")
    expect(rows(page)).to_have_count(50)

    page.get_by_role("button", name="Show more").click()
    expect(rows(page)).to_have_count(100)
    page.get_by_role("button", name="Show more").click()

    expect(rows(page)).to_have_count(120)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
