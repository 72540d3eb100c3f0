"""A note to the manager, the reply on the items page, and how its writer hears of it."""

from playwright.sync_api import expect

from app.db import Item
from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project, open_page
from tests.browser.test_settings import look_again


def test_a_reply_is_a_quiet_notice_at_the_next_item_and_stays_with_the_last_answers(visit: Visit) -> None:
    project = make_project(visit.site)
    page = open_page(visit, project)
    page.keyboard.press("f")
    page.get_by_label("What should the manager know?").fill("Is this a film?")
    page.get_by_role("button", name="Send the flag").click()
    expect(page.get_by_role("status")).to_have_text("Saved")
    manager = visit.page.context.new_page()
    manager.goto(f"{visit.site.url}/projects/{project}/items?status=flagged")
    manager.get_by_role("button", name="film number").first.click()

    manager.get_by_label("Reply to Ann").fill("It is one.")
    manager.get_by_role("button", name="Reply", exact=True).click()

    expect(manager.get_by_text("Ann reads your reply at the next item.")).to_be_visible()
    look_again(page)
    notice = page.get_by_text("Reply to your note “Is this a film?”")
    expect(notice).to_contain_text("It is one.")
    assert visit.findings() == []
    page.get_by_role("button", name="Dismiss").click()
    page.keyboard.press("j")
    expect(page.get_by_role("list", name="Your notes")).to_contain_text("It is one.")
    page.reload()
    expect(page.get_by_role("article", name="Item")).to_be_visible()
    look_again(page)
    expect(notice).to_have_count(0)


def test_an_item_that_three_people_skipped_is_served_again_from_the_items_page(visit: Visit) -> None:
    project = make_project(visit.site, count=3)
    with visit.site.db.write() as session:
        session.query(Item).filter(Item.key == "k1").update({"skips": 3})
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items?status=stuck")
    page.get_by_role("button", name="film number 1").first.click()

    page.get_by_role("button", name="Serve it again").click()

    expect(page.get_by_text("It is asked about again, also of those who skipped it.")).to_be_visible()
    expect(page.get_by_role("button", name="Serve it again")).to_have_count(0)


def test_the_people_page_says_how_much_each_one_answered(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    for key in "12":
        page.keyboard.press(key)
    expect(page.get_by_role("status")).to_have_text("Saved")

    page.goto(page.url.replace("/annotate", "/people"))

    line = page.get_by_role("row", name="Ann (you)")
    expect(line.get_by_role("cell").nth(2)).to_have_text("2")
    expect(line.get_by_role("cell").nth(3)).to_have_text("2")
    assert visit.findings() == []
