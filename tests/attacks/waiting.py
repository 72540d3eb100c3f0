"""Waiting for what the worker does."""

import time
from typing import Any

from tests.attacks.site import Site
from tests.attacks.voices import Voice


def lease(site: Site, person: Voice, project: int, count: int = 1, seconds: float = 30) -> list[dict[str, Any]]:
    """Leases of a person, as soon as the project serves any."""
    end = time.monotonic() + seconds
    while not (found := site.lease(person, project, count)) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def wait_for_the_end(voice: Voice, job: int, seconds: float = 60) -> dict[str, Any]:
    """A job that has ended, or as it is when the time is over."""
    end = time.monotonic() + seconds
    while True:
        found: dict[str, Any] = voice.get(f"/jobs/{job}", params={"wait": 5}, patient=True).json()
        if found["state"] not in ("waiting", "running") or time.monotonic() > end:
            return found


def wait_for_a_round(site: Site, project: int, seconds: float = 40, labels: int = 0, after: int = 0) -> dict[str, Any]:
    """The newest round once it has ended, with a number above `after` and that many labels or more; or nothing."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = site.M.get(f"/projects/{project}/rounds").json()["items"]
        ended = [each for each in found if each["state"] in ("done", "failed", "skipped", "published")]
        if ended and ended[0]["number"] > after and ended[0]["labels"] >= labels:
            return dict(ended[0])
        time.sleep(0.3)
    return {}


def wait_for_features(site: Site, project: int, seconds: float = 30) -> None:
    """Until every item has its vector."""
    end = time.monotonic() + seconds
    active = "SELECT count(*) FROM feature_sets WHERE project_id = :p AND active"
    while time.monotonic() < end and not site.rows(active, p=project)[0][0]:
        time.sleep(0.2)
