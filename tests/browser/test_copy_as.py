"""The code that a page shows does what the page does: it is taken from the page, run, and held against it."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.db import Annotation, Item, Project, ProjectClass, User
from app.services import accounts
from tests.browser.conftest import ROOT, Visit

NAME = """It's "5 $HOME" `id` \\n 🐢 %s !"""
FILE = """it's a "file" $HOME, 1.csv"""

ODD = f'{NAME}\nLABELWISE\n\'; touch x; \'\n$(touch y) \\ \\t\t–\na\u2028"""'


def shown(page: Page, kind: str) -> str:
    page.get_by_role("button", name=f"Copy as {kind}").click()
    text = page.get_by_label(f"{kind}, with the token in").input_value()
    page.get_by_role("button", name=f"Copy as {kind}").click()
    return text


def run(manager: Visit, kind: str, code: str, folder: Path, name: str = "Ada") -> None:
    """Run the code as somebody would who has pasted it."""
    with manager.site.db.write() as session:
        user = session.execute(select(User.id).where(User.name == name)).scalar_one()
        _, token = accounts.create_token(session, user, "copied", accounts.SCOPES)
    command = [sys.executable, "-c", code] if kind == "Python" else ["bash", "-c", code]
    environment = {"PATH": os.environ["PATH"], "LABELWISE_TOKEN": token, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout + code


def made(manager: Visit) -> list[dict[str, Any]]:
    """Every project with its settings, classes and items with labels, without what differs by nature."""
    with manager.site.db.read() as session:
        found = []
        for project in session.execute(select(Project).order_by(Project.id)).scalars():
            items = select(Item).where(Item.project_id == project.id).order_by(Item.key)
            rows = session.execute(items).scalars().all()
            labels = select(Annotation.item_id, Annotation.label).where(Annotation.project_id == project.id)
            said = dict(session.execute(labels).all())
            classes = select(ProjectClass.name, ProjectClass.color).where(ProjectClass.project_id == project.id)
            found.append(
                {
                    "settings": (project.name, project.modality, project.task, project.guidelines, project.overlap),
                    "classes": session.execute(classes.order_by(ProjectClass.number)).all(),
                    "items": [(row.key, _plain(row.payload), row.meta, said.get(row.id)) for row in rows],
                }
            )
    return found


def _plain(payload: dict[str, Any]) -> Any:
    return {name: held if not isinstance(held, dict) else held.get("sha256", held) for name, held in payload.items()}


def pasted(page: Page, text: str) -> None:
    """Paste as a person does: Chromium takes milliseconds for what `fill`, which types it, takes many seconds."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.get_by_label("Or paste text, one item a line").press("Control+V")


def create(page: Page) -> None:
    page.get_by_role("button", name="Create the project").click()
    expect(page.get_by_role("link", name="Label now")).to_be_visible(timeout=30_000)


def prove(manager: Visit, page: Page, folder: Path) -> None:
    """Run both codes, then let the page do it: three equal projects."""
    for kind in ("Python", "curl"):
        run(manager, kind, shown(page, kind), folder)
    create(page)
    python, curl, own = made(manager)
    assert own["items"]
    assert python == own
    assert curl == own


def test_pasted_lines_with_every_sign(manager: Visit, tmp_path: Path) -> None:
    page = manager.open("/projects/new")
    page.get_by_role("button", name="Copy as Python").click()
    expect(page.get_by_text("Give the project a name.")).to_be_visible()
    page.get_by_role("button", name="Copy as Python").click()
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_label("Or paste text, one item a line").fill(
        f'{NAME}\nLABELWISE\n\'; rm -rf x; \'\n$(id) \\ \\t\t–\n\u2028"""'
    )
    page.get_by_label("Name of class 1").fill("it's $1")
    page.get_by_label("Name of class 2").fill('"b"\\')
    page.get_by_label("Guidelines, if any").fill(f"# {NAME}\n\n- 'one'\n- \"two\"\n")
    page.get_by_role("button", name="Copy as curl").click()
    assert manager.findings() == []
    page.get_by_role("button", name="Copy as curl").click()

    prove(manager, page, tmp_path)
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "y").exists()


def test_a_file_is_named_as_it_is_called(manager: Visit, tmp_path: Path) -> None:
    rows = [f"t{n},\"My 'invoice', number {n}\",{'billing' if n % 2 else 'sales'},$x{n}" for n in range(6)]
    (tmp_path / FILE).write_text("id,the body,category,more\n" + "\n".join(rows) + "\n")
    page = manager.open("/projects/new")
    page.get_by_label("Drop a file here, or choose one").set_input_files(tmp_path / FILE)
    page.get_by_label("Name", exact=True).fill("Tickets")

    prove(manager, page, tmp_path)


def test_a_zip_is_labelled_by_its_folders(manager: Visit, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / 'pets "1" it\'s.zip', "w") as archive:
        for n in range(4):
            out = io.BytesIO()
            Image.new("RGB", (20, 20), (40 * n, 80, 120)).save(out, "PNG")
            archive.writestr(f"{'cat' if n % 2 else 'dog'}/p{n}.png", out.getvalue())
    page = manager.open("/projects/new")
    page.get_by_label("Drop a file here, or choose one").set_input_files(tmp_path / 'pets "1" it\'s.zip')

    prove(manager, page, tmp_path)


def test_rows_that_are_too_many_lie_in_a_file_beside_the_code(manager: Visit, tmp_path: Path) -> None:
    lines = "\n".join(f"line {n} of many that are long enough to be too long together" for n in range(1_500))
    page = manager.open("/projects/new")
    page.get_by_label("Name", exact=True).fill("Many")
    pasted(page, lines)
    page.get_by_label("Name of class 1").fill("a")
    page.get_by_label("Name of class 2").fill("b")
    page.get_by_role("button", name="Copy as Python").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save items.items.jsonl").click()
    download.value.save_as(tmp_path / "items.items.jsonl")
    page.get_by_role("button", name="Copy as Python").click()

    prove(manager, page, tmp_path)


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_an_export_is_the_same_file(manager: Visit, tmp_path: Path, format: str) -> None:
    page = manager.open("/projects/new")
    page.get_by_label("Name", exact=True).fill("Short")
    page.get_by_label("Or paste text, one item a line").fill("=1+1\nit's\nthree")
    page.get_by_label("Name of class 1").fill("a")
    page.get_by_label("Name of class 2").fill("b")
    create(page)
    page = manager.open("/projects/short/export")
    if format == "csv":
        page.get_by_label("CSV").check()
        page.get_by_label("Leave such cells as they are").check()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").first.click()
    own, name = download.value.path().read_bytes(), download.value.suggested_filename

    for kind in ("Python", "curl"):
        run(manager, kind, shown(page, kind), tmp_path)
        assert (tmp_path / name).read_bytes() == own
        (tmp_path / name).unlink()


def test_where_nothing_can_be_copied_the_code_is_selected_and_that_is_said(manager: Visit) -> None:
    page = manager.page
    page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined}); document.execCommand = () => false;"
    )
    page = manager.open("/projects/new")
    page.get_by_label("Name", exact=True).fill("Any")
    page.get_by_label("Or paste text, one item a line").fill("one\ntwo")
    page.get_by_label("Name of class 1").fill("a")
    page.get_by_label("Name of class 2").fill("b")
    page.get_by_role("button", name="Copy as curl").click()
    page.get_by_role("button", name="Copy", exact=True).click()

    expect(page.get_by_text("press Ctrl+C, the code is selected")).to_be_visible()
    area = page.get_by_label("curl, with the token in")
    assert area.evaluate("each => each.selectionEnd - each.selectionStart === each.value.length") is True
