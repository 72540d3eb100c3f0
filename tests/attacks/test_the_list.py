"""The list of attacks itself: each case has a test, or a line that says why it does not apply."""

import importlib
from pathlib import Path

GROUPS: dict[str, str] = {  # by group the numbers of its cases
    "A": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 20 25 30 31 32 33 34 35",
    "B": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15",
    "C": "01 02 03 04 05 06 07 08 09 10 20 21 22 23 24 25 26",
    "D": "01 02 03 04 05 10 11 12 13 14 15 16 17 18 20 21 22 23 24",
    "E": "01 02 03 04 10 11 12 13 14 15 16 17 18 19 20 21 22 23",
    "F": "01 02 03 04 05 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24",
    "G": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 20",
    "H": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17",
    "I": "01 02 03 04 05 06 07 08 09 10 11 12 13",
    "J": "01 02 03 04 05 06 07",
    "K": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15",
    "L": "01 02 03 04 05 06",
}


def test_every_case_of_the_list_has_a_test_or_a_reason() -> None:
    tested: set[str] = set()
    excused: dict[str, str] = {}
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"{__package__}.{file.stem}")
        excused |= getattr(module, "NOT_HERE", {})
        for each in vars(module).values():
            tested |= {name for mark in _marks(each) if mark.name == "case" for name in mark.args}
    wanted = {f"{group}-{number}" for group, numbers in GROUPS.items() for number in numbers.split()}

    assert wanted - tested - excused.keys() == set()
    assert all(len(reason) > 20 for reason in excused.values())


def _marks(thing: object) -> list:
    found = getattr(thing, "pytestmark", [])
    return found if isinstance(found, list) else []
