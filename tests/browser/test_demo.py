"""The five minutes of a visitor: label ten digits, see the curve, watch two curves part, begin again."""

import re

import pytest
from playwright.sync_api import Page, expect
from sklearn.datasets import load_digits

from tests.browser.conftest import Demo, Visit

ROUND_MS = 120_000  # a bound for a busy machine; alone it takes three seconds


def press_the_right_digit(page: Page, digits: list[int]) -> None:
    """Answer the item that is shown as the person who wrote it would."""
    picture = page.get_by_role("article", name="Item").locator("img")
    expect(picture).to_have_attribute("alt", re.compile(r"digit-\d{4}"))
    name = picture.get_attribute("alt") or ""
    page.keyboard.press(str(digits[int(name[6:10])]))
    expect(picture).not_to_have_attribute("alt", name)


def test_ten_keys_give_a_curve_with_a_band_and_a_wall_of_piles(demo_visit: Visit, prepared_demo: Demo) -> None:
    digits = load_digits().target.tolist()
    page = demo_visit.page
    page.context.clear_cookies()
    page.goto(demo_visit.site.link(prepared_demo.user_id, prepared_demo.project_id))
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_text("200 are left in it")).to_be_visible(timeout=ROUND_MS)
    page.get_by_role("navigation", name="Project").get_by_role("link", name="Label").click()

    for _ in range(10):
        press_the_right_digit(page, digits)
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    demo_visit.open("/projects/handwritten-digits/overview")

    chart = page.get_by_role("img", name=re.compile("Learning curve: this project ends at"))
    expect(chart).to_be_visible(timeout=ROUND_MS)
    expect(chart.locator("path.band")).to_have_attribute("d", re.compile("^M"))
    expect(page.get_by_text(re.compile("Accuracy on your own test set"))).to_be_visible()
    assert page.get_by_role("region", name=re.compile("^Predicted ")).count() >= 5
    assert page.locator(".pile img").count() == 200
    assert demo_visit.findings() == []


def test_the_reason_stands_in_words_under_the_item(demo_visit: Visit) -> None:
    digits = load_digits().target.tolist()
    page = demo_visit.open("/projects/handwritten-digits/annotate")

    said = page.get_by_text(re.compile(r"(hesitates|quite sure): \d \d+ %"))
    for _ in range(60):  # what the page holds already was chosen before the model knew anything
        press_the_right_digit(page, digits)
        if said.is_visible():
            break

    expect(said).to_be_visible()


@pytest.mark.night
def test_two_simulated_curves_part_and_no_answer_is_stored(demo_visit: Visit) -> None:
    page = demo_visit.open("/projects/handwritten-digits/watch")
    start = page.get_by_role("button", name="Watch it learn")
    expect(start).to_be_enabled(timeout=ROUND_MS)

    start.click()

    expect(page.get_by_text("Both have given 200 labels.")).to_be_visible(timeout=ROUND_MS)
    expect(page.get_by_text(re.compile(r"90 % right after \d+ labels"))).to_be_visible()
    assert page.locator(".curve").count() == 2
    demo_visit.open("/projects/handwritten-digits/overview")
    expect(page.get_by_text("0 of 1,497 items labelled")).to_be_visible()


def test_reset_gives_a_fresh_start(demo_visit: Visit) -> None:
    digits = load_digits().target.tolist()
    page = demo_visit.open("/projects/handwritten-digits/annotate")
    for _ in range(3):
        press_the_right_digit(page, digits)
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()

    demo_visit.open("/projects/handwritten-digits/watch")
    page.get_by_role("button", name="Reset and try yourself").click()

    expect(page.get_by_text("All answers and rounds of the demo are erased")).to_be_visible()
    demo_visit.open("/projects/handwritten-digits/overview")
    expect(page.get_by_text("0 of 1,497 items labelled")).to_be_visible()
    expect(page.get_by_text("200 are left in it")).to_be_visible(timeout=ROUND_MS)
