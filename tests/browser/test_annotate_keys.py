"""Keys of one's own, a thumb instead of keys, and the panel that says why."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project, open_page, stored


def card(page: Page) -> Locator:
    return page.get_by_role("article", name="Item")


def rebind(page: Page, name: str, key: str) -> None:
    """Give an action another key in the dialog, which stays open."""
    page.get_by_role("button", name=re.compile(f"^Key of {name}")).click()
    expect(page.get_by_text(re.compile("Press the new key for"))).to_be_visible()
    page.keyboard.press(key)


def dialog(page: Page) -> Locator:
    page.keyboard.press("?")
    return page.get_by_role("dialog", name="Keys")


def swipe(page: Page, to: int, down: int = 0) -> None:
    """Draw the card aside by so many pixels with one finger."""
    box = card(page).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    send = page.context.new_cdp_session(page).send
    send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in (0.25, 0.5, 0.75, 1.0):
        at = {"x": x + step * to, "y": y + step * down}
        send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
    send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_key_of_ones_own_takes_the_place_of_the_usual_one_and_is_remembered(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    box = dialog(page)
    rebind(page, "skip", "s")
    expect(box.get_by_role("status")).to_have_text("S it is.")
    rebind(page, "bad", "k")
    assert visit.findings() == []
    box.get_by_role("button", name="Close").click()
    first = card(page).inner_text()

    page.keyboard.press("Space")
    page.keyboard.press("2")  # no longer the key of "bad"
    expect(card(page)).to_have_text(first)
    page.keyboard.press("s")
    expect(card(page)).not_to_have_text(first)
    page.reload()
    expect(page.get_by_role("button", name="Skip S")).to_be_visible()
    second = card(page).inner_text()
    page.keyboard.press("k")

    expect(card(page)).not_to_have_text(second)
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert [row.label for row in stored(visit.site)] == [{"label": {"class_id": 2}}]


def test_a_key_that_is_taken_is_refused_and_the_usual_keys_come_back(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    box = dialog(page)

    rebind(page, "flag", "h")
    expect(box.get_by_role("status")).to_have_text("H is taken: guidelines.")
    rebind(page, "flag", "u")
    expect(box.get_by_role("status")).to_have_text("U is taken: the page.")
    rebind(page, "flag", "Enter")
    expect(box.get_by_role("status")).to_contain_text("Only a letter, a digit")
    rebind(page, "flag", "Escape")
    expect(box).to_be_visible()
    rebind(page, "flag", "g")
    expect(box.get_by_role("button", name="Key of flag: a note to the manager: G")).to_be_visible()
    box.get_by_role("button", name="The usual keys").click()

    expect(box.get_by_role("button", name="Key of flag: a note to the manager: F")).to_be_visible()
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    page.keyboard.press("f")
    expect(page.get_by_label("What should the manager know?")).to_be_focused()


def test_without_single_keys_nothing_is_answered_by_accident(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    box = dialog(page)
    box.get_by_label("Single-key shortcuts").uncheck()
    box.get_by_role("button", name="Close").click()
    first = card(page).inner_text()
    page.evaluate("document.activeElement.blur()")

    for key in ("1", "2", "a", "x", "Space", "f", "h", "?"):
        page.keyboard.press(key)

    expect(card(page)).to_have_text(first)
    expect(page.get_by_role("complementary")).to_have_count(0)
    page.get_by_role("button", name="good").press("Enter")
    expect(card(page)).not_to_have_text(first)
    page.keyboard.press("Control+z")
    expect(card(page)).to_have_text(first)


def test_a_thumb_answers_by_swiping_the_card(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    page = open_page(visit, make_project(visit.site))

    for to, class_id in ((-160, 1), (160, 2)):
        before = card(page).inner_text()
        swipe(page, to)
        expect(card(page)).not_to_have_text(before)
        expect(page.get_by_role("status")).to_have_text("Saved")
        assert stored(visit.site)[-1].label == {"label": {"class_id": class_id}}

    kept = card(page).inner_text()
    swipe(page, 40)  # not far enough
    swipe(page, 60, down=200)  # scrolled
    page.wait_for_timeout(200)
    expect(card(page)).to_have_text(kept)
    assert len(stored(visit.site)) == 2
    assert not visit.overflows()


def test_of_many_classes_a_swipe_to_the_left_skips(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site, classes=("a", "b", "c")))
    first = card(page).inner_text()

    swipe(page, 160)  # there is no suggestion to accept yet
    page.wait_for_timeout(200)
    expect(card(page)).to_have_text(first)
    swipe(page, -160)

    expect(card(page)).not_to_have_text(first)
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert stored(visit.site) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_panel_says_what_the_model_thinks_and_shows_items_like_it(visit: Visit, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 844})
    page = open_page(visit, make_project(visit.site, classes=("good", "bad", "ب" * 200)))
    shares = [("good", 0.4825), ("bad", 0.45), ("ب" * 200, 0.0675)]
    answer = {
        "blind": False,
        "classes": [{"class": name, "color": "#0072B2", "probability": share} for name, share in shares],
        "neighbours": [{"key": "k1", "label": {"class": "bad"}, "similarity": 0.71, "text": "a dull film " * 40}],
    }
    page.route("**/why", lambda route: route.fulfill(json=answer))
    lease = {"strategy": "margin", "score": 0.9, "rank": 4, "words": "hesitates: good 48 %, bad 45 %"}
    page.route("**/leases", lambda route: _with_reason(route, lease))
    page.reload()
    expect(page.get_by_text("hesitates: good")).to_be_visible()

    page.keyboard.press("y")

    side = page.get_by_role("complementary", name="Why this item")
    expect(side).to_contain_text("48 %")
    expect(side.get_by_role("listitem").filter(has_text="a dull film")).to_contain_text("bad 71 % alike")
    expect(side).to_contain_text("Chosen by margin, score 0.900, place 5 in the order.")
    assert visit.findings() == []
    assert not visit.overflows()
    side.get_by_role("button", name="Close").click()
    expect(side).to_have_count(0)


def _with_reason(route, reason: dict) -> None:
    answer = route.fetch()
    body = answer.json()
    for lease in body["leases"]:
        lease["reason"] = reason
    route.fulfill(response=answer, json=body)
