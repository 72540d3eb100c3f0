"""Which project may read which bucket: an admin's page."""

from pathlib import Path

from playwright.sync_api import expect

from app.services import accounts, buckets
from tests.browser.conftest import Server, Visit
from tests.browser.test_annotate import make_project
from tests.conftest import PASSWORD


def test_an_admin_grants_a_bucket_and_takes_it_back(manager: Visit, server: Server, tmp_path: Path) -> None:
    page = manager.open("/buckets")
    expect(page.get_by_text("No bucket is named yet.")).to_be_visible()
    assert manager.findings() == []
    project = make_project(manager.site)
    settings = manager.site.settings.model_copy(update={"buckets": f"pets=file://{tmp_path}"})
    server.serve(settings, manager.site.db)

    def granted() -> frozenset[str]:
        with manager.site.db.read() as session:
            return buckets.granted(session, settings, project).names

    page.reload()
    page.get_by_role("combobox", name="Project that may read pets").select_option(str(project))
    page.get_by_role("button", name="Grant pets").click()
    expect(page.get_by_role("status")).to_contain_text("may read pets now.")
    expect(page.get_by_text("every project may read it")).to_be_visible()
    assert granted() == {"pets"}
    page.set_viewport_size({"width": 390, "height": 844})
    assert not manager.overflows()
    assert manager.findings() == []

    page.get_by_role("button", name="Take back: pets").click()
    expect(page.get_by_role("status")).to_contain_text("Its items stay")
    assert granted() == {"pets"}
    page.get_by_role("button", name="Really take it back: pets").click()
    expect(page.get_by_role("status")).to_contain_text("may read pets no more.")
    assert granted() == frozenset()

    with manager.site.db.write() as session:
        other = accounts.create_user(session, "Ben", PASSWORD).id
    manager.sign_in(other)
    manager.open("/projects")
    expect(page.get_by_role("link", name="Buckets", include_hidden=True)).to_have_count(0)
    assert page.request.get(f"{manager.site.url}/buckets").status == 403
