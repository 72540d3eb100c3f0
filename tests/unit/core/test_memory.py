"""Freed memory goes back to the system."""

import subprocess
import sys

MEASURED = """
from pathlib import Path
from app.core import memory

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1])

small = [bytearray(4_000) for _ in range(20_000)]  # 80 MB of pieces, and one above them all that stays
last = bytearray(4_000)
del small
before = resident()
memory.give_back()
print(before - resident())
"""


def test_pages_below_something_that_stays_are_given_back() -> None:
    found = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    assert int(found.stdout) > 60_000
