"""Forms, ratings, comparisons and free text by keys alone, from the first question to the undo."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.services import accounts, jobs, projects, storing
from app.services.access import Person
from app.services.rows import Reader
from app.services.tasks import questions
from tests.browser.conftest import Site, Visit
from tests.browser.test_annotate import open_page, stored
from tests.conftest import PASSWORD

FORM: dict[str, Any] = {
    "type": "form",
    "fields": [
        {
            "name": "topic",
            "type": "classification",
            "classes": ["politics", "sport", "other"],
            "title": "What is it about?",
        },
        {"name": "tone", "type": "rating", "minimum": 1, "maximum": 5, "step": 1, "title": "How warm is the tone?"},
        {
            "name": "why",
            "type": "transcription",
            "title": "What else?",
            "required": False,
            "show_if": {"topic": "other"},
            "description": "A word or two, as a heading would say it.",
        },
        {"name": "certain", "type": "rating", "minimum": 0, "maximum": 100, "step": 1, "title": "How certain are you?"},
    ],
}
OTHER = {"fields": {"topic": {"class": "politics"}, "tone": {"value": 3}}}
SENTENCES = (
    "The council voted late at night, and the mayor left before the count was read aloud.",
    "Two goals in the last minutes turned a match that everybody had given up on.",
    "Knead the dough until it no longer sticks, then let it rest under a cloth for an hour.",
)


def make(site: Site, task: dict[str, Any], rows: list[dict[str, Any]] | None = None) -> int:
    """A project of texts with a task, and its admin, who is user 1."""
    with site.db.write() as session:
        accounts.create_user(session, "Ann", PASSWORD, admin=True)
        body = {"name": "Evening news", "modality": "text", "task": task, "blind_share": 0, "audit_share": 0}
        project = projects.create(session, Person(1, "Ann", True), body)
        reader = Reader("text", questions(session, project), site.settings, {}, dict)
        rows = rows or [{"key": f"k{n}", "text": f"{SENTENCES[n % 3]} ({n})"} for n in range(12)]
        prepared = [reader.prepare(n, row) for n, row in enumerate(rows)]
        storing.store(session, project, prepared, replace=False, moment=project.created_at)
        return project.id


def here(page: Page) -> str:
    """The question that the keys act on."""
    return page.locator(".form-part.here > legend").inner_text().removesuffix("optional").strip()


def test_a_form_is_filled_in_by_keys_and_comes_back_filled_in(visit: Visit) -> None:
    page = open_page(visit, make(visit.site, FORM))
    item = page.get_by_role("article", name="Item")
    first = item.inner_text()
    assert here(page) == "What is it about?"

    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("3 questions are still open: What is it about?.")
    page.keyboard.press("3")
    assert here(page) == "How warm is the tone?"
    page.keyboard.press("4")
    expect(page.get_by_label("What else?")).to_be_focused()
    page.keyboard.type("z is a letter here")
    page.keyboard.press("Tab")
    expect(page.get_by_role("slider", name="How certain are you?")).to_be_focused()
    page.keyboard.press("End")
    assert visit.findings() == []
    page.keyboard.press("Enter")

    expect(item).not_to_have_text(first)
    expect(page.get_by_role("status")).to_have_text("Saved")
    label = stored(visit.site)[0].label
    assert label["topic"] == {"class_id": 3}
    assert label["tone"]["value"] == 4
    assert label["why"] == {"text": "z is a letter here"}
    assert label["certain"]["value"] == 100
    assert here(page) == "What is it about?"
    page.keyboard.press("z")
    expect(item).to_have_text(first)
    expect(page.get_by_label("What else?")).to_have_value("z is a letter here")
    page.keyboard.press("1")
    expect(page.get_by_label("What else?")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert "why" not in stored(visit.site)[-1].label


def test_a_suggestion_is_for_its_question_and_accepting_it_submits_nothing(visit: Visit) -> None:
    said = {"fields": {"topic": {"class": "sport"}, "tone": {"value": 2}}}
    rows: list[dict[str, Any]] = [
        {"key": f"k{n}", "text": f"{SENTENCES[n % 2]} ({n})", "label": said if n % 2 else OTHER} for n in range(24)
    ]
    rows += [{"key": f"open{n}", "text": f"{SENTENCES[n % 2]} (open {n})"} for n in range(6)]
    project = make(visit.site, {"type": "form", "fields": FORM["fields"][:2]}, rows)
    with visit.site.db.write() as session:
        jobs.enqueue(session, "featurize", project)
    page = open_page(visit, project)
    suggested = page.locator(".form-part .suggested")
    for _ in range(40):  # until the worker has published its first round
        if suggested.count():
            break
        page.wait_for_timeout(250)
        page.request.delete(f"{visit.site.url}/api/v1/projects/1/leases", headers=csrf(page))
        page.reload()
        expect(page.get_by_role("article", name="Item")).to_be_visible()
    expect(suggested).to_have_count(1)
    item = page.get_by_role("article", name="Item")
    before = item.inner_text()

    page.keyboard.press("a")

    expect(item).to_have_text(before)
    assert here(page) == "How warm is the tone?"
    expect(page.get_by_role("group", name="What is it about?").locator("[aria-pressed=true]")).to_have_count(1)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(item).not_to_have_text(before)


def csrf(page: Page) -> dict[str, str]:
    """The headers of an unsafe request of this page."""
    token = page.locator("meta[name=csrf-token]").get_attribute("content") or ""
    return {"X-CSRF-Token": token, "Origin": page.url.split("/projects")[0]}


def test_an_answer_to_a_form_waits_offline(visit: Visit) -> None:
    page = open_page(visit, make(visit.site, {"type": "form", "fields": FORM["fields"][:2]}))
    page.context.set_offline(True)
    page.keyboard.press("2")
    page.keyboard.press("5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Offline: 1 kept here")

    page.context.set_offline(False)
    page.reload()

    expect(page.get_by_role("status")).to_have_text("Saved")
    assert stored(visit.site)[0].label["tone"]["value"] == 5
    page.keyboard.press("j")
    expect(page.get_by_text("What is it about?: sport; How warm is the tone?: 5")).to_be_visible()
    visit.complaints.clear()  # the browser reports the requests that failed while it was offline


def test_a_half_filled_form_outlives_a_reload_and_nothing_else(visit: Visit) -> None:
    project = make(visit.site, FORM)
    page = open_page(visit, project)
    item = page.get_by_role("article", name="Item")
    first = item.inner_text()
    why = page.get_by_label("What else?")
    page.keyboard.press("3")
    page.keyboard.press("4")
    page.keyboard.type("half a sent")

    page.reload()

    expect(item).to_have_text(first)
    expect(why).to_have_value("half a sent")
    expect(why).to_be_focused()
    page.keyboard.type("ence")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(item).not_to_have_text(first)
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert stored(visit.site)[0].label["why"] == {"text": "half a sentence"}

    expect(page.locator("[aria-pressed=true]")).to_have_count(0)  # nothing of it is in the next one
    page.keyboard.press("3")
    page.keyboard.press("5")
    page.keyboard.type("to be skipped")
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_have_text("Saved")
    page.reload()
    expect(item).to_be_visible()
    expect(page.locator("[aria-pressed=true]")).to_have_count(0)

    page.keyboard.press("2")
    page.get_by_text("Ann", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    assert "draft" not in page.evaluate("Object.keys(sessionStorage).join()")
    visit.sign_in(1)
    visit.open(f"/projects/{project}/annotate")
    page.keyboard.press("1")
    page.goto(visit.site.url + "/projects")  # and the tab goes to somebody else without a sign-out
    with visit.site.db.write() as session:
        other = accounts.create_user(session, "Ben", PASSWORD).id
    visit.sign_in(other)
    page.goto(visit.site.url + "/projects")
    expect(page.get_by_text("Ben", exact=True)).to_be_visible()
    assert "draft" not in page.evaluate("Object.keys(sessionStorage).join()")


def test_candidates_are_put_in_order_by_keys_and_taps(visit: Visit) -> None:
    rows = [{"key": f"k{n}", "text": f"Ask {n}", "candidates": [f"first {n}", f"second {n}", f"third {n}"]}
            for n in range(6)]  # fmt: skip
    page = open_page(visit, make(visit.site, {"type": "comparison"}, rows))
    item = page.get_by_role("article", name="Item")
    before = item.inner_text()

    page.keyboard.press("3")
    page.keyboard.press("2")
    expect(page.get_by_role("button", name="Candidate 1, place 3")).to_be_visible()
    page.keyboard.press("Backspace")
    expect(page.get_by_text("Pick place 2.")).to_be_visible()
    page.get_by_role("button", name="Candidate 1").click()
    assert visit.findings() == []
    page.keyboard.press("Enter")

    expect(item).not_to_have_text(before)
    expect(page.locator("[role=status].saved")).to_have_text("Saved")
    assert stored(visit.site)[0].label == {"label": {"ranking": [2, 0, 1]}}


def test_a_single_rating_takes_one_key(visit: Visit) -> None:
    page = open_page(visit, make(visit.site, {"type": "rating", "minimum": 0, "maximum": 4, "step": 1}))

    page.keyboard.press("0")

    expect(page.get_by_role("status")).to_have_text("Saved")
    assert stored(visit.site)[0].label["label"]["value"] == 0


def test_free_text_is_typed_at_once_and_single_keys_come_back_with_escape(visit: Visit) -> None:
    page = open_page(visit, make(visit.site, {"type": "transcription"}))
    field = page.get_by_label("Your text")
    expect(field).to_be_focused()

    page.keyboard.type("zebra crossing")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("at noon")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Saved")
    expect(field).to_be_focused()
    assert stored(visit.site)[0].label == {"label": {"text": "zebra crossing\nat noon"}}
    page.keyboard.press("Escape")
    page.keyboard.press("z")
    expect(field).to_have_value("zebra crossing\nat noon")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_form_fits_the_window_and_axe_finds_nothing(visit: Visit, width: int, scheme: str) -> None:
    visit.page.set_viewport_size({"width": width, "height": 844})
    visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its two words
    page = open_page(visit, make(visit.site, FORM))
    page.keyboard.press("3")

    assert not visit.overflows()
    assert visit.findings() == []
    assert page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")


def test_a_form_is_put_together_and_mended_while_it_runs(manager: Visit) -> None:
    page = manager.open("/projects/new")
    page.get_by_label("Name", exact=True).fill("Evening news")
    page.get_by_label("Or paste text, one item a line").fill("\n".join(SENTENCES))
    page.get_by_label("What people do").select_option("form")
    page.get_by_label("Name of class 1 of question 1").fill("politics")
    page.get_by_label("Name of class 2 of question 1").fill("other")
    page.get_by_role("button", name="Add a question").click()
    page.get_by_label("Title of question 2").fill("What else?")
    page.get_by_label("Kind of question 2").select_option("transcription")
    page.get_by_label("When question 2 is asked").select_option("Which class is it?")
    page.get_by_label("Answer after which question 2 is asked").select_option("other")
    page.get_by_role("button", name="Move question 2 up").click()
    page.get_by_role("button", name="Create the project").click()
    expect(page.get_by_text("Question 1: Choose the answer after which it is asked.")).to_be_visible()
    page.get_by_role("button", name="Move question 1 down").click()
    expect(page.get_by_role("img", name="How annotators will see an item")).to_contain_text("only after “other”")
    page.get_by_role("button", name="Create the project").click()
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="Settings").click()

    page.get_by_role("button", name="Add a question").click()
    page.get_by_label("Title of question 1").fill("How warm?")
    page.get_by_label("Kind of question 1").select_option("rating")
    page.get_by_role("button", name="Remove What else?").click()
    page.get_by_role("button", name="Save the questions").click()

    expect(page.get_by_text("The questions were saved.")).to_be_visible()
    expect(page.get_by_role("heading", name="Levels: How warm?")).to_be_visible()
    assert manager.findings() == []
    page.get_by_role("link", name="Label", exact=True).click()
    expect(page.get_by_role("article", name="Item")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("5")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Today 1")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert stored(manager.site)[0].label.keys() == {"which_class_is_it", "how_warm"}


def test_a_table_of_candidates_becomes_a_comparison(manager: Visit, tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("prompt,answer_a,answer_b\n" + "\n".join(f"Ask {n},yes {n},no {n}" for n in range(5)))
    page = manager.open("/projects/new")
    page.get_by_label("Drop a file here, or choose one").set_input_files(file)

    page.get_by_label("What people do").select_option("comparison")
    expect(page.get_by_role("img", name="How annotators will see an item")).to_contain_text("Ask 0")
    expect(page.get_by_role("checkbox", name="answer_a")).to_be_checked()
    expect(page.get_by_role("status").filter(has_text="Nothing here teaches a learner")).to_be_visible()
    page.get_by_role("button", name="Create the project").click()
    page.get_by_role("link", name="Label now").click()

    expect(page.get_by_role("article", name="Item")).to_contain_text("Ask")
    expect(page.locator(".candidate-text").first).to_contain_text("yes")
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_text("A comparison teaches no learner: the order covers the pool.").first).to_be_visible()
    assert manager.findings() == []
