"""Takes the pictures of the README and the docs: starts the demo, answers some digits rightly, and looks.

Run `python -m docs.screenshots`; it needs Chromium. Nothing is kept but the pictures in docs/images.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Locator, Page, ViewportSize, expect, sync_playwright
from sklearn.datasets import load_digits

IMAGES = Path(__file__).resolve().parent / "images"
ANSWERS = 60
BATCH = 10  # the demo's answers between two rounds
WALL = 200
START_SECONDS = 120.0
ROUND_MS = 400_000  # for a busy machine; an idle one needs seconds
WINDOW: ViewportSize = {"width": 1280, "height": 800}
REVIEWS = [
    "The soup was cold, and nobody came",
    "Friendly staff, will come again",
    "Waited an hour for two coffees",
    "The best dumplings in town",
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def main() -> None:
    """Start the demo, take every picture, end the demo."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="labelwise-pictures-") as folder:
        log = Path(folder, "log")
        command = [sys.executable, "-m", "labelwise", "demo", "--data", f"{folder}/data", "--port", "8410"]
        with log.open("wb") as out:
            service = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603  # our own program
        try:
            take(link(log))
        finally:
            service.terminate()
            service.wait()


def link(log: Path) -> str:
    """The address that the demo printed."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        # The link is printed before the service listens.
        if (found := re.search(r"http\S+/enter/\S+", log.read_text())) and "listens" in log.read_text():
            return found.group()
        time.sleep(0.2)
    raise SystemExit(f"the demo did not start:\n{log.read_text()}")


def take(address: str) -> None:
    """Every picture, in a browser that comes by the link."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    site = address.split("/enter/")[0]
    demo = f"{site}/projects/handwritten-digits"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport=WINDOW, color_scheme="light")
        page.goto(address)
        expect(page.get_by_text("are left in it")).to_be_visible(timeout=ROUND_MS)
        page.goto(f"{demo}/watch")
        page.get_by_role("button", name="Watch it learn").click(timeout=ROUND_MS)
        expect(page.get_by_text("Both have given")).to_be_visible(timeout=ROUND_MS)
        keep(page, "watch", page.get_by_role("region", name="Two simulated annotators"))
        page.goto(f"{demo}/annotate")
        answer(page, ANSWERS)
        until_round(page, ANSWERS // BATCH + 1)
        expect(page.get_by_text(re.compile("hesitates"))).to_be_visible(timeout=ROUND_MS)
        page.get_by_role("button", name="Why this item").click()
        expect(page.get_by_text(re.compile("alike")).first).to_be_visible()
        keep(page, "annotate")
        page.goto(f"{demo}/overview")
        expect(page.locator(".curve.chosen circle")).to_have_count(ANSWERS // BATCH, timeout=ROUND_MS)
        expect(page.locator(".pile img")).to_have_count(WALL, timeout=ROUND_MS)
        keep(page, "overview", page.get_by_role("region", name="What the model sees"))
        page.goto(f"{site}/projects/new")
        page.get_by_label("Name", exact=True).fill("Restaurant reviews")
        page.get_by_label("Or paste text, one item a line").fill("\n".join(REVIEWS * 8))
        for place, name in enumerate(("praise", "complaint"), 1):
            page.get_by_label(f"Name of class {place}").fill(name)
        keep(page, "new-project")
        browser.close()


def answer(page: Page, count: int) -> None:
    """Press the right digit's key so often, at a person's pace: each batch is learned before the next one ends."""
    digits = load_digits().target.tolist()
    picture = page.get_by_role("article", name="Item").locator("img")
    for done in range(count):
        if done and done % BATCH == 0:
            until_round(page, done // BATCH + 1)
        expect(picture).to_have_attribute("alt", re.compile(r"digit-\d{4}"), timeout=ROUND_MS)
        name = picture.get_attribute("alt") or ""
        page.keyboard.press(str(digits[int(name[6:10])]))
        expect(picture).not_to_have_attribute("alt", name, timeout=ROUND_MS)
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()


def until_round(page: Page, number: int) -> None:
    """Wait until so many rounds are published; what is done here reads as what a person would do in a minute."""
    for _ in range(ROUND_MS // 200):
        status = page.request.get(
            re.sub(r"/projects/.*", "/api/v1/projects/handwritten-digits/status", page.url)
        ).json()
        if (status["queue"]["round"] or 0) >= number:
            return
        page.wait_for_timeout(200)
    raise SystemExit(f"round {number} is not there: {status}")


def keep(page: Page, name: str, last: Locator | None = None) -> None:
    """A picture of the window, or of the page down to the end of `last`, once all its images are decoded."""
    if last is not None:
        page.set_viewport_size({"width": WINDOW["width"], "height": 3000})
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.evaluate("Promise.all([...document.images].map(each => each.decode()))")
    height = WINDOW["height"]
    if last is not None and (box := last.bounding_box()) is not None:
        height = round(box["y"] + box["height"]) + 16
    page.screenshot(path=IMAGES / f"{name}.png", clip={"x": 0, "y": 0, "width": WINDOW["width"], "height": height})
    page.set_viewport_size(WINDOW)


if __name__ == "__main__":
    main()
