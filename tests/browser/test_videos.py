"""Labelling videos: they are seen, played by keys, gone through picture by picture, and answered by keys."""

import io
import re
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Page, expect

from app.services import accounts, media, projects, quota
from app.services.access import Person
from app.services.rows import Reader
from app.services.storing import store
from app.services.tasks import questions
from tests.browser.conftest import Site, Visit
from tests.browser.test_annotate import open_page, stored
from tests.clips import square, tone, write
from tests.conftest import PASSWORD

BRIGHTNESS = """async (video) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [8, 8];
  const pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0, 8, 8);
  return pen.getImageData(4, 4, 1, 1).data[0];
}"""


def make_videos(site: Site, folder: Path, count: int = 6) -> int:
    """Clips of three seconds whose pictures grow brighter by 8 from each to the next; MP4 and WebM in turn."""
    grey = np.repeat(np.arange(0, 240, 8, dtype=np.uint8), 64 * 96 * 3).reshape(-1, 64, 96, 3)
    with site.db.write() as session:
        accounts.create_user(session, "Ann", PASSWORD, admin=True)
        body = {"name": "Clips", "modality": "video", "task": {"classes": ["dark", "bright"]}}
        project = projects.create(session, Person(1, "Ann", True), body)
        reader = Reader("video", questions(session, project), site.settings, {}, lambda given: given)
        rows = []
        for number in range(count):
            kind = ("mp4", "libx264") if number % 2 == 0 else ("webm", "libvpx")
            path = write(folder / str(number), grey, kind=kind[0], codec=kind[1], sound=tone(3, 300 + 50 * number))
            kept = media.store(site.settings, project.id, "video", io.BytesIO(path.read_bytes()))
            row = media.record(session, project.id, f"{number}.{kind[0]}", kept, quota.room(session, site.settings))
            rows.append(reader.prepare(number, {"key": f"k{number}", "video": media.payload(row)}))
        store(session, project, rows, replace=False, moment=project.created_at)
        return project.id


def brightness(page: Page) -> int:
    found: int = page.locator("video-stage video").evaluate(BRIGHTNESS)
    return found


def test_a_video_is_played_stepped_and_answered_by_keys(visit: Visit, tmp_path: Path) -> None:
    page = open_page(visit, make_videos(visit.site, tmp_path))
    player = page.locator("video-stage")
    clock = player.locator(".clock")
    expect(clock).to_contain_text(re.compile(r"/ 3\.0[01] s · frame"))  # with its sound, one kind ends a little later

    player.get_by_label("Speed").select_option("0.5 ×")  # on a busy machine three seconds may be over too soon
    page.keyboard.press("r")
    expect(player.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("p")
    expect(player.get_by_role("button", name="Play")).to_be_visible()
    player.get_by_role("slider", name="Place in the video").fill("0")
    expect(clock).to_contain_text("frame 1 of 30")
    for _ in range(12):
        page.keyboard.press("Shift+Period")
    expect(clock).to_contain_text("frame 13 of 30")
    expect(player.locator("video")).to_have_js_property("seeking", False)
    assert abs(brightness(page) - 12 * 8) <= 5
    page.keyboard.press("<")
    expect(clock).to_contain_text("frame 12 of 30")
    page.keyboard.press(".")  # a tenth of a clip this short
    expect(clock).to_contain_text("frame 15 of 30")
    player.evaluate("stage => { stage.frame(-1); stage.step(1); }")  # before the first seek has arrived
    expect(clock).to_contain_text("frame 17 of 30")
    if player.get_by_role("button", name="Sound is off").is_visible():  # the browser let it begin only without
        page.keyboard.press("m")
    page.keyboard.press("m")
    expect(player.get_by_role("button", name="Sound is off")).to_be_visible()
    assert visit.findings() == []

    first = player.get_attribute("src")
    page.keyboard.press("2")

    expect(player).not_to_have_attribute("src", first or "")
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    expect(player.get_by_role("button", name="Sound is off")).to_be_visible()  # it stays as it was chosen
    assert [row.label for row in stored(visit.site)] == [{"label": {"class_id": 2}}]


def test_the_next_videos_load_before_they_are_shown(visit: Visit, tmp_path: Path) -> None:
    asked: set[str] = set()
    visit.page.on("request", lambda sent: asked.add(urlsplit(sent.url).path) if sent.resource_type == "media" else None)
    page = open_page(visit, make_videos(visit.site, tmp_path))
    player = page.locator("video-stage")
    expect(player.locator("video")).to_have_js_property("readyState", 4)
    page.wait_for_timeout(200)
    before = set(asked)

    page.keyboard.press("1")

    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert len(before) == 3  # the one on screen and two more: a browser opens six connections in all
    assert player.get_attribute("src") in before


def test_a_video_that_does_not_arrive_says_what_to_do(visit: Visit, tmp_path: Path) -> None:
    project = make_videos(visit.site, tmp_path, count=1)
    visit.page.route("**/api/v1/media/1", lambda route: route.abort())
    page = open_page(visit, project)
    player = page.locator("video-stage")
    expect(player.get_by_role("status")).to_contain_text("Try again; if it stays so, skip it")
    assert visit.findings() == []
    visit.complaints.clear()  # the browser's, of the file that did not come

    page.unroute("**/api/v1/media/1")
    player.get_by_role("button", name="Try again").click()

    expect(player.locator("video")).to_have_js_property("readyState", 4)
    expect(player.get_by_role("status")).to_be_hidden()


def test_where_the_browser_refuses_sound_the_video_begins_without_and_says_so(visit: Visit, tmp_path: Path) -> None:
    # As browsers do until somebody has used the page; the one of the tests would let it sound.
    visit.page.add_init_script("""
        const play = HTMLMediaElement.prototype.play;
        window.used = false;
        HTMLMediaElement.prototype.play = function () {
          if (this.muted || window.used) return play.call(this);
          return Promise.reject(new DOMException("used by nobody yet", "NotAllowedError"));
        };
        addEventListener("keydown", () => (window.used = true), true);
    """)
    page = open_page(visit, make_videos(visit.site, tmp_path, count=2))
    player = page.locator("video-stage")
    expect(player.get_by_role("status")).to_contain_text("M turns it on")
    expect(player.get_by_role("button", name="Sound is off")).to_be_visible()

    page.keyboard.press("m")

    expect(player.get_by_role("status")).to_be_hidden()
    page.keyboard.press("1")
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    expect(player.get_by_role("button", name="Sound is on")).to_be_visible()  # the next one sounds at once


def test_the_items_page_shows_pictures_of_videos_and_plays_one(visit: Visit, tmp_path: Path) -> None:
    project = make_videos(visit.site, tmp_path, count=3)
    visit.sign_in(1)
    page = visit.open(f"/projects/{project}/items")

    expect(page.locator("ul.items img")).to_have_count(3)
    expect(page.locator("ul.items img").first).to_have_js_property("naturalWidth", 96)
    expect(page.locator("ul.items .still").first).to_contain_text("3.00 s")
    page.locator("ul.items button").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="+1 frame")).to_be_visible()
    expect(dialog.locator(".clock")).to_contain_text("of 30")
    first = dialog.locator("video").get_attribute("src") or ""
    dialog.get_by_role("button", name="Next").click()
    expect(dialog.locator("video")).not_to_have_attribute("src", first)
    assert visit.findings() == []


def test_a_zip_of_videos_is_shown_before_it_is_sent(manager: Visit, tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", square(1))
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        for name in ("left/a.mp4", "right/b.mp4"):
            archive.write(tmp_path / "a.mp4", name)
    page = manager.open("/projects/new")

    page.get_by_label("Drop a file here").set_input_files(tmp_path / "clips.zip")

    expect(page.get_by_role("status").filter(has_text="2 videos found in clips.zip")).to_be_visible()
    shown = page.locator(".annotator-card video")
    expect(shown).to_have_js_property("videoWidth", 96)
    assert manager.findings() == []
