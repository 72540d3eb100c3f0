"""The settings of a running project, and what they do to the page of somebody who labels meanwhile."""

import time

import pytest
from playwright.sync_api import Page, expect

from app.db import FeatureSet, Project
from app.services import jobs
from app.strategies import POOL_STRATEGIES
from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project, open_page, stored


def open_settings(visit: Visit, project: int) -> Page:
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/settings")
    expect(page.get_by_role("heading", name="Classes")).to_be_visible()
    return page


def wait_for_features(visit: Visit) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with visit.site.db.read() as session:
            if session.query(FeatureSet).filter(FeatureSet.active).count():
                return
        time.sleep(0.05)


def look_again(page: Page) -> None:
    """What the page does by itself every 20 seconds, and when somebody comes back to it."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_classes_change_under_the_hands_of_whoever_labels(visit: Visit) -> None:
    project = make_project(visit.site, classes=("good", "bad", "dull"))
    labelling = open_page(visit, project)
    for key in "123":
        labelling.keyboard.press(key)
    expect(labelling.get_by_role("status")).to_have_text("Saved")
    settings = visit.page.context.new_page()
    settings.goto(f"{visit.site.url}/projects/{project}/settings")

    settings.get_by_role("button", name="Merge dull").click()
    settings.get_by_label("Read the 1 answers of dull as").select_option("bad")
    settings.get_by_role("button", name="Merge", exact=True).click()

    expect(settings.get_by_role("status")).to_contain_text("dull is read as bad now: bad has 2 answers.")
    expect(settings.get_by_role("link", name="Answers of bad: 2")).to_be_visible()
    labelling.keyboard.press("3")  # the page does not know of it yet: its answer counts all the same
    expect(labelling.get_by_role("status")).to_have_text("Saved")
    settings.get_by_label("New class").fill("odd")
    settings.get_by_role("button", name="Add").click()
    expect(settings.get_by_role("status")).to_contain_text("odd was added")
    look_again(labelling)
    expect(labelling.get_by_text("The classes changed. New: odd. No longer to be chosen: dull.")).to_be_visible()
    expect(labelling.get_by_role("button", name="dull")).to_have_count(0)
    labelling.get_by_role("button", name="odd").click()
    expect(labelling.get_by_role("status")).to_have_text("Saved")
    assert [row.label["label"]["class_id"] for row in stored(visit.site)] == [1, 2, 3, 3, 4]
    settings.reload()
    expect(settings.get_by_role("link", name="Answers of bad: 3")).to_be_visible()

    settings.get_by_role("button", name="Undo the merge of dull").click()

    expect(settings.get_by_role("link", name="Answers of dull: 2")).to_be_visible()


def test_what_a_class_concerns_is_looked_at_on_the_items_page(visit: Visit) -> None:
    project = make_project(visit.site)
    page = open_page(visit, project)
    for key in "1212":
        page.keyboard.press(key)
    expect(page.get_by_role("status")).to_have_text("Saved")
    with visit.site.db.write() as session:
        jobs.enqueue(session, "featurize", project)
    wait_for_features(visit)
    page.goto(f"{visit.site.url}/projects/{project}/settings")

    page.get_by_role("button", name="Review good").click()  # few answers: those of the other class that are like them

    expect(page.get_by_text("2 items")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_settings_fit_the_window_and_are_accessible(visit: Visit, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 844})
    page = open_settings(visit, make_project(visit.site, classes=("good", "b" * 200, "dull")))
    page.get_by_role("button", name="Merge good").click()

    assert not visit.overflows()
    assert visit.findings() == []


def test_a_goal_of_hours_and_a_day_is_set_and_shown(visit: Visit) -> None:
    project = make_project(visit.site)
    page = open_settings(visit, project)
    page.get_by_label("Goal: accuracy in %").fill("95.5")
    page.get_by_label("Audit share").fill("12.5")
    page.get_by_label("Goal: labels").fill("50")
    page.get_by_label("Goal: hours of work").fill("7.5")
    page.get_by_label("Goal: last day").fill("2099-12-24")
    page.get_by_label("Which audit items").select_option("active")
    expect(page.get_by_text("Audit items that the model is unsure of come first")).to_be_visible()
    page.locator("form", has=page.get_by_role("heading", name="Goal and learning")).get_by_role(
        "button", name="Save"
    ).click()
    expect(page.get_by_role("status")).to_have_text("Saved. The next round goes by it.")

    page.reload()

    expect(page.get_by_label("Goal: last day")).to_have_value("2099-12-24")
    expect(page.get_by_label("Goal: accuracy in %")).to_have_value("95.5")
    expect(page.get_by_label("Audit share")).to_have_value("12.5")
    expect(page.get_by_label("Which audit items")).to_have_value("active")
    page.goto(f"{visit.site.url}/projects/{project}/overview")
    goal = page.get_by_role("list", name="Goal")
    expect(goal).to_contain_text("0 of 50 labels")
    expect(goal).to_contain_text("0.0 of 7.5 hours")
    expect(goal).to_contain_text("until 24 December 2099")
    page.goto(f"{visit.site.url}/projects/{project}/annotate")
    expect(page.get_by_text("95.5 % right: cannot tell yet · 0 of 50 labels · 0.0 of 7.5 hours")).to_be_visible()


def test_a_project_is_paused_and_resumed_on_its_overview(visit: Visit) -> None:
    project = make_project(visit.site)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/overview")

    page.get_by_role("button", name="Pause").click()

    expect(page.get_by_text("The project is paused: open it to go on.")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_a_deleted_project_is_brought_back_from_the_list(visit: Visit) -> None:
    page = open_settings(visit, make_project(visit.site))
    page.get_by_text("Delete the project").click()
    page.get_by_role("button", name="Delete Films").click()
    expect(page.get_by_role("heading", name="Deleted")).to_be_visible()
    expect(page.get_by_text("gone for good after")).to_be_visible()
    assert visit.findings() == []

    page.get_by_role("button", name="Bring back Films").click()

    expect(page.get_by_role("link", name="Films")).to_be_visible()
    expect(page.get_by_role("heading", name="Deleted")).to_have_count(0)


def test_a_project_is_copied_with_its_classes(visit: Visit) -> None:
    page = open_settings(visit, make_project(visit.site, classes=("good", "bad")))
    page.get_by_text("Copy the project").click()
    page.get_by_label("Name of the copy").fill("Films of 2027")

    page.get_by_role("button", name="Copy", exact=True).click()

    page.wait_for_url("**/projects/films-of-2027/settings")
    expect(page.get_by_label("Name of good")).to_have_value("good")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Films of 2027")


def test_guidelines_are_compared_and_an_earlier_version_is_written_again(visit: Visit) -> None:
    page = open_settings(visit, make_project(visit.site))
    field = page.get_by_role("textbox", name="Guidelines")
    field.fill("# Good films\nare long.")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("status")).to_have_text("Saved.")

    page.get_by_text("Versions").click()

    page.get_by_role("button", name="Changes of version 2").click()
    expect(page.locator(".diff ins")).to_have_text("are long.")
    expect(page.locator(".diff del").first).to_have_text("are *good*.")
    assert visit.findings() == []
    page.get_by_role("button", name="Write again: version 1").click()
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("button", name="Changes of version 3")).to_be_visible()
    expect(field).to_have_value("# Good films\nare *good*.\n\n<script>alert(1)</script>")


def test_the_parameters_of_a_strategy_are_a_form_and_stay_when_something_else_is_saved(visit: Visit) -> None:
    project = make_project(visit.site)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/settings")
    form = page.get_by_role("form", name="Goal and learning")
    strategy = form.get_by_label("Which items are asked")

    def save() -> None:
        with page.expect_response(lambda answer: answer.request.method == "PATCH") as saved:
            form.get_by_role("button", name="Save").click()
        assert saved.value.status == 200

    expect(strategy.locator("> option")).to_have_count(2)  # automatic and random; every other name is advanced
    expect(strategy.locator("optgroup[label=Advanced] option")).to_have_count(len(POOL_STRATEGIES) - 1)
    strategy.select_option(label="Uncertainty herding: unsure items that stand for many others")
    form.get_by_role("spinbutton", name="own").fill("0.2")
    save()
    assert visit.findings() == []
    page.reload()
    expect(form.get_by_role("spinbutton", name="own")).to_have_value("0.2")
    form.get_by_label("Goal: labels").fill("500")
    save()

    with visit.site.db.read() as session:
        stored = session.get_one(Project, project)
        assert (stored.strategy, stored.goal) == ({"name": "uherding", "own": 0.2}, {"labels": 500})
    strategy.select_option("margin")
    expect(form.get_by_role("spinbutton", name="own")).to_have_count(0)
    save()
    with visit.site.db.read() as session:
        assert session.get_one(Project, project).strategy == {"name": "margin"}
