"""What there is, is documented."""

from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from app.api import annotations, items, leases, loop, projects, session, users
from app.cli.parser import parser
from app.core.settings import PREFIX, Settings
from app.featurizers import FEATURIZERS
from app.learners import LEARNERS
from app.strategies import POOL_STRATEGIES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def text(name: str) -> str:
    return (DOCS / name).read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in text("settings.md")


def test_every_route_is_documented() -> None:
    routers = [each.router for each in (annotations, items, leases, loop, projects, session, users)]
    routers += [session.public, items.streams]
    paths = {route.path for router in routers for route in router.routes if isinstance(route, APIRoute)}

    assert len(paths) > 30
    assert sorted(path for path in paths if path not in text("rest.md")) == []


def test_every_command_is_documented() -> None:
    commands = next(action for action in parser()._actions if action.choices).choices

    assert sorted(name for name in commands or () if name not in text("cli.md")) == []


@pytest.mark.parametrize("name", [*POOL_STRATEGIES, *LEARNERS, *FEATURIZERS])
def test_every_strategy_learner_and_featurizer_is_documented(name: str) -> None:
    assert f"`{name}`" in text("strategies.md")
