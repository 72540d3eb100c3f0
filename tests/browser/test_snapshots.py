"""Snapshots on the export page: made, downloaded, compared, deleted."""

import hashlib

from playwright.sync_api import expect

from tests.browser.conftest import Visit


def test_a_snapshot_is_made_downloaded_compared_and_deleted(demo_visit: Visit) -> None:
    page = demo_visit.open("/projects/handwritten-digits/export")
    expect(page.get_by_text("None yet.")).to_be_visible()

    page.get_by_label("Name").fill("v1")
    page.get_by_role("button", name="Make the snapshot").click()
    rows = page.get_by_role("region", name="Snapshots, table")
    expect(rows.get_by_role("row", name="v1")).to_contain_text("1,797")

    page.get_by_label("Name").fill("v2")
    page.get_by_label("Shares, drawn by a hash").check()
    page.get_by_label("train, %").fill("50")
    page.get_by_role("button", name="Make the snapshot").click()
    expect(page.get_by_role("alert")).to_contain_text("not 0.7")
    page.get_by_label("validation, %").fill("40")
    page.get_by_role("button", name="Make the snapshot").click()
    second = rows.get_by_role("row", name="v2")
    expect(second).to_contain_text("validation")
    expect(second).to_contain_text("test")
    expect(page.get_by_text("v2 is ready.")).to_be_visible()

    second.get_by_text("Files").click()
    with page.expect_download() as download:
        second.get_by_role("link", name="all").first.click()
    file = download.value.path().read_bytes()
    assert second.locator("code").get_attribute("title") == hashlib.sha256(file).hexdigest()
    assert len(file.splitlines()) == 1_797

    page.get_by_label("Compare v2 with").select_option("v1")
    expect(page.get_by_role("region", name="v2 against v1")).to_contain_text("0 added, 0 removed")
    assert demo_visit.findings() == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert not demo_visit.overflows()

    second.get_by_role("button", name="Delete v2").click()
    second.get_by_role("button", name="Delete v2 for good").click()
    expect(second).to_have_count(0)
    demo_visit.complaints.clear()  # the browser reports the refusal of shares that are not 1 together
