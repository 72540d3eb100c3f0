"""Who is given what: a member's slice on the people page and at the work, and the next batch on the overview."""

import re

import pytest
from playwright.sync_api import expect

from app.services import applying
from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project, open_page


@pytest.mark.night
def test_a_manager_gives_a_slice_and_its_member_works_it_off(visit: Visit) -> None:
    project = make_project(visit.site)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/people")
    given = page.get_by_label("Slice of Ann")

    given.fill("class=good")
    given.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("a slice is chosen by key, q and metadata")
    visit.complaints.clear()  # of the refused one
    given.fill("key=k3")
    given.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Ann is given items that fit key=k3.")
    expect(page.get_by_role("link", name="1 open")).to_be_visible()
    assert visit.findings() == []
    page = open_page(visit, project)
    expect(page.get_by_role("article", name="Item")).to_contain_text("film number 3")
    page.keyboard.press("1")
    expect(page.get_by_text(re.compile("every item of your slice", re.IGNORECASE))).to_be_visible()


def test_the_overview_lists_the_next_batch_and_leads_to_its_items(visit: Visit) -> None:
    project = make_project(visit.site)
    applying.wake_the_loop(visit.site.db, project)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/overview")
    batch = page.get_by_role("region", name="Next batch")
    expect(batch.get_by_role("listitem")).to_have_count(8)

    first = batch.get_by_role("link").first
    words = first.inner_text()
    first.click()

    expect(page.get_by_role("button", name=words)).to_be_visible()
    expect(page.locator("button.open")).to_have_count(1)
