"""Every admin page: nothing for axe, nothing in the console, no overflow, light and dark, wide and narrow."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from app.db import Item
from app.services import accounts, items
from app.services.access import Person
from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project

PAGES = {
    "/projects": "Projects",
    "/projects/new": "New project",
    "/account": "Your account",
    "/accounts": "Accounts",
    "/tokens": "Tokens for scripts",
    "/projects/handwritten-digits/overview": "Overview",
    "/projects/handwritten-digits/watch": "Watch it learn",
    "/projects/handwritten-digits/items": "Items",
    "/projects/handwritten-digits/people": "People",
    "/projects/handwritten-digits/simulate": "Simulate",
    "/projects/handwritten-digits/export": "Export",
    "/projects/handwritten-digits/settings": "Settings",
}


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.both
def test_every_page_is_whole_and_accessible(demo_visit: Visit, width: int, scheme: str) -> None:
    page = demo_visit.page
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal in the parameter list

    for path, heading in PAGES.items():
        demo_visit.open(path)
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        assert demo_visit.findings() == [], path
        assert not demo_visit.overflows(), path


def test_an_empty_list_of_projects_offers_the_demo(manager: Visit) -> None:
    page = manager.open("/projects")
    expect(page.get_by_role("heading", name="No projects yet")).to_be_visible()
    assert manager.findings() == []

    page.get_by_role("button", name="Open the demo").click()

    expect(page.get_by_role("link", name="Watch it learn").first).to_be_visible()


def test_an_invited_annotator_lands_in_the_queue(demo_visit: Visit) -> None:
    page = demo_visit.open("/projects/handwritten-digits/people")

    page.get_by_role("button", name="Make a link").click()

    link = page.get_by_label("Send this link")
    expect(link).to_have_value(re.compile(r"/invitations/.+"))
    assert demo_visit.findings() == []
    address = link.input_value()
    other = page.context.browser.new_context() if page.context.browser else page.context
    guest = other.new_page()
    guest.goto(address)
    guest.get_by_label("Name").fill("Bea")
    guest.locator("[name=password]").fill("correct horse battery")
    guest.locator("[name=again]").fill("correct horse battery")
    guest.get_by_role("button").last.click()
    expect(guest).to_have_url(re.compile("/annotate$"))
    other.close()
    page.reload()
    expect(page.get_by_role("rowheader", name="Bea")).to_be_visible()


def test_a_token_is_shown_once_and_revoked(demo_visit: Visit) -> None:
    page = demo_visit.open("/tokens")
    page.get_by_label("What it is for").fill("nightly import")

    page.get_by_role("button", name="Create the token").click()

    expect(page.get_by_label("Your token, shown this once")).to_have_value(re.compile(r".{20,}"))
    page.get_by_role("button", name="Revoke nightly import").click()
    expect(page.get_by_text("nightly import is revoked.")).to_be_visible()
    expect(page.get_by_text("None yet.")).to_be_visible()


def test_one_button_signs_a_person_out_everywhere(demo_visit: Visit) -> None:
    page = demo_visit.open("/account")
    assert demo_visit.findings() == []
    other = page.context.browser.new_context() if page.context.browser else page.context
    for cookie in page.context.cookies():
        other.add_cookies([{"name": cookie["name"], "value": cookie["value"], "url": demo_visit.site.url}])
    elsewhere = other.new_page()
    elsewhere.goto(f"{demo_visit.site.url}/account")
    expect(elsewhere.get_by_role("heading", name="Signed-in browsers")).to_be_visible()

    page.get_by_role("button", name="Sign out everywhere").click()

    expect(page).to_have_url(re.compile("/sign-in"))
    elsewhere.reload()
    expect(elsewhere).to_have_url(re.compile("/sign-in"))
    other.close()


def test_an_admin_reads_that_an_item_was_erased(manager: Visit) -> None:
    project = make_project(manager.site, count=2)
    with manager.site.db.write() as session:
        first = session.execute(select(func.min(Item.id)).where(Item.project_id == project)).scalar_one()
        items.remove(session, Person(1, "Ada", True), first, erase=True)

    page = manager.open("/audit-log")

    row = page.get_by_role("row").filter(has_text="item erased")
    expect(row).to_contain_text(f"item: {first}")
    expect(row).to_contain_text("Ada")
    expect(row.get_by_role("link", name="Films")).to_be_visible()
    for width, scheme in ((1280, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal in the tuple
        page.reload()  # colours that change do so in a while
        expect(row).to_be_visible()
        assert manager.findings() == []
        assert not manager.overflows()


def test_settings_rename_a_class_and_pause_the_project(demo_visit: Visit) -> None:
    page = demo_visit.open("/projects/handwritten-digits/settings")

    field = page.get_by_label("Name of 7")
    field.fill("seven")
    field.press("Tab")
    expect(page.get_by_text("7 was changed.")).to_be_visible()
    page.get_by_label(re.compile("Paused: nothing is handed out")).check()
    page.get_by_role("region", name="State").or_(page.locator("form[aria-labelledby=state]")).get_by_role(
        "button", name="Save"
    ).click()

    expect(page.get_by_text("The project is paused now.")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Name of seven")).to_have_value("seven")
    expect(page.get_by_label(re.compile("Paused: nothing is handed out"))).to_be_checked()


def test_an_export_downloads_every_item(demo_visit: Visit) -> None:
    page = demo_visit.open("/projects/handwritten-digits/export")
    page.get_by_label("CSV").check()
    expect(page.get_by_text("What CSV loses:")).to_be_visible()
    page.get_by_label("JSON lines").check()

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()

    assert len(download.value.path().read_text().splitlines()) == 1_797


def test_long_names_and_a_hundred_classes_stay_in_their_boxes(manager: Visit) -> None:
    page = manager.open("/projects")
    name = "A" * 200
    page.set_viewport_size({"width": 390, "height": 844})
    classes = [f"class number {n}" for n in range(99)] + ["z" * 200]
    token = page.locator("meta[name=csrf-token]").get_attribute("content") or ""
    answer = page.request.post(
        f"{manager.site.url}/api/v1/projects",
        data={"name": name, "modality": "text", "task": {"type": "classification", "classes": classes}},
        headers={"X-CSRF-Token": token},
    )
    assert answer.status == 201, answer.text()

    for path in (
        "/projects",
        f"/projects/{answer.json()['slug']}/overview",
        f"/projects/{answer.json()['slug']}/settings",
    ):
        manager.open(path)
        expect(page.get_by_text(name).first).to_be_attached()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        assert not manager.overflows(), path
        assert manager.findings() == [], path


def test_a_stranger_is_sent_to_the_sign_in_page_and_an_annotator_sees_no_settings(visit: Visit) -> None:
    project_id = make_project(visit.site, count=1)
    visit.open("/projects")
    expect(visit.page).to_have_url(re.compile("/sign-in"))
    with visit.site.db.write() as session:
        user_id = accounts.create_user(session, "Bea", "correct horse battery").id
    visit.sign_in(user_id)

    visit.open(f"/projects/{project_id}/settings")

    expect(visit.page.get_by_role("heading", name="Not found")).to_be_visible()
    visit.complaints.clear()  # the browser writes the 404 of the page itself into its console
