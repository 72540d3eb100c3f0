"""The rounds page: whether to go on, two rounds side by side, one round, and the items behind its numbers."""

import re
import time
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from app.services import accounts
from tests.api.test_records import rows
from tests.browser.conftest import Site, Visit
from tests.conftest import PASSWORD

ROUND_SECONDS = 60.0


def taught(site: Site) -> dict[str, Any]:
    """A project whose third round has learned from eighty answers; its admin is user 1."""
    with site.db.write() as session:
        user = accounts.create_user(session, "Ann", PASSWORD, admin=True)
        _, secret = accounts.create_token(session, user.id, "test", accounts.SCOPES)
    with httpx.Client(base_url=f"{site.url}/api/v1", headers={"Authorization": f"Bearer {secret}"}) as rest:
        asked = {"name": "Pets", "modality": "text", "task": {"classes": ["cat", "dog"]}, "audit_share": 0.5}
        project: dict[str, Any] = rest.post("/projects", json={**asked, "round_size": 40}).json()
        path = f"/projects/{project['id']}"
        pushed = [row | {"metadata": row["metadata"] | {"": "same"}} for row in rows(150)]
        assert rest.post(f"{path}/items", json=pushed).status_code == 200
        for number in (1, 2, 3):
            until = time.monotonic() + ROUND_SECONDS
            while (found := rest.get(f"{path}/rounds/{number}")).json().get("state") != "done":
                assert time.monotonic() < until, found.text
                time.sleep(0.1)
            for _ in range(40 if number < 3 else 0):
                [lease] = rest.post(f"{path}/leases", json={"count": 1}).json()["leases"]
                body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}}
                assert rest.post("/annotations", json=body).status_code == 201
    return project


def check(visit: Visit) -> None:
    """The page as it is now is whole in a wide and in a narrow window."""
    for width in (390, 1280):
        visit.page.set_viewport_size({"width": width, "height": 844})
        assert (visit.findings(), visit.overflows()) == ([], False)


def test_from_the_sentence_to_two_rounds_to_one_to_the_items_behind(visit: Visit) -> None:
    project = taught(visit.site)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project['slug']}/rounds")

    worth = page.get_by_role("region", name="Is it worth going on?")
    expect(worth).to_contain_text("Where it is worst")
    expect(worth).to_contain_text("What the last 40 labels brought")
    expect(page.get_by_role("button", name="Compare two rounds")).to_be_disabled()
    check(visit)
    for number in (3, 2):
        page.get_by_role("checkbox", name=f"Compare round {number}").check()
    page.get_by_role("link", name="Compare rounds 2 and 3").click()

    better = page.get_by_role("region", name="Which is better?")
    expect(better).to_contain_text(re.compile("round 3 is better|Round 3 is (better|worse)"))
    expect(page.get_by_role("region", name="Labels and settings")).to_contain_text("40 items that round 2 did not know")
    named = page.get_by_role("region", name="Classes, table").locator("tbody tr").first.locator("td")
    names = [each.get_attribute("data-label") for each in named.all()]
    assert names == ["Round 2", "Round 3", "Points", None, "Judged by"]  # nothing stands above the drawings
    check(visit)
    page.get_by_role("link", name="All rounds").click()
    page.get_by_role("table").get_by_role("link", name="3", exact=True).click()

    worst = page.get_by_role("region", name="Where it is worst")
    expect(worst).to_contain_text(re.compile("slices of \\d+ audit answers were looked at"))
    expect(page.get_by_text(f"labelwise rounds replay {project['slug']} 3")).to_be_visible()
    reliable = page.get_by_role("region", name="From which probability on?")
    reliable.get_by_text("cat: average precision").click()
    expect(
        reliable.get_by_role("img", name=re.compile("cat: share that is found, by the share of false"))
    ).to_be_visible()
    expect(reliable.get_by_role("region", name="Thresholds of cat, table").get_by_role("row").last).to_contain_text(
        "100.0 %"
    )
    worst.get_by_text("By a column of your choice").click()
    worst.get_by_role("combobox", name="Column").select_option('""')  # a column without a name
    expect(worst.get_by_role("rowheader", name='"" is same')).to_be_visible()
    worst.get_by_role("combobox", name="Column").select_option("source")
    cuts = worst.get_by_role("region", name="Slices by the column, table")
    expect(cuts.get_by_role("rowheader")).to_have_text(["source is web", "source is mail"])
    expect(cuts.get_by_role("link").first).to_have_attribute(
        "href", re.compile(r"judged=3(:wrong)?&metadata\.source=web")
    )
    check(visit)
    # Which slice is the worst, and whether anything in it is wrong, depends on which answers each round had seen.
    behind = worst.get_by_role("table").get_by_role("link").first
    told = behind.inner_text()
    behind.click()
    expect(page).to_have_url(re.compile("judged=3(:wrong)?&"))
    listed = page.get_by_role("region", name="Items found").get_by_role("listitem")
    expect(listed).to_have_count(int(told))

    page.go_back()
    sure = page.get_by_role("region", name="Does it know how sure it is?")
    sure.get_by_text("Said and come true").click()
    inside = sure.get_by_role("table").get_by_role("link").last
    told = inside.inner_text()
    inside.click()
    expect(page).to_have_url(re.compile(r"judged=3:sure:\d"))
    expect(listed).to_have_count(int(told))
    page.go_back()
    reliable.get_by_text("cat: average precision").click()
    reached = reliable.get_by_role("region", name="Thresholds of cat, table").get_by_role("link").first
    expect(reached).to_have_attribute("href", re.compile(r"judged=3:from:1:0\.\d"))
    reached.click()
    expect(listed.first).to_be_visible()


@pytest.mark.night
def test_two_learners_are_compared_on_the_page_down_to_the_items_that_changed_hands(visit: Visit) -> None:
    project = taught(visit.site)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project['slug']}/rounds")
    form = page.get_by_role("form", name="Two learners")

    form.get_by_label("First learner").select_option("ridge")
    form.get_by_label("Second learner").select_option("logistic")
    form.get_by_label("strength").fill("0.0001")
    form.get_by_role("button", name="Compare").click()

    outcome = page.get_by_role("region", name="Two learners on the same labels")
    expect(outcome.get_by_text(re.compile("points of accuracy on the same \\d+ audit answers"))).to_be_visible()
    expect(outcome).to_contain_text("logistic (strength 0.0001)")
    hands = page.get_by_role("region", name="What changed hands")
    expect(hands).to_contain_text(re.compile("Right with ridge alone|right and wrong about the same items"))
    check(visit)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert visit.findings() == []
    behind = hands.get_by_role("link").first
    if behind.count():
        behind.click()
        expect(page.get_by_role("heading", name="Items")).to_be_visible()

    page.goto(f"{visit.site.url}/projects/{project['slug']}/rounds")
    form.get_by_label("First learner").select_option("ridge")
    form.get_by_label("Second learner").select_option("ridge")
    form.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("alert")).to_have_text("both learners are the same")
    visit.complaints.clear()  # the browser reports the refusal
