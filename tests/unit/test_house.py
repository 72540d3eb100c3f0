"""The house's own rules, checked on every tracked file."""

import ast
import re
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = 400
CODE = {".py", ".ts", ".css", ".html", ".mjs"}
LOCKS = {"frontend/package-lock.json", "constraints.txt"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_file_of_code_is_longer_than_400_lines() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in tracked()
        if path.suffix in CODE and (count := len(path.read_text().splitlines())) > LINES
    }

    assert long == {}


def test_nothing_is_left_unfinished() -> None:
    here = Path(__file__).resolve()
    found = [path for path in tracked() if path.suffix in CODE and path != here and UNFINISHED.search(path.read_text())]

    assert found == []


def test_the_lock_file_names_no_registry() -> None:
    lock = (ROOT / "frontend" / "package-lock.json").read_text()

    assert '"resolved"' not in lock


def test_no_tracked_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    here = Path(__file__).resolve()
    text = {".md", ".json", ".toml", ".yml", ".sh", ".txt", "", *CODE}
    machine = re.compile(r"npmjs\.(org|com)|pythonhosted|pypi\.org|/work/|/root/")
    found = [path for path in tracked() if path.suffix in text and path != here and machine.search(path.read_text())]

    assert found == []


def test_no_module_imports_itself_over_others() -> None:
    files = {".".join(path.with_suffix("").parts[len(ROOT.parts) :]): path for path in (ROOT / "app").rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in files.items()}
    order = TopologicalSorter({name: _imported(path) & modules.keys() - {name} for name, path in modules.items()})

    order.prepare()  # raises CycleError naming the circle

    assert len(modules) > 100


def _imported(path: Path) -> set[str]:
    """Modules that are imported when this one is; a package's own names are looked for in its folder first."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            folder = ROOT / node.module.replace(".", "/")
            inner = {each.name for each in node.names if (folder / f"{each.name}.py").exists()}
            found |= {f"{node.module}.{name}" for name in inner}
            found |= {node.module} if len(inner) < len(node.names) else set()
    return found
