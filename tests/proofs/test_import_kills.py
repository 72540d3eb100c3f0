"""An import killed again and again, each time a little later."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.settings import Settings
from app.db import Database, Item
from app.services import accounts, projects
from app.services.access import Person

IMPORTER = """
import os, sys
from pathlib import Path
from app.core.settings import Settings
from app.db import Database
from app.formats import FORMATS
from app.services import ingestion
from app.services.access import Person
data, url, project, file = sys.argv[1:5]
settings, boss = Settings(data=Path(data), _env_file=None), Person(1, "boss", True)
for _ in sys.stdin:  # each line is an attempt, in a process of its own
    child = os.fork()
    if child == 0:
        ingestion.import_file(
            Database(url), settings, boss, project, Path(file), FORMATS["jsonl"], ingestion.Options()
        )
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.night
@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_an_import_killed_at_twenty_points_ends_with_one_row_a_key(
    db: Database, settings: Settings, tmp_path: Path
) -> None:
    url = db.url.render_as_string(hide_password=False)
    with db.write() as session:
        accounts.create_user(session, "boss", "correct horse battery", admin=True)
        task = {"type": "classification", "classes": ["cat", "dog"]}
        project = projects.create(session, Person(1, "boss", True), {"name": "P", "modality": "text", "task": task}).id
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"key": f"k{n}", "text": f"row {n}"}) + "\n" for n in range(20_000)))
    command = [sys.executable, "-c", IMPORTER, str(settings.data), url, str(project), str(file)]
    counts, ends = [], []
    pipe: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.getcwd()}, **pipe) as importer:
        assert importer.stdin is not None
        assert importer.stdout is not None
        for number in range(21):
            importer.stdin.write("go\n")
            importer.stdin.flush()
            child = int(importer.stdout.readline())
            if number < 20:
                time.sleep(0.01 + 0.02 * number)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            ends.append(int(importer.stdout.readline()))
            with db.read() as session:
                counts.append(session.execute(select(func.count()).select_from(Item)).scalar_one())

    with db.read() as session:
        total, keys = session.execute(select(func.count(Item.id), func.count(func.distinct(Item.key)))).one()
    assert counts == sorted(counts)
    assert any(0 < count < 20_000 for count in counts)
    assert ends.count(-signal.SIGKILL) > 10
    assert ends[-1] == 0
    assert total == keys == 20_000
