"""Labelling sounds: they are seen, heard and answered by keys."""

import io

import numpy as np
import soundfile
from playwright.sync_api import expect

from app.services import accounts, media, projects, quota
from app.services.access import Person
from app.services.rows import Reader
from app.services.storing import store
from app.services.tasks import questions
from tests.browser.conftest import Site, Visit
from tests.browser.test_annotate import open_page, stored
from tests.conftest import PASSWORD


def make_sounds(site: Site, count: int = 12) -> int:
    with site.db.write() as session:
        accounts.create_user(session, "Ann", PASSWORD, admin=True)
        body = {"name": "Tones", "modality": "audio", "task": {"classes": ["low", "high"]}}
        project = projects.create(session, Person(1, "Ann", True), body)
        reader = Reader("audio", questions(session, project), site.settings, {}, lambda given: given)
        rows = []
        for number in range(count):
            out = io.BytesIO()
            tone = 0.4 * np.sin(2 * np.pi * (300 + 200 * number) * np.arange(24_000) / 8_000)
            soundfile.write(out, tone, 8_000, format="WAV")
            out.seek(0)
            kept = media.store(site.settings, project.id, "audio", out)
            row = media.record(session, project.id, f"{number}.wav", kept, quota.room(session, site.settings))
            rows.append(reader.prepare(number, {"key": f"k{number}", "audio": media.payload(row)}))
        store(session, project, rows, replace=False, moment=project.created_at)
        return project.id


def test_a_sound_is_played_by_keys_and_answered_by_keys(visit: Visit) -> None:
    page = open_page(visit, make_sounds(visit.site))
    player = page.locator("audio-stage")
    expect(player.locator("img")).to_have_js_property("naturalWidth", 1024)
    expect(player.locator(".clock")).to_contain_text("3.00 s")
    first = player.get_attribute("src")

    page.keyboard.press("r")
    expect(player.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("p")
    expect(player.get_by_role("button", name="Play")).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.press("p")
    before = player.locator(".clock").inner_text()
    page.keyboard.press(".")
    expect(player.locator(".clock")).not_to_have_text(before)
    assert visit.findings() == []

    page.keyboard.press("2")

    expect(player).not_to_have_attribute("src", first or "")
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert [row.label for row in stored(visit.site)] == [{"label": {"class_id": 2}}]


def test_pointing_at_a_place_in_the_waveform_leaves_the_keys_to_the_page(visit: Visit) -> None:
    page = open_page(visit, make_sounds(visit.site))
    player = page.locator("audio-stage")
    box = player.locator(".wave").bounding_box()
    assert box is not None

    page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)

    place = float(player.locator("input[type=range]").input_value())
    assert place > 850  # of 1,000, and what has played since
    page.keyboard.press("1")
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert len(stored(visit.site)) == 1


def test_the_items_page_shows_waveforms(visit: Visit) -> None:
    project = make_sounds(visit.site)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items")

    expect(page.locator("ul.items img")).to_have_count(12)
    expect(page.locator("ul.items img").first).to_have_js_property("naturalWidth", 96)
    assert visit.findings() == []
