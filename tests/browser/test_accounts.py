"""Accounts: a forgotten password is chosen anew by an admin's link, one's own is changed, people come and go."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from app.services import accounts
from tests.browser.conftest import Visit

OLD, NEW = "correct horse battery", "quite another sentence"


def person(visit: Visit, name: str) -> int:
    with visit.site.db.write() as session:
        return accounts.create_user(session, name, OLD).id


def sign_in(visit: Visit, page: Page, name: str, password: str) -> None:
    page.goto(f"{visit.site.url}/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def choose(page: Page, password: str) -> None:
    page.locator("[name=password]").fill(password)
    page.locator("[name=again]").fill(password)
    page.get_by_role("button", name="Set it and sign in").click()


@pytest.mark.both
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_forgotten_password_is_chosen_anew_by_an_admins_link(
    manager: Visit, browser: Browser, width: int, scheme: str
) -> None:
    person(manager, "Bea")
    page = manager.page
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal in the parameter list
    manager.open("/accounts")

    page.get_by_role("button", name="Password link: Bea").click()

    link = page.get_by_label("Send this link to Bea")
    expect(link).to_have_value(re.compile(r"/password/.{20,}"))
    assert manager.findings() == []
    assert not manager.overflows()
    with browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 844}) as other:  # type: ignore[arg-type]
        guest = other.new_page()
        guest.goto(link.input_value())
        expect(guest.get_by_text("Choose a new password for Bea")).to_be_visible()
        choose(guest, "password1234")
        expect(guest.get_by_role("alert")).not_to_be_empty()
        choose(guest, NEW)
        expect(guest).to_have_url(re.compile("/projects$"))
        guest.goto(link.input_value())
        expect(guest.get_by_text("not valid any more")).to_be_visible()


def test_a_person_changes_the_own_password_and_is_told_what_is_wrong(visit: Visit) -> None:
    person(visit, "Bea")
    page = visit.page
    sign_in(visit, page, "Bea", OLD)
    expect(page).to_have_url(re.compile("/projects$"))
    visit.open("/account")

    def change(old: str, new: str, again: str) -> None:
        page.get_by_label("Current password").fill(old)
        page.get_by_label("New password", exact=True).fill(new)
        page.get_by_label("New password again").fill(again)
        page.get_by_role("button", name="Change the password").click()

    change(OLD, NEW, f"{NEW}!")
    expect(page.get_by_role("alert")).to_have_text("The two new passwords differ.")
    change("not the old one", NEW, NEW)
    expect(page.get_by_role("alert")).to_contain_text("old password is wrong")
    assert visit.findings() == []
    visit.complaints.clear()  # of the refused one
    change(OLD, NEW, NEW)
    expect(page.get_by_role("status")).to_contain_text("The password is changed.")
    page.reload()  # this browser stays signed in
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    with page.expect_download() as given:
        page.get_by_role("link", name="Download it").click()
    assert '"name":"Bea"' in given.value.path().read_text().replace(" ", "")


def test_an_admin_adds_switches_off_and_erases(manager: Visit) -> None:
    page = manager.open("/accounts")
    page.get_by_label("Name", exact=True).fill("Deniz")
    page.get_by_label("First password").fill(OLD)
    page.get_by_role("button", name="Make the account").click()
    row = page.get_by_role("row").filter(has_text="Deniz")
    expect(row).to_contain_text("by project")

    page.get_by_role("button", name="Make admin: Deniz").click()
    expect(row).to_contain_text("everything")
    page.get_by_role("button", name="Switch off: Deniz").click()
    expect(page.get_by_role("status")).to_contain_text("Press again to switch off.")
    expect(row).to_contain_text("active")
    page.get_by_role("button", name="Switch off: Deniz").click()
    expect(row).to_contain_text("switched off")
    page.get_by_role("button", name="Switch on: Deniz").click()
    expect(page.get_by_role("status")).to_have_text("Deniz is switched on.")
    for _ in range(2):
        page.get_by_role("button", name="Erase: Deniz").click()
    expect(page.get_by_role("status")).to_have_text("Deniz is erased.")
    expect(row).to_have_count(0)


def test_the_last_admin_stays_and_is_told_so(manager: Visit) -> None:
    page = manager.open("/accounts")
    for _ in range(2):
        page.get_by_role("button", name="Erase: Ada").click()

    expect(page.get_by_role("alert")).to_contain_text("the last admin cannot be removed")
    manager.complaints.clear()  # of the refused one


def test_the_demos_visitor_is_told_that_there_is_no_password(demo_visit: Visit) -> None:
    page = demo_visit.open("/account")

    expect(page.get_by_text("signs in by the link that the demo printed")).to_be_visible()
    expect(page.get_by_label("Current password")).to_have_count(0)
