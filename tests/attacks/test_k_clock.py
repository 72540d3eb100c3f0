"""d.K, third part: the server's clock jumps by a day while sessions, tokens, leases and places in lists are alive.

Leases follow the database's time; on SQLite that is the process's own, which is read once and never jumps, so there the
promise is for one start of the server (RELIABILITY (e)).
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import databases
from tests.attacks.conftest import KINDS
from tests.attacks.running import running
from tests.attacks.site import Site, canary
from tests.attacks.trap import Trap, answer
from tests.attacks.waiting import wait_for_the_end

case = pytest.mark.case

DAY = 86_400
# In the place of a system's clock that is wrong: what the program reads is shifted by the seconds in a file.
WRONG = """
import os, time
from datetime import datetime, timedelta
from pathlib import Path
import app.core.clock

def shift():
    return float(Path(os.environ["WRONG_BY"]).read_text())

class Shifted(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(seconds=shift())

app.core.clock.datetime = Shifted
right, right_ns = time.time, time.time_ns
time.time = lambda: right() + shift()
time.time_ns = lambda: right_ns() + int(shift() * 1e9)
"""


@pytest.fixture(params=KINDS)
def wrong(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, trap: Trap
) -> Iterator[tuple[Site, Path]]:
    """A service whose clock is wrong by the seconds in a file."""
    folder = tmp_path_factory.mktemp(f"clock-{request.param}")
    (folder / "sitecustomize.py").write_text(WRONG)
    shift = folder / "shift"
    shift.write_text("0")
    data = folder / "data"
    url = None if request.param == "sqlite" else databases.another_postgres_url("clock")
    settings = {"PYTHONPATH": str(folder), "WRONG_BY": str(shift)}
    allowed = {"LABELWISE_ALLOW_FETCH_FROM": f"127.0.0.1:{trap.port}"}
    with canary() as watching, running(data, url, **settings, **allowed) as service:
        made = Site(service, data, url or f"sqlite:///{data / 'labelwise.db'}", watching)
        yield made, shift
        made.close()


@case("K-11")
def test_k11_a_day_forth_and_back_ends_nothing_early_and_revives_nothing(wrong: tuple[Site, Path], trap: Trap) -> None:
    site, shift = wrong
    trap.say["/clock"] = lambda _: answer()
    hook = {"url": trap.url("/clock"), "events": ["job.finished"]}
    number = site.M.post(f"/projects/{site.P1}/webhooks", json=hook).json()["id"]
    project = site.new_project(site.M, 8)
    for person in (site.U1, site.U2):
        site.join(site.M, project, person)
    ended, lasting = site.M.token("read", expires_in=0.5), site.M.token("read", expires_in=10 * DAY)
    signed_in = site.U1.browser()
    place = site.M.get(f"/projects/{project}/items", params={"limit": 2}).json()["next"]
    held = site.lease(site.U1, project, 4)
    mine = {lease["item"]["id"] for lease in held}
    time.sleep(0.6)

    for jump, lease in zip((DAY, -DAY, 0), held, strict=False):
        shift.write_text(str(jump))
        time.sleep(0.2)
        assert ended.get("/session").status_code == 401, jump  # it does not come back
        assert lasting.get("/session").status_code == 200, jump
        assert signed_in.get("/session").status_code == 200, jump
        following = site.M.get(f"/projects/{project}/items", params={"limit": 2, "cursor": place})
        assert following.status_code == 200, jump
        given = site.lease(site.U2, project, 4)
        assert not mine & {each["item"]["id"] for each in given}, jump  # what somebody holds is not given on
        renewed = site.U1.post(f"/leases/{lease['id']}/renew")
        assert renewed.status_code == 200, (jump, renewed.text)
        stored = site.answer(site.U1, lease).json()
        assert (stored["counted"], stored["late"]) == (True, False), jump
        site.U2.delete(f"/projects/{project}/leases")
        job = site.M.post(f"/projects/{project}/snapshots", json={"name": f"at{jump + DAY}"}).json()["job"]["id"]
        assert wait_for_the_end(site.M, job)["state"] == "done", jump
        before = len(trap.at("/clock"))
        site.M.post(f"/projects/{site.P1}/webhooks/{number}/test")
        assert abs(_signed_at(trap, before) - time.time() - jump) < 60  # the clock was wrong indeed
    assert site.rows("SELECT count(*) FROM annotations WHERE project_id = :p AND counted", p=project)[0][0] == 3
    assert "Traceback" not in site.unread_log()


def _signed_at(trap: Trap, before: int) -> int:
    """The moment that the delivery to the trap after `before` others names."""
    end = time.monotonic() + 30
    while len(trap.at("/clock")) == before:
        assert time.monotonic() < end, "no delivery"
        time.sleep(0.1)
    signature = trap.at("/clock")[-1].headers["labelwise-signature"]
    return int(signature.split(",")[0].removeprefix("t="))
