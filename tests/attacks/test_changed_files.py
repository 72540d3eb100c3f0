"""Real files and filters with a few bytes changed: taken whole or in part, or refused, and nothing else.

`LABELWISE_TEST_CHANGED_FILES=20000 pytest tests/attacks/test_changed_files.py -k "parquet and sqlite"` sends so many of
a kind; without it there are 40. `LABELWISE_TEST_CHANGED_FILES_FROM` is the number of the first. A number of a kind is
always the same file: `changed("parquet", 17)`.
"""

import json
import os
import random
import time
from collections import Counter
from typing import Any
from urllib.parse import quote_from_bytes

import pytest

from tests.attacks.mutations import mutated, seeds
from tests.attacks.rules import all_is_well
from tests.attacks.site import Site
from tests.attacks.test_f_parsers import push

COUNT = int(os.environ.get("LABELWISE_TEST_CHANGED_FILES", "40"))
FIRST = int(os.environ.get("LABELWISE_TEST_CHANGED_FILES_FROM", "0"))
AT_ONCE = 10  # files in one upload
LOOK_EVERY = 200  # files between two looks at everything else
ROWS = ["csv", "jsonl", "json", "parquet"]
FILES = {
    "zip": "image", "PNG": "image", "JPEG": "image", "WEBP": "image", "GIF": "image",
    "WAV": "audio", "FLAC": "audio", "OGG": "audio", "MP3": "audio", "MP4": "video", "WEBM": "video",
}  # fmt: skip
FILTERS = [
    b"status=answered&class=cat&metadata.n=3&disputed=false",
    b"predicted.probability:<0.6&predicted.class=dog&queued=true",
    b"q=dog%20kennel&split=train&state=open",
    b"metadata.n:>=2&metadata.n:<9&annotator=U1&doubtful=true",
    b"key=item-1&key=item-2&answered_after=2026-01-01T00:00:00Z&learned=1",
]
REFUSALS = {400, 413, 415, 422}


def changed(kind: str, number: int) -> bytes:
    """The file of a kind with a number."""
    chance = random.Random(f"{kind} {number}")
    return mutated(chance.choice(seeds(kind)), chance)


@pytest.mark.parametrize("kind", ROWS)
def test_changed_rows_are_stored_as_the_answer_says(aimed: Site, kind: str) -> None:
    project = aimed.new_project(aimed.M, 0)
    stored, seen = 0, Counter[Any]()
    for number in range(FIRST, FIRST + COUNT):
        whole = number % 3 == 0
        query = {"on_error": "abort"} if whole else {"create_classes": "true"} if number % 3 == 1 else {}
        answer = push(aimed, kind, changed(kind, number), project, **query)
        assert answer.status_code == 200 or answer.status_code in REFUSALS, (kind, number, answer.text[:500])
        made = answer.json() if answer.status_code == 200 else {"created": 0, "rejected_count": 0}
        assert not whole or answer.status_code != 200 or not made["rejected_count"], (kind, number)
        stored += made["created"]
        now = aimed.rows("SELECT count(*) FROM items WHERE project_id = :p", p=project)[0][0]
        assert now == stored, f"{kind} {number}: {now} items are stored, and {stored} were told of"
        seen[answer.status_code] += 1
        if number % LOOK_EVERY == LOOK_EVERY - 1:
            all_is_well(aimed)

    assert stored, seen
    assert nothing_is_spoilt(aimed, project)
    assert aimed.put_aside() == []
    aimed.M.delete(f"/projects/{project}")


@pytest.mark.parametrize("kind", FILES)
def test_changed_files_are_shown_or_refused_with_a_reason(aimed: Site, kind: str) -> None:
    project = aimed.new_project(aimed.M, 0, modality=FILES[kind])
    kept: dict[int, str] = {}
    refused = 0
    for start in range(FIRST, FIRST + COUNT, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, FIRST + COUNT))
        sent = [("files", (f"{number}.{kind}", changed(kind, number))) for number in numbers]
        query = {"labels": "folders"} if kind == "zip" else {}
        answer = aimed.M.post(f"/projects/{project}/media", files=sent, params=query, patient=True)
        assert answer.status_code == 201, (kind, numbers, answer.text[:500])
        said = answer.json()
        assert all(each["error"] for each in said["rejected"])
        assert kind == "zip" or len(said["media"]) + len(said["rejected"]) == len(sent), (kind, numbers)
        refused += len(said["rejected"])
        kept |= {each["id"]: each["sha256"] for each in said["media"]}
        for each in said["media"]:
            shown = aimed.M.get(f"/media/{each['id']}/thumbnail", params={"side": 64}, patient=True)
            assert shown.status_code in (200, 422), (kind, each["name"], shown.text[:500])
        if start % LOOK_EVERY == LOOK_EVERY - AT_ONCE:
            all_is_well(aimed)

    rows = aimed.rows("SELECT id, sha256 FROM media WHERE project_id = :p", p=project)
    folder = aimed.data / "media" / str(project)
    assert dict(map(tuple, rows)) == kept
    assert {path.name for path in folder.glob("*/*")} == set(kept.values())
    assert refused
    if kept:
        items = [{"key": f"of {number}", FILES[kind]: number} for number in list(kept)[:200]]
        assert aimed.M.post(f"/projects/{project}/items", json=items, patient=True).json()["rejected_count"] == 0
        assert nothing_is_spoilt(aimed, project)
    assert aimed.put_aside() == []
    aimed.M.delete(f"/projects/{project}")


def test_changed_filters_are_understood_or_refused(aimed: Site) -> None:
    seen = Counter[int]()
    for number in range(FIRST, FIRST + COUNT):
        chance = random.Random(f"filter {number}")
        asked = quote_from_bytes(mutated(chance.choice(FILTERS), chance)[:8_000], safe="=&:<>!%+*|,;()[]'\"~-._ ")
        for path in ("items", "export", "items/count"):
            answer = aimed.M.get(f"/projects/{aimed.P1}/{path}?{asked}", patient=True)
            assert answer.status_code in (200, 404, 414, *REFUSALS), (path, asked, answer.text[:500])
            seen[answer.status_code] += 1

    assert seen[200], seen
    assert seen[422], seen


def nothing_is_spoilt(site: Site, project: int) -> bool:
    """Every page of the list and every export can be read, and the worker gets through all that was stored."""
    where, cursor, listed = f"/projects/{project}", None, 0
    while True:
        query = {"limit": 200, **({"cursor": cursor} if cursor else {})}
        page = site.M.get(f"{where}/items", params=query, patient=True).json()
        listed, cursor = listed + len(page["items"]), page["next"]
        if cursor is None:
            break
    for view in ("items", "annotations"):
        for form in ("jsonl", "json", "csv", "parquet"):
            query = {"view": view, "format": form, "raw": "true"} if form == "csv" else {"view": view, "format": form}
            given = site.M.get(f"{where}/export", params=query, patient=True)
            assert given.status_code == 200, (view, form, given.text[:500])
            if (view, form) == ("items", "jsonl"):
                assert len([json.loads(line) for line in given.content.split(b"\n") if line]) == listed
    until_it_is_worked_off(site, project)
    failed = site.rows("SELECT kind, reason FROM jobs WHERE project_id = :p AND state = 'failed'", p=project)
    assert failed == []
    return listed > 0


def until_it_is_worked_off(site: Site, project: int) -> None:
    """Wait until no job of the project is left."""
    end = time.monotonic() + 120 + COUNT / 10
    unfinished = "SELECT kind FROM jobs WHERE project_id = :p AND state IN ('waiting', 'running') AND kind <> 'round'"
    while left := site.rows(unfinished, p=project):
        assert time.monotonic() < end, f"{left} do not end"
        time.sleep(0.2)
