"""What there is, is documented."""

import re
from pathlib import Path

import pytest

from app.core.settings import PREFIX, Settings
from app.db import Base
from app.db.search import FULL_TEXT
from app.featurizers import FEATURIZERS
from app.learners import LEARNERS
from app.services import purging
from app.strategies import POOL_STRATEGIES
from docs import tables

DOCS = Path(__file__).resolve().parents[2] / "docs"


def text(name: str) -> str:
    return (DOCS / name).read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in text("settings.md")


def test_every_route_is_documented_with_its_method() -> None:
    known = list(tables.routes())

    assert len(known) > 50
    assert [f"{method} {path}" for method, path, _ in known if f"`{method} {path}`" not in text("rest.md")] == []


def test_every_command_and_option_is_documented_with_its_variable() -> None:
    page = text("cli.md")
    wanted = []
    for words, made in tables.commands():
        wanted.append(f"### {words}\n")
        wanted += [f"`{name}`" for action in made._actions for name in action.option_strings[-1:] if name != "--help"]
        lacking = [action for action in made._actions if action.option_strings and "LABELWISE_" not in str(action.help)]
        assert [action.dest for action in lacking] == ["help"]

    assert len(wanted) > 40
    assert sorted(part for part in wanted if part not in page) == []


def test_links_between_pages_lead_somewhere() -> None:
    root = DOCS.parent
    pages = [*DOCS.glob("*.md"), root / "README.md", root / "ARCHITECTURE.md"]
    links = [(page, link) for page in pages for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text())]

    assert len(links) > 10
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", [*POOL_STRATEGIES, *LEARNERS, *FEATURIZERS])
def test_every_strategy_learner_and_featurizer_is_documented(name: str) -> None:
    assert f"`{name}`" in text("strategies.md")


def test_every_table_and_folder_is_in_the_register_of_personal_data() -> None:
    page = text("personal-data.md")
    named = set(re.findall(r"^\| `(\w+)(?:/|\.jsonl)?`", page.split("## Where it lies")[1], re.MULTILINE))
    made = {*Base.metadata.tables, FULL_TEXT, *purging.FOLDERS, "tmp", "erased"}

    assert named == made
