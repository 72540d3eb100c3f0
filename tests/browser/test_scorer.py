"""A model server in the browser: tried on the page of a new project, mended in the settings, relied on."""

import time

import pytest
from playwright.sync_api import expect

from app.db import Project, ScorerSecret
from tests.browser.conftest import Visit
from tests.scorer import scoring

SECRET = "sixteen letters!"


@pytest.mark.night
def test_a_manager_tries_a_model_server_and_relies_on_it(manager: Visit) -> None:
    page = manager.open("/projects/new")
    with scoring() as scorer:
        # The one object that the server and the worker read; settings do not change while a service runs.
        object.__setattr__(manager.site.settings, "allow_fetch_from", f"127.0.0.1:{scorer.port}")
        page.get_by_label("Name", exact=True).fill("Pets")
        page.get_by_label("Or paste text, one item a line").fill("a cat\na dog\nanother cat\nanother dog")
        page.get_by_label("Name of class 1").fill("cat")
        page.get_by_label("Name of class 2").fill("dog")
        page.get_by_role("heading", name="3. Learning").click()
        page.get_by_label("Who learns").select_option("http")
        page.get_by_role("button", name="Test with three items").click()
        expect(page.get_by_role("alert")).to_have_text("Model server: give its address, as https://…")

        page.get_by_label("Address").fill(scorer.url)
        page.get_by_role("button", name="Test with three items").click()
        expect(page.get_by_role("row", name="3 dog 90 %, cat 10 %")).to_be_visible()
        expect(page.get_by_label("Who learns")).to_have_value("http")
        assert [item["text"] for item in scorer.asked[0]["items"]] == ["a cat", "a dog", "another cat"]
        assert manager.findings() == []
        page.get_by_role("button", name="Create the project").click()
        expect(page.get_by_role("link", name="Label now")).to_be_visible(timeout=30_000)

        page.goto(f"{manager.site.url}/projects/pets/settings")
        expect(page.get_by_label("Address")).to_have_value(scorer.url)
        scorer.wrong = lambda _: (200, {}, b'{"items": []}')
        page.get_by_role("button", name="Test with three items").click()
        expect(page.get_by_role("alert")).to_contain_text("it answered 0 rows for 3 items")
        page.get_by_role("button", name="Make a new secret").click()
        shown = page.get_by_label("The new secret, shown this once")
        expect(shown).to_have_value(_stored(manager))
        assert manager.findings() == []

        page.get_by_label("Secret that signs each request").fill(SECRET)
        page.get_by_label("Items a request").fill("16")
        page.get_by_role("form", name="Goal and learning").get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved. The next round goes by it.")).to_be_visible()

    with manager.site.db.read() as session:
        [project] = session.query(Project).all()
        assert project.learner == {"name": "http", "url": scorer.url, "batch": 16}
    assert _stored(manager) == SECRET


def _stored(visit: Visit) -> str:
    """The secret, as soon as there is one other than the first."""
    time.sleep(0.5)
    with visit.site.db.read() as session:
        [row] = session.query(ScorerSecret).all()
        return row.secret
