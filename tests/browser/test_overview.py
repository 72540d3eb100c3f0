"""What the overview draws: curves with bands, words where a band is wide, names that stay inside the chart."""

import copy
import re
from itertools import combinations
from typing import Any

import pytest
from playwright.sync_api import Error, FloatRect, Locator, Page, Route, expect
from sqlalchemy import update

from app.db import Item
from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project


def estimate(value: float, half: float = 0.04, n: int = 80) -> dict[str, Any]:
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half), "n": n}


def point(number: int, labels: int, accuracy: dict[str, Any], random: dict[str, Any]) -> dict[str, Any]:
    twin = {"labels": labels // 2, "random": random, "chosen": accuracy}
    return {"round": number, "labels": labels, "accuracy": accuracy, "stratum": "audit", "twin": twin}


CURVE = [point(n, 40 * n, estimate(0.6 + 0.08 * n), estimate(0.5 + 0.06 * n)) for n in range(1, 5)]
RANDOM = [{"labels": each["twin"]["labels"], "accuracy": each["twin"]["random"]} for each in CURVE]


def open_overview(visit: Visit, change: dict[str, Any]) -> Page:
    """The overview of a project of texts, its answer changed on the way to the page."""
    project = make_project(visit.site, count=6, classes=("good", "ب" * 200, "bad"))

    def changed(route: Route) -> None:
        try:
            answer = route.fetch()
        except Error:  # the site has gone down after the test
            return
        body = answer.json()
        for name, value in copy.deepcopy(change).items():
            body[name] = {**body[name], **value} if isinstance(body.get(name), dict) else value
        route.fulfill(response=answer, json=body)

    visit.page.route("**/overview", lambda route: changed(route) if "/api/" in route.request.url else route.continue_())
    visit.sign_in(1)
    return visit.open(f"/projects/{project}/overview")


@pytest.mark.parametrize("width", [1280, 390])
def test_random_answers_alone_are_a_quiet_line_named_at_its_end(visit: Visit, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 844})
    page = open_overview(visit, {"curve": CURVE, "random": {"name": "random answers alone", "points": RANDOM}})

    chart = page.get_by_role("img", name=re.compile("this project ends at 92.0 %.*random answers alone ends at 74.0 %"))
    expect(chart).to_be_visible()
    expect(chart.locator(".curve.twin circle")).to_have_count(4)
    expect(chart.locator("path.band.twin")).to_have_attribute("d", re.compile("^M"))
    frame = chart.bounding_box()
    for name in chart.locator("text.name").all():
        box = name.bounding_box()
        assert frame is not None
        assert box is not None
        assert box["x"] >= frame["x"]
        assert box["x"] + box["width"] <= frame["x"] + frame["width"]
    beside = (
        "80 chosen labels give 92 % (88 to 96 %), as many random ones 74 % (70 to 78 %), judged by 80 audit answers."
    )
    expect(page.get_by_text(beside)).to_be_visible()
    assert not visit.overflows()
    assert visit.findings() == []


def boxes(words: Locator) -> list[FloatRect]:
    """Where some words stand, each of them shown."""
    found = [each.bounding_box() for each in words.all()]
    return [each for each in found if each is not None]


def touch(one: FloatRect, other: FloatRect) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "width"), ("y", "height"))
    )


SHORT = [(4, 0.12), (10, 0.62), (20, 0.74), (40, 0.79), (60, 0.84)]
LONG = [(20, 0.75), (60, 0.81), (90, 0.73), (180, 0.8), (240, 0.86), (320, 0.9)]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("goal", [0.86, 0.92])
def test_the_words_of_a_curve_cover_neither_each_other_nor_a_point(visit: Visit, width: int, goal: float) -> None:
    """What random answers teach ends early: its name ran back over its points and over the goal's words."""
    random = [{"labels": labels, "accuracy": estimate(value)} for labels, value in SHORT]
    curve = [point(n, labels, estimate(value), estimate(0.5)) for n, (labels, value) in enumerate(LONG, 1)]
    curve = [each | {"twin": None} for each in curve]
    visit.page.set_viewport_size({"width": width, "height": 844})
    change = {"curve": curve, "random": {"name": "random answers alone", "points": random}}
    page = open_overview(visit, change | {"status": {"goal": {"accuracy": goal}}})

    chart = page.get_by_role("img", name=re.compile("this project ends at 90.0 %"))
    expect(chart.locator("text.name")).to_have_count(2)
    words = boxes(chart.locator("text.name, .goal text"))
    assert [pair for pair in combinations(words, 2) if touch(*pair)] == []
    points = boxes(chart.locator("circle"))
    assert len(points) == len(SHORT) + len(LONG)
    assert [each for each in points if any(touch(each, name) for name in words)] == []


def test_on_a_narrow_page_a_class_has_its_counts_beside_their_names_and_all_classes_are_there(visit: Visit) -> None:
    """The long name lay under the bar, the share stood in the next line, and the list ended within a name."""
    balance = [
        {
            "class": {"id": n, "name": f"class {n}", "color": "#0072B2"},
            "labels": 31,
            "items": 31,
            "label_share": 0.1,
            "pool": {"value": 0.13, "low": 0.07, "high": 0.21},
        }
        for n in range(12)
    ]
    visit.page.set_viewport_size({"width": 390, "height": 844})
    page = open_overview(visit, {"balance": balance})

    table = page.get_by_role("region", name="Class balance, table")
    for cell in table.get_by_role("cell").all():
        parts = cell.evaluate(
            "cell => { const [after, all] = [cell.firstElementChild, cell].map((each) => each.getBoundingClientRect());"
            " return [cell.dataset.label, cell.children.length, Math.round(after.left - all.left)] }"
        )
        assert parts in (["In your labels", 1, 128], ["In the pool, estimated", 1, 128])
        assert cell.evaluate("cell => getComputedStyle(cell).whiteSpace") == "normal"
    assert table.evaluate("box => box.scrollHeight - box.clientHeight") == 0
    assert not visit.overflows()
    assert visit.findings() == []


def test_the_goal_and_the_band_are_said_as_exactly_as_the_goal_says_them(visit: Visit) -> None:
    accuracy = {"value": 0.66, "low": 0.5755, "high": 0.7521, "n": 80}
    change = {"curve": [point(1, 40, accuracy, estimate(0.5))], "status": {"goal": {"accuracy": 0.955}}}

    page = open_overview(visit, change)

    expect(page.locator(".goal text")).to_have_text("goal 95.5 %")
    expect(page.get_by_text("66 % 57.5 to 75.3 %, 80 audit answers")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_advice_is_one_sentence_with_its_figures_folded_away(visit: Visit, width: int) -> None:
    def verdict(name: str, title: str, stop: bool | None, words: str) -> dict[str, Any]:
        return {"name": name, "title": title, "stop": stop, "value": None, "limit": None, "words": words}

    changed = "since 300 labels the rounds changed 4.1 % of what the model says."
    text = f"More labels would change little, you may stop: {changed}"
    dials = [
        verdict(
            "settled", "Settled predictions", True, "Since 300 labels the rounds changed 4.1 % of what the model says."
        ),
        verdict("certified", "Certified accuracy", False, "At least 71 % right, of 85 % that the goal asks for."),
    ]
    others = [verdict("gain", "Worth of the gain", None, "Not asked: the goal says no price of an hour.")]
    found = {"stop": True, "text": text, "because": ["settled"], "round": 9, "dials": dials, "others": others}
    visit.page.set_viewport_size({"width": width, "height": 844})
    page = open_overview(visit, {"curve": CURVE, "stopping": found, "status": {"advice": {"stop": True, "text": text}}})

    figures = page.get_by_role("list").filter(has_text="Settled predictions")
    expect(page.get_by_text(text)).to_be_visible()
    expect(figures).to_be_hidden()
    page.get_by_text("The figures behind it").focus()
    page.keyboard.press("Enter")

    expect(figures.get_by_role("listitem").first).to_have_text(
        re.compile(r"Settled predictions\s+stop\s+the advice follows it\s*Since 300 labels")
    )
    expect(page.get_by_role("listitem").filter(has_text="Worth of the gain")).to_contain_text("no answer")
    assert not visit.overflows()
    assert visit.findings() == []


def test_a_race_far_ahead_of_the_project_does_not_press_its_curve_into_a_corner(visit: Visit) -> None:
    long = [{"labels": labels, "accuracy": estimate(0.8)} for labels in range(10, 2_010, 10)]
    page = open_overview(visit, {"curve": CURVE[:1], "random": {"name": "random", "points": long}})

    page.get_by_text("The values as a table").click()

    rows = page.get_by_role("region", name=re.compile("Values of: Learning curve")).get_by_role("rowheader")
    expect(rows.last).to_have_text("100")


def test_a_band_wider_than_twenty_points_is_words_and_no_number(visit: Visit) -> None:
    wide = point(1, 12, estimate(0.73, 0.2, 9), estimate(0.53, 0.3, 9))
    words = {"accuracy": "Between 53 and 93 %: 66 more audit answers for plus or minus 10"}
    page = open_overview(visit, {"curve": [wide], "words": words, "random": None})

    expect(page.get_by_text(words["accuracy"])).to_be_visible()
    expect(page.locator("text.name")).to_have_text("this project")
    assert page.get_by_text("chosen labels give").count() == 0
    assert page.get_by_text("73 %").count() == 0


def test_figures_that_cannot_be_read_are_said_at_once(visit: Visit) -> None:
    project = make_project(visit.site, count=3)
    visit.sign_in(1)
    visit.page.route("**/api/v1/**", lambda route: route.abort())

    page = visit.open(f"/projects/{project}/overview")

    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached", timeout=2_000)
    page.unroute("**/api/v1/**")
    expect(page.get_by_role("heading", name="Is it learning?")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    visit.complaints.clear()  # the browser reports the requests that were cut off


def test_without_any_point_the_page_says_why_and_leads_to_the_first_answer(visit: Visit) -> None:
    page = open_overview(visit, {})

    expect(
        page.get_by_text("Cannot tell yet: 0 of the 5 answered audit items that the curve begins with.")
    ).to_be_visible()
    page.get_by_role("region", name="Is it learning?").get_by_role("link", name="Label").click()
    expect(page.get_by_role("article", name="Item")).to_be_visible()


def test_a_round_that_waits_for_predictions_says_what_to_do(visit: Visit) -> None:
    reason = "Round 3 waits for the predictions of your own model: push them"
    waits = {"state": "waiting_for_predictions", "step": None, "progress": None, "reason": reason, "number": 3}
    row = {"number": 3, "state": "waiting_for_predictions", "labels": 25, "strategy": "auto", "sentence": reason}
    empty = {"fallback": None, "reason": None, "metrics": None, "seconds": None, "published_at": None, "model": None}
    change = {"status": {"round": {**waits, "due_in": 0, "size": 20}, "advice": {"stop": False, "text": reason}}}
    page = open_overview(visit, {**change, "rounds": [{**row, **empty}]})

    expect(page.get_by_text(reason).first).to_be_visible()
    expect(page.get_by_text("Round 3 waits for predictions.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("3 waits for predictions 25"))).to_be_visible()


def test_the_settings_let_a_model_of_ones_own_learn(visit: Visit) -> None:
    project = make_project(visit.site, count=2, classes=("good", "bad"))
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/settings")

    page.get_by_label("Who learns").select_option("external")
    expect(page.get_by_text("Each due round waits for its predictions")).to_be_visible()
    page.get_by_role("region", name="Goal and learning").or_(
        page.get_by_role("form", name="Goal and learning")
    ).get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. The next round goes by it.")).to_be_visible()
    page.reload()

    expect(page.get_by_label("Who learns")).to_have_value("external")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_curve_is_drawn_against_labels_hours_or_cost_as_a_person_likes(visit: Visit, width: int) -> None:
    curve = [{**each, "hours": 0.9 * each["round"]} for each in CURVE]
    asked = {"random": 20.0, "chosen": 31.0}
    cost = {"answers": 160, "needs": 40, "hours": 3.6, "hour_price": 30, "asked": asked, "exponent": 0}
    random = {"name": "random answers alone", "points": RANDOM}
    visit.page.set_viewport_size({"width": width, "height": 844})
    page = open_overview(visit, {"curve": curve, "cost": cost, "random": random})

    page.get_by_role("radio", name="labels").focus()
    expect(page.get_by_role("img", name=re.compile("this project ends at 92.0 % with 160 labels"))).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(
        page.get_by_role("img", name=re.compile("with 3.6 hours of work; .* with 0.44 hours of work"))
    ).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("img", name=re.compile("92.0 % with 108 cost"))).to_be_visible()
    expect(page.get_by_text("Random answers are counted at their own mean of 20.0 s.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("radio", name="cost")).to_be_checked()
    assert not visit.overflows()
    assert visit.findings() == []


@pytest.mark.parametrize("width", [1280, 390])
def test_new_items_that_look_unlike_the_earlier_ones_and_disturbed_ones_are_said_with_what_is_behind(
    visit: Visit, width: int
) -> None:
    drift = (
        "The 150 items that came in since round 3 look unlike the earlier ones: a model tells them apart in 83 of 100."
    )
    worst = "Disturbed most by typos: 9 points less are right (4 to 14)."
    kinds = [
        {
            "name": "typos",
            "words": "one word in seven",
            "loss": {"value": 0.09, "low": 0.04, "high": 0.14, "n": 120},
            "broken": 12,
        },
        {"name": "casing", "words": "capitals only", "loss": {"value": -0.002, "low": -0.02, "high": 0.02, "n": 120}},
    ]
    found = {"round": 4, "labels": 160, "lack": None, "kinds": kinds}
    words = {"drift": drift, "robustness": worst}
    change = {"curve": CURVE, "drift": {"alarm": True, "items": 42}, "robustness": found, "words": words}
    visit.page.set_viewport_size({"width": width, "height": 844})
    page = open_overview(visit, change)

    expect(page.get_by_role("note").filter(has_text=drift)).to_be_visible()
    expect(page.get_by_role("link", name="the 42 most unlike")).to_have_attribute("href", re.compile("drifted=true"))
    table = page.get_by_role("region", name="Loss by disturbance")
    expect(table).to_be_hidden()
    page.get_by_text(worst).click()
    expect(table.get_by_role("row", name=re.compile("typos"))).to_contain_text("9.0")
    expect(table.get_by_role("link", name="12")).to_have_attribute("href", re.compile("broken=4:typos"))
    expect(table.get_by_role("row", name=re.compile("casing"))).to_contain_text("\u22120.2")
    assert not visit.overflows()
    assert visit.findings() == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_wide_band_leads_to_the_button_that_asks_for_audit_items_now(visit: Visit, width: int) -> None:
    wide = point(1, 12, estimate(0.73, 0.2, 9), estimate(0.53, 0.3, 9))
    words = {"accuracy": "Between 53 and 93 %: about 3 more audit answers for plus or minus 10"}
    visit.page.set_viewport_size({"width": width, "height": 844})
    page = open_overview(visit, {"curve": [wide], "words": words, "audit_request": {"needed": 3, "open": 200}})
    form = page.get_by_role("form", name="Audit items now")
    number = form.get_by_label("Label")

    page.get_by_role("link", name="about 3 more audit answers").click()

    expect(number).to_be_focused()
    expect(number).to_have_value("3")
    assert not visit.overflows()
    assert visit.findings() == []


def test_audit_items_are_asked_for_counted_down_and_cancelled(visit: Visit) -> None:
    project = make_project(visit.site, count=60, classes=("good", "bad"))
    with visit.site.db.write() as session:
        session.execute(update(Item).where(Item.project_id == project).values(reserved=True))
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/overview")
    number = page.get_by_role("form", name="Audit items now").get_by_label("Label")
    expect(number).to_have_value("40")

    number.fill("61")
    page.get_by_role("button", name="audit items now").click()
    assert number.evaluate("field => field.validity.rangeOverflow")
    number.fill("25")
    page.get_by_role("button", name="audit items now").click()

    expect(page.get_by_text("25 of 25 audit items left.")).to_be_visible()
    page.get_by_role("button", name="Back to the usual share").click()
    expect(number).to_have_value("40")
    assert visit.findings() == []


ACTIVE = {"choice": "active", "estimate": "counted"}
POWERED = {"choice": "random", "estimate": "prediction_powered"}


@pytest.mark.parametrize("how", [ACTIVE, POWERED])
@pytest.mark.parametrize("use", ["taught", "apart"])
def test_where_audit_answers_teach_only_the_lower_ends_are_claimed_however_they_are_weighed(
    visit: Visit, how: dict[str, str], use: str
) -> None:
    page = open_overview(visit, {"curve": CURVE, "how": how, "audit_use": use})

    learning = page.get_by_role("region", name="Is it learning?")
    expect(learning).to_contain_text("as far as the normal approximation does")
    words = learning.inner_text()
    assert ("The lower ends of the bands are made to stay valid" in words) == (use == "taught")
    assert ("the number errs on the low side" in words) == (use == "taught")
    assert ("The bands are made to hold together" in words) == (use == "apart")


@pytest.mark.parametrize(
    ("choice", "stratum", "words"),
    [
        ("random", "audit", "The next items that people get are random ones; they judge the model."),
        (
            "active",
            "audit",
            "The next items that people get are drawn by chance, more often those that the model doubts; "
            "they judge the model.",
        ),
        (
            "random",
            "imported",
            "The next items that people get are random ones. They tell how the pool is made up; "
            "your own test set judges the model.",
        ),
    ],
)
def test_audit_items_now_says_how_they_are_drawn_and_what_for(
    visit: Visit, choice: str, stratum: str, words: str
) -> None:
    curve = [each | {"stratum": stratum} for each in CURVE]
    asked = {"needed": 0, "open": 200}
    page = open_overview(visit, {"curve": curve, "audit_choice": choice, "audit_request": asked})

    expect(page.get_by_role("form", name="Audit items now")).to_contain_text(words)
