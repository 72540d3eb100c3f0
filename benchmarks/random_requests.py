"""Random requests over the whole OpenAPI description as each role: `python -m benchmarks.random_requests`.

`--each 2000 --seed 7 --database postgresql --write` makes 2,000 requests as each role with seed 7, on a fresh service.
A piece is one seed: run as many as there is time for, `--write` keeps each in results/random_requests.csv, in the place
of an earlier one of the same seed, and sums them in results/random_requests.md. The exit code is 1 where anything was
found; findings are printed with the curl command that shows them again.
"""

import argparse
import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.attacks.asking import ROLES, Outcome, ask_at_random, own_site, walk_at_random

PIECES = Path(__file__).with_name("results") / "random_requests.csv"
PAGE = PIECES.with_suffix(".md")
COLUMNS = ("database", "role", "seed", "requests", "statuses", "findings")
ASKED_FOR = 50_000  # requests a role
PEOPLE = {
    "-": "nobody", "U1": "annotator", "R": "reviewer", "M": "manager", "A": "admin", "links": "manager along links",
}  # fmt: skip
HEAD = f"""# Random requests

Requests that schemathesis draws from the OpenAPI description, half of them ones that it forbids, most with the ids of
things that there are. A finding is an answer 5xx, a status or a body that the description does not have, an answer that
does without the sign-in that it says it needs, one that takes what the description forbids, or one that tells how the
service is made. Walks go on from answers: there it is also one that gives what was deleted, or has not what was made.

Asked for: {ASKED_FOR:,} a role.
`python -m benchmarks.random_requests --each 2000 --seed N --database D --write` adds a piece; the pieces stand in
[random_requests.csv](random_requests.csv).

| database | role | pieces | requests | findings | statuses |
|---|---|---|---|---|---|
"""


def main() -> int:
    """Make a piece; 0 where nothing was found."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--each", type=int, default=2_000, help="requests as each role")
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    given.add_argument("--role", choices=ROLES, action="append", help="one of them only; may be said again")
    given.add_argument("--links", type=int, default=0, help="so many requests along links, in the place of the others")
    given.add_argument("--seconds", type=float, default=float("inf"), help="after which no more requests are made")
    given.add_argument("--write", action="store_true")
    options = given.parse_args()
    found = 0
    with tempfile.TemporaryDirectory() as folder, own_site(Path(folder), options.database) as site:
        if options.links:
            made = {"links": walk_at_random(site, options.links, options.seed)}
        else:
            made = ask_at_random(site, options.role or ROLES, options.each, options.seed, options.seconds)
        for role, outcome in made.items():
            found += len(outcome.findings)
            print(*outcome.findings, _line(options.database, role, 1, outcome), sep="\n", flush=True)
            if options.write:
                keep(options.database, role, options.seed, outcome)
        said = site.unread_log()
    stumbled = "Traceback" in said
    if stumbled:
        print(said[-4_000:])
    return 1 if found or stumbled else 0


def keep(database: str, role: str, number: int, outcome: Outcome) -> None:
    """Put a piece beside the others, and their sums on the page."""
    rows = list(csv.DictReader(PIECES.open())) if PIECES.exists() else []
    own = (database, role, str(number))
    rows = [row for row in rows if (row["database"], row["role"], row["seed"]) != own]
    values = (*own, outcome.requests, _told(outcome.statuses), len(outcome.findings))
    rows.append(dict(zip(COLUMNS, map(str, values), strict=True)))
    rows.sort(key=lambda row: (row["database"], list(PEOPLE).index(row["role"]), int(row["seed"])))
    with PIECES.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    PAGE.write_text(HEAD + "\n".join(_sums(rows)) + "\n")


def _sums(rows: Iterable[dict[str, str]]) -> list[str]:
    sums: dict[tuple[str, str], tuple[int, Outcome]] = {}
    for row in rows:
        pieces, outcome = sums.get((row["database"], row["role"]), (0, Outcome()))
        for part in row["statuses"].split():
            status, _, count = part.partition(":")
            outcome.statuses[int(status)] += int(count)
        outcome.findings += [""] * int(row["findings"])
        sums[row["database"], row["role"]] = (pieces + 1, outcome)
    return [_line(database, role, pieces, outcome) for (database, role), (pieces, outcome) in sums.items()]


def _line(database: str, role: str, pieces: int, outcome: Outcome) -> str:
    cells = (database, PEOPLE[role], pieces, f"{outcome.requests:,}", len(outcome.findings), _told(outcome.statuses))
    return f"| {' | '.join(map(str, cells))} |"


def _told(statuses: Counter[int]) -> str:
    return " ".join(f"{status}:{statuses[status]}" for status in sorted(statuses))


if __name__ == "__main__":
    sys.exit(main())
