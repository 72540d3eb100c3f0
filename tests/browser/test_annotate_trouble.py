"""The annotate page on bad days: quick undo, two tabs, lost networks, refusals, the mouse beside the keys."""

import io
import json
import re

from PIL import Image
from playwright.sync_api import Page, Route, expect

from app.db import Item
from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project, open_page, stored


def card(page: Page):
    return page.get_by_role("article", name="Item")


def saved(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text("Saved")


def test_an_answer_taken_back_at_once_is_not_stored_behind_ones_back(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    first = card(page).inner_text()

    page.keyboard.press("1")
    page.keyboard.press("z")

    expect(card(page)).to_have_text(first)
    saved(page)
    assert all(row.retracted for row in stored(visit.site)[-1:])
    page.keyboard.press("2")
    expect(card(page)).not_to_have_text(first)
    saved(page)
    assert stored(visit.site)[-1].label == {"label": {"class_id": 2}}


def test_a_reload_does_not_ask_again_what_waits_to_be_sent(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    page.route("**/api/v1/annotations", lambda route: route.abort())
    seen = []
    for _ in range(2):
        seen.append(card(page).inner_text())
        page.keyboard.press("1")
        expect(card(page)).not_to_have_text(seen[-1])
    expect(page.get_by_role("status")).to_have_text("Offline: 2 kept here")

    page.reload()

    expect(card(page)).to_be_visible()
    assert card(page).inner_text() not in seen
    page.unroute("**/api/v1/annotations")
    saved(page)
    assert len(stored(visit.site)) == 2
    visit.complaints.clear()  # the browser reports the requests that were cut off


def test_an_item_answered_in_one_tab_leaves_the_other(visit: Visit) -> None:
    project = make_project(visit.site)
    page = open_page(visit, project)
    other = page.context.new_page()
    other.goto(page.url)
    expect(card(other)).to_have_text(card(page).inner_text())

    before = card(page).inner_text()
    page.keyboard.press("1")
    expect(card(page)).not_to_have_text(before)

    expect(card(other)).not_to_have_text(before)
    saved(page)
    assert len(stored(visit.site)) == 1


def test_a_refused_answer_comes_back_with_its_label_and_reason(visit: Visit) -> None:
    def refuse(route: Route) -> None:
        body = {"error": "Gone", "detail": "the item was deleted"}
        route.fulfill(status=410, content_type="application/json", body=json.dumps(body))

    page = open_page(visit, make_project(visit.site))
    page.route("**/api/v1/annotations", refuse)
    page.keyboard.press("1")

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Not stored: “good” for “film number")
    expect(alert).to_contain_text("the item was deleted")
    page.reload()
    expect(alert).to_contain_text("the item was deleted")
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_have_count(0)
    visit.complaints.clear()  # the browser reports the refusal


def test_after_a_click_the_space_key_skips_and_answers_nothing(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    first = card(page).inner_text()
    page.get_by_role("button", name="good").click()
    expect(card(page)).not_to_have_text(first)
    second = card(page).inner_text()

    page.keyboard.press("Space")

    expect(card(page)).not_to_have_text(second)
    saved(page)
    assert len(stored(visit.site)) == 1


def test_a_text_too_long_to_be_remembered_is_answered_and_taken_back_all_the_same(visit: Visit) -> None:
    project = make_project(visit.site, count=6)
    with visit.site.db.write() as session:
        for item in session.query(Item):
            item.payload = {"text": f"{item.key} " + "word " * 100_000}
    page = open_page(visit, project)
    for _ in range(4):
        before = card(page).inner_text()[:8]
        page.keyboard.press("1")
        expect(card(page)).not_to_contain_text(re.compile(rf"^\s*{before}"))
    saved(page)
    page.reload()
    expect(card(page)).to_be_visible()

    page.keyboard.press("z")

    expect(card(page)).to_contain_text(re.compile(rf"^\s*{before}"))
    assert len([row for row in stored(visit.site) if row.retracted]) == 1


def test_the_choice_can_wait_for_enter_and_stands_beside_the_item(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    page.keyboard.press("?")
    page.get_by_label("One choice submits at once").uncheck()
    page.get_by_label("Answers at the right of the item").check()
    page.get_by_role("button", name="Close").click()

    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.get_by_role("button", name="bad", pressed=True)).to_be_visible()
    assert stored(visit.site) == []
    page.keyboard.press("Enter")

    saved(page)
    assert stored(visit.site)[0].label == {"label": {"class_id": 2}}
    page.reload()
    item, answer = card(page).bounding_box(), page.get_by_role("button", name="good").bounding_box()
    assert item is not None
    assert answer is not None
    assert answer["x"] >= item["x"] + item["width"]


def test_a_small_picture_is_drawn_sharp_and_the_wheel_zooms_it(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    digit = io.BytesIO()
    Image.new("L", (8, 8), 128).save(digit, "PNG")
    page.route("**/digit.png", lambda route: route.fulfill(body=digit.getvalue(), content_type="image/png"))

    def with_pictures(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        for lease in body["leases"]:
            lease["item"]["image"] = {"media": 1, "url": "/digit.png", "width": 8, "height": 8}
        route.fulfill(response=answer, json=body)

    page.route("**/leases", with_pictures)
    page.reload()
    picture = card(page).locator("img.pixelated")
    expect(picture).to_be_visible()

    picture.hover()
    page.mouse.wheel(0, -100)
    expect(page.locator("image-stage.zoomed")).to_have_count(1)
    page.keyboard.press("0")
    expect(page.locator("image-stage.zoomed")).to_have_count(0)
    assert visit.findings() == []
