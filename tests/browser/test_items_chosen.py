"""Choosing many items and changing them at once."""

import re

import pytest
from playwright.sync_api import expect

from app.db import Item
from tests.browser.conftest import Site, Visit
from tests.browser.test_annotate import make_project
from tests.browser.test_items import rows


def in_state(site: Site, state: str) -> int:
    with site.db.read() as session:
        return session.query(Item).filter_by(state=state).count()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_range_is_excluded_and_the_change_undone(visit: Visit, width: int, scheme: str) -> None:
    visit.page.set_viewport_size({"width": width, "height": 844})
    visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal in the parameter list
    project = make_project(visit.site, count=12)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items")
    expect(rows(page)).to_have_count(12)

    rows(page).nth(1).get_by_role("checkbox").click()
    rows(page).nth(4).get_by_role("checkbox").click(modifiers=["Shift"])
    expect(page.get_by_text("4 chosen")).to_be_visible()
    assert visit.findings() == []
    assert not visit.overflows()
    page.get_by_label("Do with the chosen items").select_option(label="Exclude")

    said = page.get_by_role("status", name="Change")
    expect(said).to_contain_text("4 items excluded.")
    assert in_state(visit.site, "excluded") == 4
    said.get_by_role("button", name="Undo").click()
    expect(said).to_contain_text("4 items are as they were before.")
    assert in_state(visit.site, "excluded") == 0
    assert visit.findings() == []


def test_all_that_fit_are_given_a_column(visit: Visit) -> None:
    project = make_project(visit.site, count=70)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items?status=open&sort=-key")
    expect(rows(page)).to_have_count(50)

    page.get_by_label("Choose all shown").click()
    expect(page.get_by_text("50 chosen")).to_be_visible()
    page.get_by_role("button", name="Choose all that fit").click()
    expect(page.get_by_text("70 chosen")).to_be_visible()
    page.get_by_role("textbox", name="Column of metadata").fill("batch")
    page.get_by_label("Its value").fill("two")
    page.get_by_role("button", name="Set", exact=True).click()

    expect(page.get_by_role("status", name="Change")).to_contain_text("70 items given batch.")
    with visit.site.db.read() as session:
        assert {row.meta["batch"] for row in session.query(Item)} == {"two"}


def test_rows_are_walked_and_chosen_by_keys(visit: Visit) -> None:
    project = make_project(visit.site, count=5)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items?sort=key")
    rows(page).first.get_by_role("button").focus()

    for key in ("j", "x", "ArrowDown", "X", "k"):
        page.keyboard.press(key)

    expect(page.get_by_text("2 chosen")).to_be_visible()
    expect(rows(page).nth(1).get_by_role("checkbox")).to_be_checked()
    expect(rows(page).nth(2).get_by_role("checkbox")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Item").get_by_role("heading", level=2)).to_have_text("k1")


def test_what_is_refused_is_said(visit: Visit) -> None:
    project = make_project(visit.site, count=5)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items")
    rows(page).first.get_by_role("checkbox").click()
    with visit.site.db.write() as session:
        session.query(Item).filter_by(key="k0").update({"state": "deleted"})

    page.get_by_label("Do with the chosen items").select_option(label="Exclude")

    expect(page.get_by_role("alert")).to_contain_text(re.compile("no item fits"))
    visit.complaints.clear()  # the browser reports the refusal
