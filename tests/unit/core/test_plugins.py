"""Packages of other people join the rooms through entry points."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.plugins import BrokenPlugin, entries

ROOT = Path(__file__).resolve().parents[3]
SLEEPY = '''
from dataclasses import dataclass
from typing import ClassVar
import numpy as np

@dataclass(frozen=True)
class Sleepy:
    """Asks for what has the lowest id."""
    name: ClassVar[str] = "sleepy"
    needs: ClassVar[frozenset] = frozenset()
    explores: ClassVar[bool] = False
    def prepare(self, context, rng):
        return None
    def score(self, shard, state):
        return -shard.ids[:, 0].astype(np.float32)
    def choose(self, candidates, k, state, rng):
        return candidates.best(k)
'''
USE = """
from pathlib import Path
from app.loop.sets import make_dataset
from app.loop.simulate import simulate
texts = [f"word{n % 3} thing{n % 7}" for n in range(60)]
labels = [f"c{n % 3}" for n in range(60)]
run = simulate(make_dataset("made", "text", texts, labels, texts, labels), "sleepy", 1, labels=40, audit_share=0)
print(sorted(run.order) == list(range(40)))
"""


def package(folder: Path, code: str, point: str) -> dict[str, str]:
    """An installed package, as pip leaves it behind."""
    (folder / "sleepy_package.py").write_text(code)
    facts = folder / "sleepy_package-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: sleepy-package\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[labelwise.strategies]\nsleepy = {point}\n")
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}


@pytest.mark.night
def test_a_strategy_of_an_installed_package_is_used_by_its_name(tmp_path: Path) -> None:
    environment = package(tmp_path, SLEEPY, "sleepy_package:Sleepy")
    done = subprocess.run([sys.executable, "-c", USE], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.parametrize(
    ("code", "point", "why"),
    [
        (SLEEPY, "sleepy_package:Missing", "cannot be loaded"),
        ("raise OSError('no library')", "sleepy_package:Sleepy", "no library"),
        (SLEEPY.replace('"sleepy"', '"margin"'), "sleepy_package:Sleepy", "that name is taken"),
        ("class Sleepy: pass", "sleepy_package:Sleepy", "has no name"),
    ],
)
def test_a_broken_package_is_named(tmp_path: Path, code: str, point: str, why: str) -> None:
    environment = package(tmp_path, code, point)
    use = [sys.executable, "-c", "import app.strategies"]
    done = subprocess.run(use, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "sleepy-package" in done.stderr
    assert why in done.stderr


def test_an_entry_of_ours_without_a_name_is_refused() -> None:
    with pytest.raises(BrokenPlugin, match="has no name"):
        entries("strategies", [object()])
