"""Comparing strategies on the labels that are there: asked for, stopped, gone on with, applied and undone."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit


@pytest.mark.night
def test_strategies_are_compared_and_the_winner_is_used_and_taken_back(demo_visit: Visit) -> None:
    page = demo_visit.open("/projects/handwritten-digits/simulate")
    page.get_by_label("Automatic:").uncheck()
    expect(page.get_by_role("button", name="Compare")).to_be_disabled()
    expect(page.get_by_label("Random:")).to_be_disabled()
    page.get_by_label("Coverage:").check()
    page.get_by_label("Repeats of each").fill("30")
    page.get_by_label("Labels a run").fill("40")
    page.get_by_label("Answers a round").fill("20")
    expect(page.get_by_text("60 runs, 180 rounds")).to_be_visible()
    page.get_by_role("button", name="Compare").focus()
    page.keyboard.press("Enter")

    first = page.get_by_role("region", name="Simulation 1")
    first.get_by_role("button", name="Stop").click()
    expect(first.get_by_text("It was stopped.")).to_be_visible()
    first.get_by_role("button", name="Go on").click()
    expect(first.get_by_role("progressbar")).to_be_visible()
    first.get_by_role("button", name="Stop").click()
    expect(first.get_by_role("button", name="Go on")).to_be_visible()

    page.get_by_text("Compare again").click()
    page.get_by_label("Repeats of each").fill("5")
    page.get_by_role("button", name="Compare").click()
    second = page.get_by_role("region", name="Simulation 2")
    expect(second.get_by_text("Coverage is ahead of random by")).to_be_visible(timeout=60_000)
    figures = second.get_by_role("region", name="Figures of the strategies, table")
    expect(figures.get_by_role("row", name="Coverage")).to_contain_text("%")
    expect(second.get_by_role("img", name="Accuracy on items that no run labels")).to_be_visible()
    with page.expect_download() as download:
        second.get_by_role("link", name="Picture (SVG)").click()
    assert download.value.path().read_text().startswith("<svg")
    assert demo_visit.findings() == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert not demo_visit.overflows()

    second.get_by_role("button", name="Use Coverage in this project").click()
    expect(second.get_by_text("Coverage is the strategy of this project")).to_be_visible()
    demo_visit.open("/projects/handwritten-digits/overview")
    expect(page.get_by_text("coverage was chosen by simulation 2")).to_be_visible()
    demo_visit.open("/projects/handwritten-digits/simulate")
    page.get_by_role("button", name="Delete simulation 1").click()
    page.get_by_role("button", name="Delete simulation 1 for good").click()
    expect(page.get_by_text("Simulation 1 is deleted.")).to_be_visible()
    page.get_by_role("link", name="Choose Automatic in the settings").click()
    expect(page.get_by_label("Which items are asked")).to_have_value("coverage")
