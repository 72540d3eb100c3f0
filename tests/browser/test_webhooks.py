"""Webhooks in the browser: made, tested, seen to arrive, paused, deleted."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_annotate import make_project
from tests.receiver import receiving


@pytest.mark.night
def test_a_manager_makes_a_webhook_and_sees_its_test_arrive(visit: Visit) -> None:
    project = make_project(visit.site)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/settings")
    page.get_by_role("link", name="Webhooks").click()
    page.get_by_label("Address").fill("http://127.0.0.1/hook")
    page.get_by_role("button", name="Make the webhook").click()
    expect(page.get_by_role("alert")).to_contain_text("not of the public internet")
    visit.complaints.clear()  # of the refusal

    with receiving() as receiver:
        # The one object that the server and the worker read; settings do not change while a service runs.
        object.__setattr__(visit.site.settings, "allow_fetch_from", f"127.0.0.1:{receiver.port}")
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_role("button", name="Make the webhook").click()
        expect(page.get_by_text("The webhook is made")).to_be_visible()
        assert page.get_by_label("Its secret, shown this once").input_value().startswith("whsec_")
        hook = page.get_by_role("article", name=receiver.url)
        hook.get_by_role("button", name="Send a test").click()
        expect(hook.get_by_text("delivered (200)")).to_be_visible()
        assert [body["event"] for _, body in receiver.got] == ["test"]
        assert visit.findings() == []

        hook.get_by_role("button", name="Pause").click()
        expect(hook.get_by_text("Paused: paused by a manager")).to_be_visible()

    page.on("dialog", lambda dialog: dialog.accept())
    hook.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("None yet.")).to_be_visible()
