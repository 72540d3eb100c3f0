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

from playwright.sync_api import Page, ViewportSize, expect, sync_playwright
from sklearn.datasets import load_digits

IMAGES = Path(__file__).resolve().parent / "images"
ANSWERS = 60
START_SECONDS = 120.0
ROUND_MS = 400_000  # for a busy machine; an idle one needs seconds
WINDOW: ViewportSize = {"width": 1280, "height": 800}
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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport=WINDOW)
        page.goto(address)
        demo = f"{site}/projects/handwritten-digits"
        page.goto(f"{demo}/overview")
        expect(page.get_by_text("are left in it")).to_be_visible(timeout=ROUND_MS)
        page.goto(f"{demo}/annotate")
        answer(page, ANSWERS)
        page.wait_for_timeout(6_000)
        page.reload()
        expect(page.get_by_text(re.compile(r"(hesitates|quite sure)"))).to_be_visible(timeout=ROUND_MS)
        page.screenshot(path=IMAGES / "annotate.png")
        page.goto(f"{demo}/overview")
        expect(page.locator(".curve").first).to_be_visible(timeout=ROUND_MS)
        page.set_viewport_size({"width": 1280, "height": 1520})  # what is below the fold is loaded late
        page.wait_for_function("[...document.images].every(each => each.complete && each.naturalWidth)")
        page.screenshot(path=IMAGES / "overview.png")
        page.set_viewport_size(WINDOW)
        page.goto(f"{site}/projects/new")
        page.screenshot(path=IMAGES / "new-project.png")
        page.goto(f"{demo}/watch")
        page.get_by_role("button", name="Watch it learn").click(timeout=ROUND_MS)
        expect(page.get_by_text(re.compile("Both have given"))).to_be_visible(timeout=ROUND_MS)
        page.screenshot(path=IMAGES / "watch.png")
        browser.close()


def answer(page: Page, count: int) -> None:
    """Press the right digit's key so often."""
    digits = load_digits().target.tolist()
    picture = page.get_by_role("article", name="Item").locator("img")
    for _ in range(count):
        expect(picture).to_have_attribute("alt", re.compile(r"digit-\d{4}"), timeout=ROUND_MS)
        name = picture.get_attribute("alt") or ""
        page.keyboard.press(str(digits[int(name[6:10])]))
        expect(picture).not_to_have_attribute("alt", name, timeout=ROUND_MS)


if __name__ == "__main__":
    main()
