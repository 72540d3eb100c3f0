"""Labelling by keys: the next item at once, nothing lost, everything undone."""

import gzip
import statistics

import pytest
from playwright.sync_api import Page, expect

from app.db import Annotation, Item
from app.services import accounts, projects, storing
from app.services.access import Person
from app.services.rows import Reader
from app.services.tasks import questions
from tests.browser.conftest import ROOT, Site, Visit
from tests.conftest import PASSWORD


def make_project(site: Site, count: int = 40, classes: tuple[str, ...] = ("good", "bad"), **task) -> int:
    """A project of texts and its admin, who is user 1."""
    with site.db.write() as session:
        accounts.create_user(session, "Ann", PASSWORD, admin=True)
        body = {
            "name": "Films",
            "modality": "text",
            "task": {"classes": list(classes), **task},
            "guidelines": "# Good films\nare *good*.\n\n<script>alert(1)</script>",
        }
        project = projects.create(session, Person(1, "Ann", True), body)
        reader = Reader("text", questions(session, project), site.settings, {}, dict)
        rows = [
            reader.prepare(n, {"key": f"k{n}", "text": f"film number {n} was {('fine', 'dull')[n % 2]}"})
            for n in range(count)
        ]
        storing.store(session, project, rows, replace=False, moment=project.created_at)
        return project.id


def open_page(visit: Visit, project: int) -> Page:
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/annotate")
    expect(page.get_by_role("article", name="Item")).to_be_visible()
    return page


def stored(site: Site) -> list[Annotation]:
    with site.db.read() as session:
        return list(session.query(Annotation).order_by(Annotation.id))


def test_a_key_saves_the_label_and_shows_the_next_item(visit: Visit) -> None:
    project = make_project(visit.site)
    page = open_page(visit, project)
    item = page.get_by_role("article", name="Item")
    first = item.inner_text()

    page.keyboard.press("1")

    expect(item).not_to_have_text(first)
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert [row.label for row in stored(visit.site)] == [{"label": {"class_id": 1}}]
    assert visit.findings() == []


def test_the_next_item_is_on_screen_within_fifty_milliseconds_of_the_key(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    page.evaluate(
        """() => {
            window.times = [];
            document.addEventListener('keydown', () => {
                const start = performance.now();
                requestAnimationFrame(() => requestAnimationFrame(() => window.times.push(performance.now() - start)));
            }, true);
        }"""
    )
    item = page.get_by_role("article", name="Item")
    for _ in range(15):
        before = item.inner_text()
        page.keyboard.press("2")
        expect(item).not_to_have_text(before)

    times = page.evaluate(
        "new Promise(done => (function look() {"
        "window.times.length < 15 ? requestAnimationFrame(look) : done(window.times) })())"
    )
    assert len(times) == 15
    assert statistics.median(times) <= 50, times


def test_undo_takes_back_the_last_answer_also_after_a_reload(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    item = page.get_by_role("article", name="Item")
    first = item.inner_text()
    page.keyboard.press("1")
    expect(page.get_by_role("status")).to_have_text("Saved")
    page.reload()
    expect(item).not_to_have_text(first)

    page.keyboard.press("z")

    expect(item).to_have_text(first)
    assert [row.retracted for row in stored(visit.site)] == [False, True]


def test_answers_typed_offline_arrive_after_a_reload(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    item = page.get_by_role("article", name="Item")
    page.context.set_offline(True)
    for _ in range(3):
        before = item.inner_text()
        page.keyboard.press("1")
        expect(item).not_to_have_text(before)
    expect(page.get_by_role("status")).to_have_text("Offline: 3 kept here")
    assert stored(visit.site) == []

    page.context.set_offline(False)
    page.reload()

    expect(page.get_by_role("status")).to_have_text("Saved")
    assert len(stored(visit.site)) == 3
    visit.complaints.clear()  # the browser reports the requests that failed while it was offline


def test_a_held_key_answers_once_and_enter_without_a_choice_does_nothing(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))
    item = page.get_by_role("article", name="Item")
    first = item.inner_text()

    page.keyboard.press("Enter")
    expect(item).to_have_text(first)
    page.keyboard.down("1")
    for _ in range(5):
        page.keyboard.down("1")
    page.keyboard.up("1")

    expect(page.get_by_role("status")).to_have_text("Saved")
    assert len(stored(visit.site)) == 1


def test_several_classes_are_chosen_by_keys_and_submitted_with_enter(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site, classes=("a", "b", "c"), multiple=True))

    page.keyboard.press("1")
    page.keyboard.press("3")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Saved")
    assert stored(visit.site)[0].label == {"label": {"class_ids": [1, 3]}}


def test_with_many_classes_typing_finds_one(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site, classes=tuple(f"class {n}" for n in range(60))))
    expect(page.get_by_role("button", name="class 42")).to_be_visible()

    page.keyboard.press("/")
    page.keyboard.type("s 42")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Saved")
    assert stored(visit.site)[0].label == {"label": {"class_id": 43}}


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_answers_stay_in_their_places_whatever_the_item_holds(visit: Visit, width: int, height: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": height})
    project = make_project(visit.site, count=4, classes=("good", "ب" * 200, *(f"class {n}" for n in range(98))))
    with visit.site.db.write() as session:
        for item, text in zip(session.query(Item), ("short", "word " * 3_000, "x" * 4_000, "مرحبا " * 99), strict=True):
            item.payload = {"text": text}
    page = open_page(visit, project)
    button = page.get_by_role("button", name="good")
    tools = page.get_by_role("toolbar", name="Tools")
    places = []
    for _ in range(3):
        before = page.get_by_role("article", name="Item").inner_text()
        places.append((button.bounding_box(), tools.bounding_box()))
        assert not visit.overflows()
        assert page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
        page.keyboard.press("1")
        expect(page.get_by_role("article", name="Item")).not_to_have_text(before)

    assert places[0] == places[1] == places[2]
    assert visit.findings() == []


def test_guidelines_are_shown_without_their_scripts(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))

    page.keyboard.press("h")

    side = page.get_by_role("complementary", name="Guidelines")
    expect(side.get_by_role("heading", name="Good films")).to_be_visible()
    assert side.locator("script").count() == 0


def test_a_flag_reaches_the_manager(visit: Visit) -> None:
    page = open_page(visit, make_project(visit.site))

    page.keyboard.press("f")
    page.get_by_label("What should the manager know?").fill("this is no film")
    page.get_by_role("button", name="Send the flag").click()

    expect(page.get_by_role("status")).to_have_text("Saved")
    expect(page.get_by_label("What should the manager know?")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_axe_finds_nothing(visit: Visit, width: int, scheme: str) -> None:
    visit.page.set_viewport_size({"width": width, "height": 780})
    visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its two words
    page = open_page(visit, make_project(visit.site))

    assert not visit.overflows()
    assert visit.findings() == []
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert visit.findings() == []


def test_the_first_admin_signs_in_through_the_doors(visit: Visit) -> None:
    with visit.site.db.write() as session:
        code = accounts.setup_link(session)
    page = visit.open(f"/setup/{code}")
    page.get_by_label("Name").fill("Ann")
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    assert visit.findings() == []
    page.get_by_role("button", name="Make the account").click()
    page.wait_for_url("**/projects")

    page.context.clear_cookies()
    visit.open("/projects/new")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill("something else")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("name or password is wrong")
    visit.complaints.clear()  # the browser reports the refusal
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/projects/new")


def test_the_annotate_page_loads_at_most_sixty_kibibytes(visit: Visit) -> None:
    loaded: list[str] = []
    visit.page.on("response", lambda answer: loaded.append(answer.url))
    open_page(visit, make_project(visit.site))

    files = {url.rsplit("/", 1)[-1] for url in loaded if "/static/dist/" in url}
    size = sum(len(gzip.compress((ROOT / "static" / "dist" / name).read_bytes())) for name in files)
    assert len(files) >= 3
    assert size <= 60 * 1024
