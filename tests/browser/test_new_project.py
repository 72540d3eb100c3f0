"""From data to the first item on one page."""

import io
import json
import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit


def drop(page: Page, file: Path) -> None:
    page.get_by_label("Drop a file here, or choose one").set_input_files(file)


def create(page: Page) -> None:
    page.get_by_role("button", name="Create the project").click()
    expect(page.get_by_role("link", name="Label now")).to_be_visible(timeout=30_000)


def picture(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, 80, 120)).save(out, "PNG")
    return out.getvalue()


def test_thirty_pasted_lines_are_a_project_and_the_first_one_is_shown_to_label(manager: Visit) -> None:
    page = manager.open("/projects/new")
    page.get_by_label("Name", exact=True).fill("Short reviews")
    lines = "\n".join(f"Review number {n}: {'loved it' if n % 2 else 'left early'}" for n in range(30))

    page.get_by_label("Or paste text, one item a line").fill(lines)
    page.get_by_label("Name of class 1").fill("good")
    page.get_by_label("Name of class 2").fill("bad")
    card = page.get_by_role("img", name="How annotators will see an item")
    expect(card).to_contain_text("Review number 0")
    expect(card).to_contain_text("good")
    assert manager.findings() == []
    create(page)

    expect(page.get_by_text("30 items are stored.")).to_be_visible()
    page.get_by_role("link", name="Label now").click()
    item = page.get_by_role("article", name="Item")
    expect(item).to_contain_text("Review number", timeout=30_000)
    first = item.inner_text()
    page.keyboard.press("1")
    expect(item).not_to_have_text(first)


def test_a_csv_is_mapped_by_itself_and_its_bad_rows_are_named(manager: Visit, tmp_path: Path) -> None:
    file = tmp_path / "tickets.csv"
    rows = [f't{n},"My invoice, number {n}, is wrong",{"billing" if n % 2 else "sales"}' for n in range(20)]
    file.write_text("id,body,category\n" + "\n".join(rows) + "\nt90,,billing\n")
    page = manager.open("/projects/new")

    drop(page, file)

    expect(page.get_by_text("21 items found in tickets.csv.")).to_be_visible()
    expect(page.get_by_role("combobox", name="Text", exact=True)).to_have_value("body")
    expect(page.get_by_role("combobox", name="Label, if known")).to_have_value("category")
    expect(page.get_by_role("combobox", name="Key, if there is one")).to_have_value("id")
    expect(page.get_by_label("Name of class 2")).to_have_value("sales")
    create(page)
    expect(page.get_by_text("20 items are stored; 1 row was not taken.")).to_be_visible()
    expect(page.get_by_role("cell", name="text is empty")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download them as CSV").click()
    assert "text is empty" in download.value.path().read_text()


def test_rows_of_json_may_lack_a_label(manager: Visit, tmp_path: Path) -> None:
    rows = [{"key": f"k{n}", "text": f"a text 🐢 {n}"} | ({"label": "xy"[n % 2]} if n < 4 else {}) for n in range(12)]
    file = tmp_path / "sparse.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    page = manager.open("/projects/new")

    drop(page, file)
    create(page)

    expect(page.get_by_text("12 items are stored.")).to_be_visible()


def test_a_parquet_file_becomes_rows_of_a_table(manager: Visit, tmp_path: Path) -> None:
    file = tmp_path / "people.parquet"
    pq.write_table(pa.table({"age": list(range(30)), "town": ["a", "b", "c"] * 10, "label": ["yes", "no"] * 15}), file)
    page = manager.open("/projects/new")

    drop(page, file)

    expect(page.get_by_role("combobox", name="Kind of items")).to_have_value("table")
    expect(page.get_by_role("img", name="How annotators will see an item")).to_contain_text("town")
    create(page)
    expect(page.get_by_text("30 items are stored.")).to_be_visible()


def test_a_zip_of_images_is_labelled_by_its_folders(manager: Visit, tmp_path: Path) -> None:
    file = tmp_path / "pets.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(10):
            archive.writestr(f"{'cat' if n % 2 else 'dog'}/p{n}.png", picture(20 * n))
        archive.writestr("cat/broken.png", b"not an image")
    page = manager.open("/projects/new")

    drop(page, file)

    expect(page.get_by_text("The folders are the labels (2 folders)")).to_be_visible()
    expect(page.get_by_role("img", name="How annotators will see an item").locator("img")).to_be_visible()
    create(page)
    expect(page.get_by_text(re.compile("10 items are stored; 1 row was not taken."))).to_be_visible()
    expect(page.get_by_role("cell", name="cat/broken.png")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "encoding"), [("windows-1252", "cp1252"), ("utf-16le", "utf-16"), ("windows-1251", "cp1251")]
)
def test_a_file_in_another_encoding_is_read_as_its_letters_say(
    manager: Visit, tmp_path: Path, name: str, encoding: str
) -> None:
    word = "добрый день" if encoding == "cp1251" else "café crème à la carte"
    file = tmp_path / "menu.csv"
    file.write_bytes(f"label,text\na,{word} 1\nb,{word} 2\na,{word}".encode(encoding))
    page = manager.open("/projects/new")

    drop(page, file)

    saved = page.get_by_role("combobox", name="Saved as")
    if encoding == "cp1251":
        expect(saved).to_have_value("windows-1252")
        saved.select_option(name)
    expect(saved).to_have_value(name)
    expect(page.get_by_role("cell", name=f"{word} 1")).to_be_visible()
    create(page)
    expect(page.get_by_text("3 items are stored.")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "The file is empty."),
        ("broken.jsonl", b'{"text": "a"}\n{"text": \n', "Line 2 is not valid JSON"),
        ("cut.zip", b"PK\x03\x04 and then nothing", "not a ZIP archive"),
        ("virus.exe", b"MZ", "ends in .exe is not taken"),
        ("broken.parquet", b"PAR1 and then nothing", "not a Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(
    visit: Visit, manager: Visit, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    page = manager.open("/projects/new")

    drop(page, file)

    expect(page.get_by_role("alert")).to_contain_text(said)
    if name.endswith(".parquet"):  # the browser writes the server's refusal into its console
        visit.complaints.clear()


def test_what_is_missing_is_said_and_nothing_is_sent(manager: Visit) -> None:
    page = manager.open("/projects/new")
    submit = page.get_by_role("button", name="Create the project")

    submit.click()
    expect(page.get_by_role("alert")).to_have_text("Give the project a name.")
    page.get_by_label("Name", exact=True).fill("x" * 200)
    submit.click()
    expect(page.get_by_role("alert")).to_have_text("Drop a file or paste lines first.")
    page.get_by_label("Or paste text, one item a line").fill("one\ntwo")
    submit.click()
    expect(page.get_by_role("alert")).to_have_text("Name at least two classes.")
    page.get_by_label("Name of class 1").fill("Same")
    page.get_by_label("Name of class 2").fill("same")
    submit.click()
    expect(page.get_by_role("alert")).to_have_text('Two classes are called "same".')


def test_a_built_in_beginning_fills_in_the_question(manager: Visit) -> None:
    page = manager.open("/projects/new")
    page.get_by_label("Begin with").select_option("Sentiment of texts")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Sentiment")
    page.get_by_label("Begin with").select_option("Topics of texts")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Topics")
    expect(page.get_by_label("any number of classes")).to_be_checked()
    assert manager.findings() == []
    page.get_by_label("Name", exact=True).fill("News")
    page.get_by_label("Or paste text, one item a line").fill("The minister resigned\nThe match ended two all")
    page.get_by_label("Begin with").select_option("Spam or not")
    expect(page.get_by_label("Name", exact=True)).to_have_value("News")

    create(page)

    page.get_by_role("link", name="Label now").click()
    expect(page.get_by_role("button", name="not spam")).to_be_visible(timeout=30_000)
    page.keyboard.press("h")
    expect(page.get_by_text("A newsletter that somebody subscribed to is")).to_be_visible()
