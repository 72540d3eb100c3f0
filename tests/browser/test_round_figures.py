"""The page of one round: its numbers are those that their links open, and say how many they are of."""

import copy
import re
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Route, expect
from sqlalchemy import insert

from app.db import Round
from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project


def estimate(value: float, half: float = 0.04, n: int = 115) -> dict[str, Any]:
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half), "n": n}


METRICS: dict[str, Any] = {
    "accuracy": estimate(0.85),
    "balanced_accuracy": estimate(0.81),
    "macro_f1": estimate(0.8),
    "stratum": "audit",
    "reason": None,
    "how": {"choice": "random", "estimate": "counted"},
    "confusion": [[60, 10], [11, 34]],
}
HOW = "Each answer is weighed by the chance with which its item was drawn: 115 of 400 audit items."


def open_round(visit: Visit, metrics: dict[str, Any], task: dict[str, Any] | None = None, **change: Any) -> Page:
    """A round of a project of two classes that has these metrics, its answer changed on the way to the page."""
    project = make_project(visit.site, count=6, classes=("good", "bad"), **(task or {}))
    with visit.site.db.write() as session:
        row = {
            "project_id": project,
            "number": 7,
            "state": "done",
            "labels": [],
            "labels_count": 230,
            "task_version": 1,
        }
        row |= {
            "strategy": {"name": "auto"},
            "learner": {"name": "ridge"},
            "seed": 1,
            "created_at": visit.site.db.now(),
        }
        session.execute(insert(Round), [row | {"class_ids": [1, 2], "metrics": metrics}])

    def changed(route: Route) -> None:
        try:
            answer = route.fetch()
        except Error:  # the site has gone down after the test
            return
        route.fulfill(response=answer, json={**answer.json(), **copy.deepcopy(change)})

    visit.page.route(re.compile(r"/api/.*/rounds/7$"), changed)
    visit.sign_in(1)
    return visit.open(f"/projects/{project}/rounds/7")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_weighed_accuracy_says_so_and_the_number_of_wrong_ones_is_that_of_its_link(visit: Visit, width: int) -> None:
    """It was what the accuracy leaves of all answers: 17 of 115, and the link opened 21."""
    visit.page.set_viewport_size({"width": width, "height": 844})
    how = {"choice": "active", "estimate": "counted", "drawn": 115, "unanswered": 0, "audit_set": 400}
    page = open_round(visit, METRICS | {"how": how}, judged={"right": 92, "wrong": 21, "tied": 2})

    good = page.get_by_role("region", name="How good it is")
    expect(good).to_contain_text("115 audit answers; 21 wrong; of 2 the answers are a tie")
    expect(good.get_by_role("link", name="21", exact=True)).to_have_attribute("href", re.compile("judged=7:wrong"))
    expect(good).to_contain_text(f"{HOW} The other figures go by these chances too; the numbers of answers")
    assert not visit.overflows()
    assert visit.findings() == []


def test_an_accuracy_that_is_just_counted_says_nothing_of_weights_and_no_number_that_is_not_kept(visit: Visit) -> None:
    page = open_round(visit, METRICS, judged=None)

    good = page.get_by_role("region", name="How good it is")
    expect(good).to_contain_text("115 audit answers")
    assert "wrong" not in good.inner_text()
    assert "go by these chances" not in good.inner_text()


def test_the_lowest_bin_of_several_classes_leads_to_its_items_as_the_others_do(visit: Visit) -> None:
    bins = [
        {"from": low, "said": low + 0.06, "was": low + 0.05, "low": low, "high": low + 0.1, "n": n}
        for low, n in ((0.0, 85), (0.9, 31))
    ]
    told = {"error": 0.02, "low": 0.01, "high": 0.05, "n": 115, "bins": bins}
    metrics = {name: each for name, each in METRICS.items() if name != "confusion"} | {"calibration": told}
    page = open_round(visit, metrics, {"multiple": True})

    sure = page.get_by_role("region", name="Does it know how sure it is?")
    sure.get_by_text("Said and come true").click()
    for number, said in ((0, "85"), (9, "31")):
        link = sure.get_by_role("table").get_by_role("link", name=said, exact=True)
        expect(link).to_have_attribute("href", re.compile(f"judged=7:sure:{number}$"))


def ranked(number: int, n: int, precision: dict[str, Any], **more: Any) -> dict[str, Any]:
    each = {"class_id": number, "recall": estimate(0.84, n=n), "precision": precision, "f1": estimate(0.8, n=n)}
    return each | {"average_precision": estimate(0.9, n=n), "roc_auc": estimate(0.808, 0.095, n=n)} | more


STEPS = {
    "thresholds": [[0.91, 0.25, 0.0, 1.0], [0.52, 0.75, 0.02, 0.9], [0.03, 1.0, 1.0, 0.07]],
    "bounds": [[3, 0.2, 0.31, 0.43, 1.0], [9, 0.7, 0.8, 0.85, 0.95], [115, 0.95, 1.0, 0.04, 0.12]],
}
REST = {"value": 0.641, "low": 0.6, "high": 0.7, "n": 95}
SLICE = {
    "words": "source is mail",
    "filter": "metadata.source=mail",
    "accuracy": estimate(0.5, 0.09, 20),
    "rest": REST,
    "wrong": 10,
    "chance": 0.04,
    "worse": False,
    "likely": True,
}
FULL = METRICS | {
    "mean_absolute_error": {"value": 1.52, "low": 1.1049, "high": 1.9902, "n": 115},
    "macro_average_precision": estimate(0.9),
    "macro_roc_auc": {"value": 0.808, "low": 0.694, "high": 0.883, "n": 115},
    "classes": [ranked(1, 107, estimate(0.9, n=107)), ranked(2, 8, estimate(0.67, 0.09, 3), **STEPS)],
    "slices": {"looked_at": 4, "left_out": 0, "worse": 0, "worst": [SLICE], "stratum": "audit", "judged": 115},
}


@pytest.mark.parametrize("width", [1280, 390])
def test_each_figure_has_its_interval_or_says_how_many_it_is_of(visit: Visit, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 844})
    page = open_round(visit, FULL, judged={"right": 98, "wrong": 17, "tied": 0})

    good = page.get_by_role("region", name="How good it is")
    expect(good).to_contain_text("Balanced accuracy 81.0 % (77 to 85 %), macro F1 80.0 % (76 to 84 %)")
    expect(good).to_contain_text("off by 1.52 (1.10 to 2.00) on the mean")
    slices = page.get_by_role("region", name="Slices, table")
    expect(slices.get_by_role("row").last).to_contain_text("64.1 % 60 to 70 % of 95")
    bad = page.get_by_role("region", name="Classes, table").get_by_role("row").last
    expect(bad.get_by_title("3 items were taken for bad")).to_contain_text("67.0 % 58 to 76 % of 3")
    expect(page.get_by_role("region", name="Classes, table")).not_to_contain_text("of 107")
    reliable = page.get_by_role("region", name="From which probability on?")
    expect(reliable).to_contain_text("area under the ROC curve 80.8 % (69.4 to 88.3 %).")
    reliable.get_by_text("bad: average precision").click()
    expect(reliable).to_contain_text("Found is of the 8 answered with it")
    expect(reliable).to_contain_text("false alarms of the 107 others")
    steps = reliable.get_by_role("region", name="Thresholds of bad, table").get_by_role("row")
    expect(steps.nth(1)).to_contain_text("43 to 100 % of 3")
    expect(steps.nth(2)).to_contain_text("75.0 % 70 to 80 %")
    expect(steps.nth(2)).to_contain_text("90.0 % 85 to 95 % of 9")
    assert not visit.overflows()
    assert visit.findings() == []


def test_a_round_of_before_shows_what_it_kept(visit: Visit) -> None:
    old = copy.deepcopy(FULL)
    old["slices"]["worst"][0]["rest"] = {"value": 0.641, "n": 95}
    del old["classes"][1]["bounds"]
    page = open_round(visit, old)

    expect(page.get_by_role("region", name="Slices, table").get_by_role("row").last).to_contain_text("64.1 % of 95")
    reliable = page.get_by_role("region", name="From which probability on?")
    reliable.get_by_text("bad: average precision").click()
    steps = reliable.get_by_role("region", name="Thresholds of bad, table").get_by_role("row")
    expect(steps.nth(2).get_by_role("cell")).to_have_text(["75.0 %", "90.0 %", "2.0 %"])
