"""d.K, second part: the headers of every page, of JSON and of files."""

import re
from pathlib import Path

import httpx
import pytest

from app.core.settings import Settings
from app.main import create_app
from tests.api.test_access import addresses
from tests.attacks import world
from tests.attacks.site import Site
from tests.attacks.waiting import wait_for_a_round

case = pytest.mark.case

CSP = "content-security-policy"
PAGES = (
    "/", "/projects", "/projects/new", "/account", "/tokens", "/accounts", "/buckets", "/audit-log", "/docs",
    "/sign-in", "/setup/none",
    "/invitations/none", "/password/none", "/enter/none", "/no-such-page", "/projects/{P}", "/projects/{P}/annotate",
    "/projects/{P}/overview", "/projects/{P}/rounds", "/projects/{P}/rounds/1", "/projects/{P}/rounds/1/compare/1",
    "/projects/{P}/items", "/projects/{P}/import", "/projects/{P}/my-answers", "/projects/{P}/people",
    "/projects/{P}/simulate", "/projects/{P}/export", "/projects/{P}/settings", "/projects/{P}/webhooks",
    "/projects/{P}/watch", "/projects/{P}/no-such-page", "/projects/999999/overview",
)  # fmt: skip


def test_k10_no_page_is_left_out(site: Site, tmp_path: Path) -> None:
    app = create_app(Settings(data=tmp_path, _env_file=None))
    known = {re.sub(r"\{\w+\}", "x", path) for method, path in addresses(app) if method == "GET"}
    own = {re.sub(r"\{P\}|none|(?<=rounds/)1|(?<=compare/)1", "x", path) for path in PAGES}
    pages = {path for path in known if not path.startswith("/api/")}

    assert pages - {"/healthz", "/readyz", "/metrics", "/projects/x/demo/race"} <= own


@case("K-10")
def test_k10_every_answer_protects_browsers(site: Site) -> None:
    """Of each page, each kind of JSON and each kind of file; the policy has no nonce, since it lets no script inline
    run at all (DECISIONS 23): what a nonce would allow is not there."""
    picture = world.picture(site)
    wait_for_a_round(site, site.P1)
    voices = {"A": site.A.browser(), "M": site.M.browser(), "-": site.nobody}
    html = {"Accept": "text/html"}
    asked: dict[str, httpx.Response] = {}
    for path in PAGES:
        for name, voice in voices.items():
            asked[f"{name} {path}"] = voice.ask("GET", path.replace("{P}", str(site.P1)), headers=html)
    shown = [name for name, each in asked.items() if each.headers.get("content-type", "").startswith("text/html")]
    assert len(shown) > len(PAGES)
    files = {
        "file": site.M.get(f"/media/{picture}"),
        "part": site.M.get(f"/media/{picture}", headers={"Range": "bytes=0-3"}),
        "thumbnail": site.M.get(f"/media/{picture}/thumbnail"),
        "export": site.M.get(f"/projects/{site.P1}/export"),
        "sheet": site.M.get(f"/projects/{site.P1}/export", params={"format": "csv"}),
        "labels": site.M.get(f"/projects/{site.P1}/rounds/1/labels"),
        "person": site.A.get(f"/users/{site.U1.id}/export"),
        "description": site.M.get("/openapi.json"),
    }
    etag = {"If-None-Match": files["file"].headers["etag"]}
    answers = asked | files | {
        "unchanged": site.M.get(f"/media/{picture}", headers=etag),
        "beyond": site.M.get(f"/media/{picture}", headers={"Range": "bytes=999999-"}),
        "json": site.M.get("/projects"),
        "made": site.M.post("/tokens", json={"name": "k10", "scopes": ["read"]}),
        "refused": site.nobody.get("/projects"),
        "forbidden": site.U1.get("/users"),
        "invalid": site.M.post("/projects", json={}),
        "kind": site.M.post("/projects", content=b"x", headers={"Content-Type": "text/html"}),
        "method": site.M.ask("TRACE", "/api/v1/projects"),
        "no route": site.M.get("/nothing"),
        "health": site.nobody.get("/healthz"),
        "ready": site.nobody.get("/readyz", may_be_busy=True),
        "metrics": site.A.get("/metrics"),
    }  # fmt: skip
    for name, answer in answers.items():
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff", name
        assert headers["x-frame-options"] == "DENY", name
        assert headers["referrer-policy"] in ("same-origin", "no-referrer"), name
        assert headers["cross-origin-opener-policy"] == "same-origin", name
        assert headers["cross-origin-resource-policy"] == "same-origin", name
        assert "camera=()" in headers["permissions-policy"], name
        assert not headers.get("server"), name
        assert "x-powered-by" not in headers, name
        assert "strict-transport-security" not in headers  # this one is plain http
        assert len(headers.get_list(CSP)) == 1, name
        assert "default-src 'none'" in headers[CSP], name
        cached = headers.get("cache-control", "")
        assert "public" not in cached, name
        assert "no-store" in cached or "private" in cached, name
    for name in files:
        assert answers[name].status_code in (200, 206), name
    for name in shown:
        policy = dict(part.strip().partition(" ")[::2] for part in answers[name].headers[CSP].split(";"))
        assert policy["default-src"] == "'none'", name
        assert policy["script-src"] == "'self'", name
        assert policy["style-src"] == "'self'", name
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'", name
        assert policy["form-action"] == "'self'", name
        assert policy["require-trusted-types-for"] == "'script'", name
        assert not {"unsafe-inline", "unsafe-eval", "*", "https:", "http:"} & set(" ".join(policy.values()).split())
        scripts = re.findall(r"<script([^>]*)>([^<]*)", answers[name].text)
        inline = [more for more, text in scripts if text.strip() and 'type="application/json"' not in more]
        assert not inline, (name, inline)
        tags = re.sub(r'"[^"]*"', '""', answers[name].text)  # what people wrote stands in values, marks escaped
        assert not re.search(r"<[^>]+\s(on\w+|style)\s*=", tags), name
    for name in ("file", "part", "thumbnail", "export", "sheet", "labels"):
        assert answers[name].headers[CSP] == "sandbox; default-src 'none'", name
    assert set(answers["json"].headers[CSP].split("; ")) >= {"default-src 'none'", "frame-ancestors 'none'"}
    built = re.findall(r'(?:src|href)="(/static/[^"]+)"', answers["- /sign-in"].text)
    assert len(built) > 2
    for path in built:
        given = site.nobody.ask("GET", path)
        assert given.status_code == 200, path
        assert given.headers["x-content-type-options"] == "nosniff", path
        assert given.headers["content-type"].split(";")[0] in ("text/css", "text/javascript", "image/svg+xml"), path
