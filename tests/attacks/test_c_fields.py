"""d.C, third part: every text that somebody can write holds each of the payloads, one at a time, on the pages it is on.

`test_c_pages.py` has the payloads and looks at pages; there some fields hold several at once, and one that opens a
comment or a text area may swallow those behind it. Here each stands alone.
"""

import re
import time
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page

from tests.attacks.site import Site
from tests.attacks.test_c_pages import PAYLOADS, browser, look
from tests.attacks.trap import Trap, png
from tests.attacks.voices import Voice
from tests.attacks.waiting import lease

case = pytest.mark.case
__all__ = ["browser"]  # a fixture

ADDRESSES = [  # in the place of a picture, a sound or a video
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>",
    "data:image/svg+xml,<svg onload=alert(1)>", "vbscript:msgbox(1)", "blob:https://evil.example/1", "about:blank",
    "view-source:https://evil.example/", "filesystem:https://evil.example/x", "//evil.example/x.png",
]  # fmt: skip
BROKEN = ['"><img src=x onerror=alert(1)>', "'><svg onload=alert(1)>", "</script><script>alert(1)</script>", "{{7*7}}"]
REGEXES = ["(a+)+$", "([a-zA-Z]+)*$", "(a|aa)+$"]
ANCHORS = "[...document.querySelectorAll('a[href], area[href], form[action]')].map(e => (e.href ?? e.action) + '')"
KIND = {"Content-Type": "application/json"}


def unmarked(pages: list[dict[str, Any]]) -> None:
    """Nothing ran, nothing was reported, nothing was asked of elsewhere."""
    for page in pages:
        told = [page[name] for name in ("marked", "dialogs", "reports", "elsewhere", "polluted")]
        assert told == [None, [], None, [], "undefined"], page


def told(pages: list[dict[str, Any]]) -> str:
    """The words of pages, without the space between them."""
    return "".join("".join(page["text"] for page in pages).split())


def missing(texts: list[str], words: str) -> list[str]:
    """Those that are not shown as they were written; letters that have no form are not looked for."""
    return [each for each in texts if "".join(_plain(each).split()) not in _plain(words)]


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).casefold()


def keeping(seen: list[str]) -> Any:
    """Keep where links lead and what stands in fields."""

    def keep(page: Page) -> None:
        seen.extend(page.evaluate(ANCHORS))

    return keep


def open_items(page: Page, links: list[str]) -> None:
    """Open the first items of a list one after the other, and keep where their links lead."""
    if "/items" not in page.url:
        return
    for place in range(4):
        page.evaluate("n => document.querySelectorAll('main tbody button, main li button')[n]?.click()", place)
        page.wait_for_timeout(200)
        keeping(links)(page)
        page.keyboard.press("Escape")


@case("C-01")
def test_c01_keys_metadata_and_file_names(site: Site, browser: Browser) -> None:
    texts = site.new_project(site.M, 0)
    rows = [
        {"key": f"{n}{each}", "text": f"t{each}", "metadata": {f"c{each}"[:200]: f"v{each}"}}
        for n, each in enumerate(PAYLOADS)
    ]
    assert site.M.post(f"/projects/{texts}/items", json=rows).json()["created"] == len(rows)
    pictures = site.new_project(site.M, 0, modality="image")
    for n, each in enumerate(PAYLOADS):
        name = f"{n}{each}.png".replace("/", "∕")
        media = site.M.post(f"/projects/{pictures}/media", files=[("files", (name, png(9 + n, 9)))]).json()["media"]
        shown = [{"key": f"p{n}", "image": media[0]["id"], "metadata": {"name": name}}]
        assert site.M.post(f"/projects/{pictures}/items", json=shown).json()["created"] == 1
    links: list[str] = []
    pages = [f"/projects/{texts}/{each}" for each in ("items", "export", "import", "settings", "annotate")]
    pages += [f"/projects/{pictures}/{each}" for each in ("items", "annotate", "import")]

    def open_some(page: Page) -> None:
        keeping(links)(page)
        open_items(page, links)

    seen = look(site, browser, site.M, pages, then=open_some)

    unmarked(seen)
    assert {each.split(":")[0] for each in links} <= {"http"}
    assert all(each.startswith(site.address) for each in links)
    shown = len(PAYLOADS) - len(missing([f"t{each}" for each in PAYLOADS], told(seen[:1])))
    assert shown >= 10, seen[0]["text"]  # so many of the first page's rows stand there as they were written


@case("C-02", "C-03")
def test_c02_names_of_projects_classes_tokens_and_notes(site: Site, browser: Browser) -> None:
    owner = site.new_user(f"owner-{uuid4()}")
    for each in PAYLOADS:
        made = owner.post("/projects", json={"name": each[:200], "modality": "text", "task": _task(["a", "b"])})
        assert made.status_code == 201, made.text
        assert owner.post("/tokens", json={"name": each[:200]}).status_code == 201
    classes = [{"name": f"{n}{each}"[:200], "description": each, "color": "#123456"} for n, each in enumerate(PAYLOADS)]
    project = site.new_project(owner, 8, task=_task(classes), guidelines="\n\n".join(PAYLOADS))
    field = {"name": "f", "type": "classification", "classes": classes[:30]}
    form = site.new_project(owner, 2, task={"type": "form", "fields": [field]})
    held = lease(site, owner, project, 8)
    for n, each in enumerate(PAYLOADS):
        item = held[n % len(held)]["item"]["id"]
        note = owner.post(f"/items/{item}/flags", json={"note": each})
        assert note.status_code == 201, note.text
        assert owner.patch(f"/flags/{note.json()['id']}", json={"state": "closed", "reply": each}).status_code == 200
    for each in (*PAYLOADS, "red", "#fff", "#12345g", "url(//evil)"):
        colored = owner.post(f"/projects/{project}/classes", json={"name": f"c{uuid4()}", "color": each})
        assert colored.status_code == 422, each
        keyed = owner.post(f"/projects/{project}/classes", json={"name": f"c{uuid4()}", "hotkey": each})
        assert keyed.status_code == (422 if len(each) > 16 else 201), each  # a short one is text, and shown as such
    links: list[str] = []
    pages = ["/projects", "/tokens", *(f"/projects/{project}/{each}" for each in ("annotate", "settings", "overview"))]

    seen = look(site, browser, owner, [*pages, f"/projects/{form}/annotate"], then=keeping(links))

    unmarked(seen)
    assert all(each.startswith(site.address) for each in links), links
    assert missing([each[:200] for each in PAYLOADS], told(seen[:1])) == []
    assert missing([each[:200] for each in PAYLOADS], told(seen[1:2])) == []
    assert missing([each["name"] for each in classes], told(seen[2:3])) == []


@case("C-03")
def test_c03_names_of_people_and_what_they_say(site: Site, browser: Browser) -> None:
    project = site.new_project(site.M, len(PAYLOADS))
    site.lease(site.M, project, 1)
    site.M.delete(f"/projects/{project}/leases")
    names = [f"{each[:150]} {uuid4().hex[:8]}" for each in PAYLOADS]
    for name in names:
        made = site.A.post("/users", json={"name": name, "password": "correct horse battery"})
        assert made.status_code == 201, made.text
        site.M.post(f"/projects/{project}/members", json={"user": name})
    first = Voice(site, names[0]).browser()
    taken = first.post(f"/projects/{project}/leases", json={"count": 20}).json()["leases"]
    for held, each in zip(taken, PAYLOADS, strict=False):
        first.post(f"/leases/{held['id']}/skip", json={"reason": each})
    links: list[str] = []

    seen = look(site, browser, site.M, [f"/projects/{project}/{each}" for each in ("people", "overview", "items")])
    seen += look(site, browser, site.A, ["/audit-log", f"/projects/{project}/people"], then=keeping(links))

    unmarked(seen)
    assert all(each.startswith(site.address) for each in links), links
    assert missing(names, told(seen[:1])) == []


@case("C-04")
def test_c04_a_task_of_markup_or_of_slow_patterns_is_refused_or_only_a_name(site: Site) -> None:
    """A task is JSON of names and numbers: it has no place for markup, and nobody writes a pattern that is run."""
    whole = {"type": "classification", "classes": ["a", "b"]}
    for each in (*PAYLOADS, *REGEXES):
        tasks = [{"type": each}, whole | {"type": each}, whole | {"multiple": each}, whole | {"editor": each},
                 whole | {"template": each}, whole | {"pattern": each}, {"type": "form", "fields": each},
                 {"type": "form", "fields": [whole | {"name": each, "type": each}]},
                 {"type": "rating", "minimum": each, "maximum": 5}, {"type": "rating", "minimum": 1, "maximum": 5,
                 "step": each}, {"type": "form", "fields": [whole | {"name": "f", "show_if": {each: each}}]},
                 whole | {"classes": [{"name": "a", "html": each}]},
                 whole | {"classes": [{"name": "a", "pattern": each}]}]  # fmt: skip
        for task in tasks:
            made = site.M.post("/projects", json={"name": "odd", "modality": "text", "task": task})
            assert made.status_code == 422, task
            assert made.headers["content-type"] == "application/json"
        for more in ({"modality": each}, {"strategy": {"name": each}}, {"learner": {"name": each}},
                     {"featurizer": {"name": each}}, {"round_size": each}, {"goal": {"date": each}}):  # fmt: skip
            made = site.M.post("/projects", json={"name": "odd", "modality": "text", "task": whole, **more})
            assert made.status_code == 422, more
        slugged = site.M.post("/projects", json={"name": "odd", "modality": "text", "task": whole, "slug": each[:100]})
        assert slugged.status_code in (201, 409, 422), each
        assert slugged.status_code != 201 or re.fullmatch(r"[a-z0-9-]+", slugged.json()["slug"]), slugged.text
    project = site.new_project(site.M, 0, task=_task(REGEXES))
    long = "a" * 30 + "!"
    for pattern in REGEXES:
        rows = [{"key": f"{pattern}{n}", "text": long, "label": pattern} for n in range(3)]
        pushed = site.M.post(f"/projects/{project}/items", json=rows)
        assert pushed.json()["created"] == 3
        assert pushed.elapsed.total_seconds() < 2  # the pattern would take five seconds a text (RELIABILITY M13)
        for filters in ({"q": pattern}, {"class": pattern}, {"metadata.x": pattern}):
            assert site.M.get(f"/projects/{project}/items", params=filters).elapsed.total_seconds() < 2
    for wrong in (long, "a" * 30, "aa"):
        refused = site.M.post(f"/projects/{project}/items", json=[{"key": "w", "text": "x", "label": wrong}]).json()
        assert refused["rejected_count"] == 1, wrong  # it is no class: names are compared, not matched


@case("C-05")
def test_c05_addresses_are_never_followed_by_the_page(site: Site, browser: Browser, trap: Trap) -> None:
    projects = {kind: site.new_project(site.M, 0, modality=kind) for kind in ("image", "audio", "video", "text")}
    for kind in ("image", "audio", "video"):
        rows = [{"key": f"{n}", kind: each} for n, each in enumerate(ADDRESSES)]
        pushed = site.M.post(f"/projects/{projects[kind]}/items", json=rows)
        assert (pushed.json()["created"], pushed.json()["rejected_count"]) == (0, len(rows)), pushed.text
        broken = [
            {"key": f"b{n}", kind: trap.url(f"/{each}"), "metadata": {"link": each}} for n, each in enumerate(BROKEN)
        ]
        assert site.M.post(f"/projects/{projects[kind]}/items", json=broken).status_code == 200
    texts = [{"key": each, "text": f"[a]({each}) {each}", "metadata": {"link": each}} for each in ADDRESSES]
    texts += [{"key": f"k{each}", "text": f"https://evil.example/{each}"} for each in BROKEN]
    assert site.M.post(f"/projects/{projects['text']}/items", json=texts).json()["created"] == len(texts)
    guide = "\n\n".join(f"[a]({each}) ![b]({each}) <{each}>" for each in (*ADDRESSES, *BROKEN))
    version = {"If-Match": site.M.get(f"/projects/{projects['text']}").headers["etag"]}
    changed = site.M.patch(f"/projects/{projects['text']}", json={"guidelines": guide}, headers=version)
    assert changed.status_code == 200, changed.text
    end = time.monotonic() + 30
    while time.monotonic() < end and site.rows(
        "SELECT count(*) FROM items WHERE project_id = :p AND state = 'fetching'", p=projects["image"]
    ) != [(0,)]:
        time.sleep(0.2)
    links: list[str] = []
    pages = [f"/projects/{each}/{page}" for each in projects.values() for page in ("items", "annotate")]

    def open_each(page: Page) -> None:
        keeping(links)(page)
        open_items(page, links)

    seen = look(site, browser, site.M, [*pages, f"/projects/{projects['image']}/items?status=failed"], then=open_each)

    unmarked(seen)
    assert all(each.startswith((site.address, "https://evil.example/")) for each in links), links
    assert not any(each.split(":")[0] in ("javascript", "data", "vbscript", "blob", "file") for each in links)


@case("C-10")
def test_c10_what_a_header_says_is_nowhere_on_the_pages_of_admins(site: Site, browser: Browser) -> None:
    """The audit log has no column for addresses or programs: nothing of a header is kept but a number of our own."""
    named = ("Accept-Language", "User-Agent", "Referer", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded",
             "X-Real-IP", "X-Request-Id", "Content-Type", "Accept", "Origin-Agent-Cluster", "Via")  # fmt: skip
    mark = f"header{uuid4().hex}"
    for each in PAYLOADS:
        text = f"{mark} {each}".encode("latin-1", "replace").replace(b"\n", b" ").replace(b"\r", b" ").strip()
        headers = dict.fromkeys(named, text)
        for asked in (
            site.nobody.post("/session", json={"name": "A", "password": "wrong"}, headers=headers | KIND),
            site.M.post("/tokens", json={"name": "c10", "scopes": ["read"]}, headers=headers | KIND),
            site.M.post("/projects", content=b"{}", headers=headers),
            site.M.get("/projects", headers=headers),
        ):
            assert asked.status_code < 500
            assert mark not in str(asked.headers)
            assert mark not in asked.text
        site.let_minutes_pass()

    seen = look(site, browser, site.A, ["/audit-log", "/tokens", "/projects"])
    unmarked(seen)
    assert mark not in told(seen)
    assert mark not in site.A.get("/audit-log", params={"limit": 200}).text
    assert mark not in site.log()
    actions = site.rows("SELECT count(*) FROM events WHERE action = 'session.refused' AND request_id IS NOT NULL")
    assert actions[0][0] >= len(PAYLOADS)
    odd = "SELECT count(*) FROM events WHERE length(request_id) <> 16 AND request_id NOT LIKE 'job %'"
    assert site.rows(odd)[0][0] == 0


def _task(classes: list[Any]) -> dict[str, Any]:
    return {"type": "classification", "classes": classes}
