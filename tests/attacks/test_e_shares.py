"""d.E, second part: folders that the operator shares as buckets: nothing outside is listed, a large one is paged."""

import json
import shutil
import time

import pytest

from tests.attacks.site import Site
from tests.attacks.test_e_files import CLIMBS
from tests.attacks.trap import png
from tests.attacks.waiting import wait_for_the_end

case = pytest.mark.case

MANY, PAGES = 100_000, 3  # files in a folder of the share, and how many batches of them are waited for


@case("E-02")
def test_e02_no_spelling_of_a_folder_lists_what_lies_outside(aimed: Site) -> None:
    project = _sharing(aimed)
    _lay_out(aimed)
    climbs = [each.format(aimed.secret_file) for each in CLIMBS]
    odd = ["..", "../..", "/", "//", ".", "in/../..", "out", "out/", "out/inner", "%2e%2e/", "in/./..", "in//", "\x00",
        "in/" * 400, " ", "..\\", "a.png", "in/a.png", "never was"]  # fmt: skip

    for path in (*climbs, *odd):
        answer = aimed.M.post(f"/projects/{project}/media/bucket", json={"bucket": "share", "prefix": path})
        assert answer.status_code in (202, 404, 422), (path, answer.text)
        if answer.status_code == 202:
            ended = wait_for_the_end(aimed.M, answer.json()["job"]["id"])
            below = path.strip("/") == ""
            assert ended["state"] == ("done" if below else "failed"), (path, ended)
            assert str(aimed.share) not in json.dumps(ended), path

    keys = [each["key"] for each in aimed.M.get(f"/projects/{project}/items", params={"limit": 200}).json()["items"]]
    assert keys == ["in/a.png"]  # of the whole share: no link, to a picture or to a folder of them, was followed


@case("E-02")
def test_e02_nor_does_an_items_own_address(aimed: Site) -> None:
    project = _sharing(aimed)
    _lay_out(aimed)
    climbs = [each.format(aimed.secret_file) for each in CLIMBS]
    odd = ["../b.png", "out/b.png", "b.png", "in/../../b.png", "in/../in/a.png", "/in/a.png", "./in/a.png", "in//a.png"]
    rows = [{"key": f"climb-{n}", "image": f"bucket:share/{path}"} for n, path in enumerate((*climbs, *odd))]

    pushed = aimed.M.post(f"/projects/{project}/items", json=[*rows, {"key": "ok", "image": "bucket:share/in/a.png"}])
    assert pushed.status_code == 200, pushed.text
    end = time.monotonic() + 30
    while (left := _states(aimed, project)) and "fetching" in left.values() and time.monotonic() < end:
        time.sleep(0.3)

    assert left.pop("ok") == "open"
    assert set(left.values()) <= {"failed"}, left
    assert len(left) + pushed.json()["rejected_count"] == len(rows)
    for name in ("share2", "..", ".", "", "SHARE", "share/in", "file:", "https://x"):
        body = {"bucket": name, "prefix": ""}
        assert aimed.M.post(f"/projects/{project}/media/bucket", json=body).status_code in (404, 422), name
        if "/" not in name and name not in ("", ".", ".."):  # those are other addresses
            assert aimed.A.put(f"/projects/{project}/buckets/{name}").status_code in (404, 422), name


@case("E-02")
def test_e02_a_folder_of_many_files_is_taken_page_by_page(aimed: Site) -> None:
    """A hundred thousand names: each slice looked at all of them, 66 s where it is 4 now, for sixteen files."""
    project = _sharing(aimed)
    many = aimed.share / "many"
    many.mkdir()
    for number in range(MANY):
        (many / f"{number:06}.png").touch()
    try:
        began = time.monotonic()
        asked = aimed.M.post(f"/projects/{project}/media/bucket", json={"bucket": "share", "prefix": "many"})
        assert asked.elapsed.total_seconds() < 2
        job = asked.json()["job"]["id"]
        while not (step := aimed.M.get(f"/jobs/{job}").json())["progress"] or step["progress"]["done"] < PAGES * 16:
            assert time.monotonic() - began < 120, step
            assert aimed.M.get(f"/projects/{aimed.P1}").status_code == 200  # others are served meanwhile
            time.sleep(0.3)
        assert aimed.M.delete(f"/jobs/{job}").status_code == 204
        while aimed.M.get(f"/jobs/{job}").json()["state"] in ("waiting", "running"):
            assert time.monotonic() - began < 150
            time.sleep(0.3)
        ended = aimed.M.get(f"/jobs/{job}").json()
        assert ended["state"] == "cancelled", ended
        listed = aimed.M.get(f"/jobs/{job}/rejected.csv")
        assert len(listed.text.splitlines()) > PAGES * 16  # empty files: each is refused with its reason
    finally:
        shutil.rmtree(many)


def _sharing(site: Site) -> int:
    """A project of pictures that may read the share."""
    project = site.new_project(site.M, 0, name="Sharing", modality="image")
    assert site.A.put(f"/projects/{project}/buckets/share").status_code == 204
    return project


def _lay_out(site: Site) -> None:
    """A picture in the share, one outside, and links that lead there: whoever follows them finds a good picture."""
    inner, beyond = site.share / "in", site.data.parent / "beyond"
    inner.mkdir(exist_ok=True)
    (inner / "a.png").write_bytes(png())
    (beyond / "inner").mkdir(parents=True, exist_ok=True)
    for place in (site.data.parent, beyond, beyond / "inner"):
        (place / "b.png").write_bytes(png(9, 9))
    links = {"out": beyond, "b.png": site.data.parent / "b.png", "up": site.data.parent, "secret.png": site.secret_file}
    for name, to in links.items():
        if not (site.share / name).is_symlink():
            (site.share / name).symlink_to(to)
    if not (inner / "b.png").is_symlink():
        (inner / "b.png").symlink_to("../../b.png")


def _states(site: Site, project: int) -> dict[str, str]:
    listed = site.M.get(f"/projects/{project}/items", params={"limit": 200}).json()["items"]
    return {each["key"]: each["state"] for each in listed}
