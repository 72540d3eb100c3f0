"""Writes the parts of the documentation that come from the code: routes, commands, strategies, learners, featurizers.

Run `python -m docs.tables` after a change of any of them; a test fails while a name is missing.
"""

import argparse
import inspect
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.cli.parser import parser
from app.core.settings import Settings
from app.featurizers import FEATURIZERS
from app.learners import LEARNERS
from app.main import create_app
from app.strategies import POOL_STRATEGIES

DOCS = Path(__file__).resolve().parent
METHODS = ("get", "post", "put", "patch", "delete")


def routes() -> Iterator[tuple[str, str, str]]:
    """Method, path and first sentence of every REST route."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(data=Path(folder), _env_file=None))
        paths = app.openapi()["paths"]
    for path, methods in paths.items():
        if not path.startswith(("/api/v1/", "/healthz", "/readyz")):
            continue  # pages
        for method in METHODS:
            if method in methods:
                text = methods[method].get("description") or methods[method]["summary"]
                yield method.upper(), path.removeprefix("/api/v1"), text.split("\n")[0]


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command by its words, with its parser."""
    yield from _below(parser(), "labelwise")


def plugins() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The plug-in tables whose entries are described by their own docstrings."""
    yield "strategies", POOL_STRATEGIES
    yield "learners", LEARNERS
    yield "featurizers", FEATURIZERS


def _below(top: argparse.ArgumentParser, words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    groups = [each for each in top._actions if isinstance(each, argparse._SubParsersAction)]
    if not groups:
        yield words, top
    for group in groups:
        for name, made in group.choices.items():
            yield from _below(made, f"{words} {name}")


def route_table() -> str:
    """All routes as a table."""
    rows = "\n".join(f"| `{method} {path}` | {text} |" for method, path, text in routes())
    return f"| route | what it does |\n|---|---|\n{rows}"


def command_text() -> str:
    """All commands with their options."""
    return "\n\n".join(f"### {words}\n\n{made.description}\n\n{_options(made)}" for words, made in commands())


def _options(made: argparse.ArgumentParser) -> str:
    rows = []
    for each in made._actions:
        if each.dest == "help":
            continue
        name = ", ".join(each.option_strings) or each.dest.upper()
        text = re.sub(r"\((LABELWISE_[A-Z_=a-z]+)\)$", r"(`\1`)", each.help or "")
        rows.append(f"| `{name}` | {text} |")
    return "| argument | meaning |\n|---|---|\n" + "\n".join(rows)


def plugin_text(table: Mapping[str, Any]) -> str:
    """One plug-in table: names, parameters with defaults, and what the docstrings say."""
    parts = []
    for name, kind in table.items():
        parameters = inspect.signature(kind).parameters.values()
        given = ", ".join(f"`{each.name}` = {each.default!r}" for each in parameters)
        parts.append(
            f"### `{name}`\n\n" + (f"Parameters: {given}.\n\n" if given else "") + (inspect.getdoc(kind) or "")
        )
    return "\n\n".join(parts)


def write(file: str, name: str, text: str) -> None:
    """Put a text between its two marks in a page."""
    page = DOCS / file
    begin, end = f"<!-- {name}: written by docs/tables.py -->", f"<!-- end of {name} -->"
    before, _, rest = page.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{file} has no marks for {name}")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def main() -> None:
    """Write every part."""
    write("rest.md", "routes", route_table())
    write("cli.md", "commands", command_text())
    for name, table in plugins():
        write("strategies.md", name, plugin_text(table))


if __name__ == "__main__":
    main()
