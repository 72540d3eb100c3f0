"""Choosing many items and changing them at once."""

import pytest
from playwright.sync_api import expect

from app.db import Item
from tests.browser.conftest import Site, Visit
from tests.browser.test_annotate import make_project
from tests.browser.test_items import answered, rows


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

    expect(page.get_by_role("alert")).to_contain_text('nothing was changed: there is no item here with the key "k0"')
    visit.complaints.clear()  # the browser reports the refusal


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_chosen_items_are_labelled_after_a_question_about_answers(visit: Visit, width: int, scheme: str) -> None:
    visit.page.set_viewport_size({"width": width, "height": 844})
    visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal in the parameter list
    project = answered(visit, "12")
    page = visit.open(f"/projects/{project}/items?sort=key")
    expect(rows(page)).to_have_count(12)
    page.get_by_label("Choose all shown").click()
    said = page.get_by_role("status", name="Change")
    dialog = page.get_by_role("dialog", name="Label the chosen items")

    page.get_by_label("Do with the chosen items").select_option(label="Label them as …")
    expect(dialog.get_by_role("heading")).to_have_text("Label 12 items as")
    assert visit.findings() == []
    assert not visit.overflows()
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("heading")).to_have_text("2 of the 12 items have answers already")
    visit.complaints.clear()  # the browser reports the first refusal
    assert visit.findings() == []
    assert not visit.overflows()
    dialog.get_by_role("button", name="Label the other 10").click()

    expect(said).to_contain_text("10 items labelled as bad; 2 stayed as they were.")
    expect(rows(page).filter(has_text="bad")).to_have_count(11)
    said.get_by_role("button", name="Undo").click()
    expect(said).to_contain_text("10 items are as they were before.")
    expect(rows(page).filter(has_text="bad")).to_have_count(1)


def test_several_classes_are_given_corrected_and_taken_back_by_keys(visit: Visit) -> None:
    project = make_project(visit.site, count=3, classes=("fun", "sad", "long"), multiple=True)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items?sort=key")
    rows(page).first.get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="Item")
    expect(dialog.get_by_text("None yet.")).to_be_visible()

    for key in ("c", "1", "3", "Enter"):
        page.keyboard.press(key)
    expect(dialog.get_by_role("status")).to_have_text("You have said: fun, long. It wins over the other answers.")
    dialog.get_by_label("Correct the answer of Ann").click()
    editor = dialog.get_by_role("region", name="Correct the answer of Ann")
    expect(editor.get_by_role("button", name="fun")).to_have_attribute("aria-pressed", "true")
    assert visit.findings() == []
    for key in ("1", "2", "Enter"):
        page.keyboard.press(key)
    expect(dialog.get_by_role("status")).to_have_text("Corrected: the earlier version is kept.")
    dialog.get_by_text("2 versions").click()
    expect(dialog.locator(".versions li")).to_have_count(2)
    expect(dialog.locator(".versions li").first).to_contain_text("sad, long")
    assert visit.findings() == []
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("k0")
    dialog.get_by_label("Take back the answer of Ann").click()

    expect(dialog.get_by_text("None yet.")).to_be_visible()
    expect(dialog.locator(".versions summary")).to_have_text("3 versions")
