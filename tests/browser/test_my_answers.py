"""An annotator's own answers: found, looked at, changed; nothing of anybody else."""

import re

import pytest
from playwright.sync_api import expect

from app.db import Annotation, Member, Project
from app.services import accounts
from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project


def as_annotator(visit: Visit, project: int) -> None:
    """Sign in as Bea, an annotator of the project."""
    with visit.site.db.write() as session:
        user = accounts.create_user(session, "Bea", "correct horse battery").id
        session.add(Member(project_id=project, user_id=user, role="annotator", created_at=visit.site.db.now()))
    visit.sign_in(user)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_an_annotator_finds_and_changes_an_answer(visit: Visit, width: int, scheme: str) -> None:
    visit.page.set_viewport_size({"width": width, "height": 844})
    visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal in the parameter list
    project = make_project(visit.site, count=12)
    as_annotator(visit, project)
    page = visit.open(f"/projects/{project}/items")
    expect(page).to_have_url(re.compile("/my-answers$"))
    expect(page.get_by_text("You have not answered anything here yet.")).to_be_visible()
    page.get_by_role("link", name="Label", exact=True).last.click()
    card = page.get_by_role("article", name="Item")
    for key in "121":
        before = card.inner_text()
        page.keyboard.press(key)
        expect(card).not_to_have_text(before)
    expect(page.get_by_role("status")).to_have_text("Saved")
    page.keyboard.press("j")
    page.get_by_role("link", name="All my answers").click()

    rows = page.get_by_role("region", name="My items").get_by_role("listitem")
    expect(rows).to_have_count(3)
    assert visit.findings() == []
    assert not visit.overflows()
    page.get_by_role("combobox", name="My answer").select_option("bad")
    expect(rows).to_have_count(1)
    rows.first.get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="Item")
    expect(dialog.get_by_role("heading", name="My answer")).to_be_visible()
    page.keyboard.press("c")
    expect(dialog.get_by_role("region", name="Change my answer")).to_be_visible()
    assert visit.findings() == []
    page.keyboard.press("1")

    expect(dialog.get_by_role("status")).to_have_text("Changed to good.")
    with visit.site.db.read() as session:
        newest = session.query(Annotation).order_by(Annotation.id.desc()).first()
        assert newest is not None
        assert (newest.version, newest.label["label"]["class_id"], newest.decisive) == (2, 1, False)
    assert visit.findings() == []
    assert not visit.overflows()


def test_an_answer_that_was_settled_meanwhile_says_so(visit: Visit) -> None:
    project = make_project(visit.site, count=4)
    as_annotator(visit, project)
    page = visit.open(f"/projects/{project}/annotate")
    page.get_by_role("article", name="Item").wait_for()
    page.keyboard.press("1")
    expect(page.get_by_role("status")).to_have_text("Saved")
    visit.open(f"/projects/{project}/my-answers")
    page.get_by_role("region", name="My items").get_by_role("listitem").first.get_by_role("button").click()
    with visit.site.db.write() as session:
        session.query(Project).filter_by(id=project).update({"state": "paused"})

    page.get_by_role("button", name="Change it").click()
    page.get_by_role("button", name="bad").click()

    expect(page.get_by_role("alert")).to_contain_text("the project is paused")
    visit.complaints.clear()  # the browser reports the refusal
    with visit.site.db.read() as session:
        assert session.query(Annotation).count() == 1
