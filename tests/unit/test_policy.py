"""The policy of pages has no nonce because nothing is inline: what it would block stands nowhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from app.api import files
from app.main import NOTHING_RUNS
from app.web.markdown import ATTRIBUTES, TAGS
from app.web.pages import POLICY
from tests.conftest import Api

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").glob("*.html"))
SOURCES = sorted((ROOT / "frontend" / "src").rglob("*.ts"))
# In TypeScript: markup that is inline script or style, and ways to make some that the policy stops only in the browser.
INLINE = re.compile(
    r"""[\s"'`]style=|\son[a-z]+=|<style|<script|javascript:|\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML"""
    r"""|document\.write|\beval\(|new Function|unsafeHTML|unsafeSVG|unsafeStatic|styleMap"""
    r"""|setAttribute\(["']style|createElement\(["'](script|style)"""
)
PATHS = ("/sign-in", "/projects", "/tokens", "/audit-log", "/buckets", "/docs", "/new", "/nowhere")


class Inline(HTMLParser):
    """Collects what a page says that `script-src 'self'` and `style-src 'self'` would block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith("on") or (value or "").strip().lower().startswith("javascript:"):
                self.found.append(f"<{tag} {name}>")
        address = given.get("src") or (given.get("href") if tag == "link" else None)
        if address is not None and not address.startswith(("/static/", "{{")):
            self.found.append(f"<{tag} {address}>")


def inline(markup: str) -> list[str]:
    looked = Inline()
    looked.feed(markup)
    return looked.found


def test_the_policy_lets_nothing_run_but_files_of_ours() -> None:
    rules = dict(rule.strip().partition(" ")[::2] for rule in POLICY.split(";"))

    assert rules["default-src"] == "'none'"
    assert (rules["script-src"], rules["style-src"]) == ("'self'", "'self'")
    assert (rules["base-uri"], rules["form-action"], rules["frame-ancestors"]) == ("'none'", "'self'", "'none'")
    assert rules["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert "script-src" not in NOTHING_RUNS


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_an_inline_script_or_style(path: Path) -> None:
    assert inline(path.read_text()) == []


def test_no_script_makes_inline_scripts_or_styles() -> None:
    assert len(SOURCES) > 40
    found = [f"{path.name}: {match[0]}" for path in SOURCES for match in INLINE.finditer(path.read_text())]

    assert found == []


@pytest.mark.parametrize(
    "markup",
    [
        "<script>go()</script>", "<style>a{}</style>", '<p style="color:red">', '<img src="/static/x" onerror="go()">',
        '<a href="javascript:go()">', '<script src="https://evil.example/x.js"></script>',
        '<link rel="stylesheet" href="//evil.example/x.css">',
    ],
)  # fmt: skip
def test_what_the_policy_would_block_is_found(markup: str) -> None:
    assert inline(markup)


def test_what_people_write_becomes_no_markup_that_runs_or_looks_otherwise() -> None:
    assert {"a": {"href"}} == ATTRIBUTES
    assert not TAGS & {"script", "style", "link", "img", "iframe", "svg", "form", "input", "object"}


def test_no_stored_file_is_served_as_a_script_or_a_style() -> None:
    """`'self'` is our own origin: what people upload lies there too, and `nosniff` refuses all but these two types."""
    assert files.SHOWN
    assert [each for each in files.SHOWN if "script" in each or "css" in each or "xml" in each or "html" in each] == []


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_no_page_that_is_served_has_an_inline_script_or_style(api: Api) -> None:
    boss: Any = api.as_("boss")
    project = boss.project()["id"]
    sections = ("annotate", "overview", "rounds", "items", "people", "simulate", "export", "settings", "import")
    asked = [*PATHS, *(f"/projects/{project}/{each}" for each in (*sections, "webhooks"))]
    headers = {**boss.headers, "Accept": "text/html"}
    seen = 0

    for path in asked:
        answer = api.client.get(path, headers=headers)
        if answer.headers.get("content-type", "").startswith("text/html"):
            seen += 1
            assert answer.headers["content-security-policy"] == POLICY, path
            assert inline(answer.text) == [], path

    assert seen >= len(asked) - 1
