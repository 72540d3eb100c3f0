"""What a harness found, and the page that keeps it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "results" / "faults.md"
HEAD = """# Bad days

What is left after processes were killed, disks were full, connections were cut and files were damaged. Each row is one
run of `python -m benchmarks.faults NAME`; the journal of acknowledged answers, written by the clients, is compared with
the database afterwards, and every rule of `labelwise check` is looked at. A row that names a guard ran a build without
it: such a run has to find something, or the harness proves nothing.

| harness | without | database | times | seed | found | figures |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Run:
    """How a harness is run."""

    times: int = 0  # kills, cuts or whatever it counts; its own number unless given
    seed: int = 1
    seconds: float = 0
    database: str = "sqlite"
    without: str = ""
    people: int = 20


@dataclass
class Outcome:
    """What came of it: how often the fault was made, what was measured, and what was not kept."""

    times: int
    figures: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Harness:
    """One kind of bad day. `guards` are those without which it has to find something, by database."""

    run: Callable[[Run], Outcome]
    guards: dict[str, str]
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    times: int = 20  # unless said
    proof: int = 10  # times, of a run without a guard


def row(name: str, run: Run, outcome: Outcome) -> str:
    """A run as a line of the page."""
    figures = ", ".join(f"{key} {value}" for key, value in outcome.figures.items())
    found = "nothing" if not outcome.violations else "; ".join(outcome.violations)[:300].replace("|", "/")
    cells = (name, run.without or "-", run.database, outcome.times, run.seed, found, figures or "-")
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def keep(name: str, run: Run, outcome: Outcome) -> None:
    """Put a run on the page, in the place of the last one of its kind; what is written below the table stays there."""
    lines = PAGE.read_text().splitlines() if PAGE.exists() else HEAD.splitlines()
    begin = f"| {name} | {run.without or '-'} | {run.database} |"
    others = [line for line in lines if not line.startswith(begin)]
    head = len(HEAD.splitlines())
    rows = [line for line in others[head:] if line.startswith("|")]
    below = [line for line in others[head:] if not line.startswith("|")]
    PAGE.write_text("\n".join([*others[:head], *sorted([*rows, row(name, run, outcome)]), *below]) + "\n")


def percentile(values: list[float], share: float) -> float:
    """A value that so large a share of them does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def said(outcome: Outcome) -> str:
    """An outcome as JSON."""
    return json.dumps({"times": outcome.times, **outcome.figures, "violations": outcome.violations})
