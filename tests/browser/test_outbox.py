"""Answers that cannot be sent at once: an hour without a network, closed pages, two tabs, other people, refusals."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from app.db import Lease
from app.services import accounts
from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project, open_page, stored
from tests.browser.test_annotate_trouble import card, saved
from tests.conftest import PASSWORD

ANSWERS = "**/api/v1/annotations"
CUT = """() => {
    const fetched = window.fetch;
    window.fetch = (path, init) =>
        path === "/api/v1/annotations" ? Promise.reject(new TypeError("Failed to fetch")) : fetched(path, init);
}"""


def press(page: Page, *keys: str) -> list[str]:
    """Answer so many items; what they said."""
    seen = []
    for key in keys:
        seen.append(card(page).inner_text())
        page.keyboard.press(key)
        expect(card(page)).not_to_have_text(seen[-1])
    return seen


def cut_off(page: Page) -> None:
    """No answer leaves this page any more; what a route holds back, Chromium sends after all as the page closes."""
    page.evaluate(CUT)


def refusing(status: int, error: str, detail: str) -> Callable[[Route], None]:
    body = json.dumps({"error": error, "detail": detail})
    return lambda route: route.fulfill(status=status, content_type="application/json", body=body)


def labels(visit: Visit) -> list[int]:
    return [row.label["label"]["class_id"] for row in stored(visit.site)]


def test_an_hour_without_a_network_loses_nothing_and_is_not_counted_as_work(visit: Visit) -> None:
    visit.page.clock.install()
    page = open_page(visit, make_project(visit.site))
    page.context.set_offline(True)
    press(page, "1", "2", "1", "2")
    expect(page.get_by_role("status")).to_have_text("Offline: 4 kept here")
    page.clock.fast_forward("01:00:00")
    with visit.site.db.write() as session:  # meanwhile every lease ended on the server
        for lease in session.query(Lease):
            lease.expires_at -= timedelta(hours=2)
    press(page, "2")
    expect(page.get_by_role("status")).to_have_text("Offline: 5 kept here")

    page.context.set_offline(False)

    saved(page)
    rows = stored(visit.site)
    assert labels(visit) == [1, 2, 1, 2, 2]
    assert all(row.counted for row in rows)
    assert all(row.late for row in rows)
    assert rows[-1].seconds_spent <= 61
    visit.complaints.clear()  # the browser reports the requests that failed while it was offline


def test_a_page_closed_without_a_network_leaves_its_answers_to_the_next_one(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    cut_off(page)
    press(page, "1", "2")
    expect(page.get_by_role("status")).to_have_text("Offline: 2 kept here")
    address, context = page.url, page.context
    page.close()
    assert stored(visit.site) == []

    again = context.new_page()
    again.goto(address)

    saved(again)
    assert labels(visit) == [1, 2]


def test_answers_left_on_the_annotate_page_are_sent_from_whichever_page_comes_next(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    cut_off(page)
    press(page, "2", "2", "1")
    expect(page.get_by_role("status")).to_have_text("Offline: 3 kept here")
    assert stored(visit.site) == []

    visit.open("/projects")

    for _ in range(100):
        if len(stored(visit.site)) == 3:
            break
        page.wait_for_timeout(50)
    assert labels(visit) == [2, 2, 1]


def test_what_another_page_could_not_store_is_told_on_the_annotate_page(visit: Visit) -> None:
    project = make_project(visit.site)
    page = open_page(visit, project)
    cut_off(page)
    press(page, "1")
    expect(page.get_by_role("status")).to_have_text("Offline: 1 kept here")
    page.route(ANSWERS, refusing(410, "Gone", "the item was deleted"))
    visit.open("/projects")
    for _ in range(100):
        if page.evaluate("Object.keys(localStorage).some(each => each.includes('notices'))"):
            break
        page.wait_for_timeout(20)

    visit.open(f"/projects/{project}/annotate")

    expect(page.get_by_role("alert")).to_contain_text("Not stored: “good” for “film number")
    expect(page.get_by_role("alert")).to_contain_text("the item was deleted")
    saved(page)
    visit.complaints.clear()


def test_two_tabs_without_a_network_send_each_answer_once(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    other = page.context.new_page()
    other.goto(page.url)
    expect(card(other)).to_be_visible()
    page.context.set_offline(True)
    first = press(page, "1", "1")
    second = press(other, "2", "2")
    assert not set(first) & set(second)

    page.context.set_offline(False)

    saved(page)
    saved(other)
    rows = stored(visit.site)
    assert sorted(labels(visit)) == [1, 1, 2, 2]
    assert len({row.item_id for row in rows}) == 4
    visit.complaints.clear()


def test_where_the_browser_keeps_nothing_the_page_says_so_and_asks_before_it_is_left(visit: Visit) -> None:
    visit.page.add_init_script("IDBFactory.prototype.open = () => { throw new Error('the disk is closed') }")
    page = open_page(visit, make_project(visit.site))
    page.route(ANSWERS, lambda route: route.abort())
    press(page, "1", "2")
    expect(page.get_by_role("status")).to_have_text("Offline: 2 waiting, keep this page open")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))

    page.close(run_before_unload=True)
    page.wait_for_timeout(200)
    assert asked == ["beforeunload"]
    page.unroute(ANSWERS)

    saved(page)
    assert labels(visit) == [1, 2]
    visit.complaints.clear()


def test_a_different_answer_that_arrived_first_is_said_and_kept(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    detail = "the lease was answered already with another label"
    page.route(ANSWERS, refusing(409, "AlreadyAnswered", detail))

    press(page, "1")

    expect(page.get_by_role("alert")).to_contain_text(detail)
    saved(page)
    page.keyboard.press("j")
    expect(page.get_by_role("complementary", name="Last answers").get_by_role("listitem")).to_have_count(0)
    visit.complaints.clear()


def test_nothing_is_sent_in_the_name_of_somebody_who_signed_in_meanwhile(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    with visit.site.db.write() as session:
        bea = accounts.create_user(session, "Bea", PASSWORD).id
    page.route(ANSWERS, lambda route: route.abort())
    press(page, "1")
    expect(page.get_by_role("status")).to_have_text("Offline: 1 kept here")
    other = page.context.new_page()
    other.goto(visit.site.link(bea))
    page.unroute(ANSWERS)

    expect(page.get_by_role("status")).to_have_text("Somebody else is signed in: 1 kept here")
    assert stored(visit.site) == []
    other.goto(visit.site.link(1))

    saved(page)
    assert [row.annotator_id for row in stored(visit.site)] == [1]
    visit.complaints.clear()


@pytest.mark.night
def test_a_server_that_is_busy_for_a_while_gets_every_answer_in_order(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    page.route(ANSWERS, refusing(503, "Unavailable", "the database is busy"))
    press(page, "1", "2", "2", "1")
    expect(page.get_by_role("status")).to_have_text("Offline: 4 kept here")

    page.unroute(ANSWERS)

    saved(page)
    assert labels(visit) == [1, 2, 2, 1]
    expect(page.get_by_role("alert")).to_have_count(0)
    visit.complaints.clear()
