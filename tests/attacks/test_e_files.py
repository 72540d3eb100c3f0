"""d.E: files: their names, how they are given back, and pictures that mean no good."""

import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.attacks.site import Site
from tests.attacks.trap import png

case = pytest.mark.case

NOT_HERE = {
    "E-12": "there are no avatars; pictures of items are shown as they came, inert, and thumbnails are made anew",
    "E-18": "the parsers of sounds and clips are fed cut and changed files in tests/unit/modalities",
    "E-22": "there are no signed links: every file asks who comes",
}

CLIMBS = [
    "../{0}", "../../../../../..{0}", "..%2f..%2f..%2f..{0}", "%2e%2e/%2e%2e/%2e%2e{0}", "%2e%2e%2f%2e%2e%2f{0}",
    "..%252f..%252f{0}", "..\\..\\..{0}", "..%5c..%5c{0}", "....//....//{0}", "{0}", "//{0}", "/.//..//..{0}",
    "%2f{0}", "..;/..;/{0}", ".%00./{0}", "{0}%00.png", "{0}%00", "%c0%ae%c0%ae/{0}", "%e0%80%ae%e0%80%ae/{0}",
    "..%c0%af..{0}", "..%ef%bc%8f..{0}", "C:\\Windows\\win.ini", "C:/Windows/win.ini", "\\\\host\\share", "~root/x",
    "file://{0}", "file:{0}", "%66ile:{0}", "./{0}", "dist/../../{0}", "dist/..%2f..%2f{0}", "dist/%2e%2e/%2e%2e/{0}",
    "dist/....//{0}", "app.css/../../{0}", "..", ".", "...", "%2e", "%2e%2e", "%2e%2e%2f", "..%2f", "..%5c", "/..",
    "proc/self/environ", "../../../../proc/self/environ", "..%2f..%2f..%2f..%2fproc%2fself%2fenviron",
    "/proc/self/environ",
    "../app/core/settings.py", "../.env", "..%2f.env", "../secret.key", "..%2fsecret.key", "%2e%2e/labelwise.db",
    "..%00/{0}", "..%0a/{0}", "..%0d/{0}", "..%20/{0}", "..%09/{0}", "+../{0}", "..%u2215{0}", "%uff0e%uff0e/{0}",
]  # fmt: skip
NAMES = [
    "../../x.png", "/etc/passwd.png", "a\r\nX-Evil: 1.png", "a\nb.png", "x" * 5_000 + ".png", "CON", "NUL.png",
    ".htaccess", "a\u202egnp.exe", "...", "..", ".", " ", "😀.png", "A\u030a.png", "a/b\\c.png", "%2e%2e%2fx.png",
    "\x1b[31m.png",
    "<img src=x onerror=alert(1)>.png", '"quoted".png', "C:\\x.png", "a;b=c.png", "name\x7f.png", "\u2028.png",
]  # fmt: skip
BROWSABLE = {
    "page.html": b"<!doctype html><script>document.title='marked'</script>",
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='document.title=1'><script>alert(1)</script></svg>",
    "page.xhtml": b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>",
    "sheet.xml": b"<?xml-stylesheet type='text/xsl' href='x.xsl'?><x/>",
    "paper.pdf": b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj",
    "code.js": b"alert(1)",
    "code.wasm": b"\0asm\x01\0\0\0",
    "film.swf": b"FWS\x09\0\0\0\0",
    "page.mhtml": b"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n--x\n\n<script>",
    "page.png": b"<html><script>alert(1)</script>",
    "picture.tiff": b"II*\0\x08\0\0\0",
    "picture.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n(x) run",
    "picture.psd": b"8BPS\0\x01" + b"\0" * 40,
    "picture.ico": b"\0\0\x01\0\xe8\x03" + b"\0" * 100,
    "picture.fits": b"SIMPLE  =                    T" + b" " * 2_850,
    "picture.bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 10, -(2**31), 1, 24, 0, 0, 0, 0, 0, 0),
    "picture.avif": b"\0\0\0\x20ftypavif\0\0\0\0avifmif1",
    "nothing.png": b"",
}


def claimed(width: int, height: int, *, bits: int = 1) -> bytes:
    """A PNG that says it is so large and holds nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def upload(site: Site, *files: tuple[str, bytes], **query: Any) -> httpx.Response:
    sent = [("files", (name, content, "image/png")) for name, content in files]
    return site.M.post(f"/projects/{site.pictures}/media", files=sent, params=query, patient=True)


def stored(site: Site, content: bytes, name: str = "a.png") -> dict[str, Any]:
    answer = upload(site, (name, content))
    assert answer.status_code == 201, answer.text
    assert answer.json()["media"], answer.text
    found: dict[str, Any] = answer.json()["media"][0]
    return found


@case("E-01")
def test_e01_no_spelling_of_a_path_leaves_its_folder(aimed: Site) -> None:
    wire = [each.format(aimed.secret_file) for each in CLIMBS]
    found: set[int] = set()
    bearer = aimed.M.headers["Authorization"]
    for base in ("/static/", "/static", "/static/dist/", "/api/v1/media/", f"/api/v1/projects/{aimed.P1}/snapshots/"):
        glued = b"".join(
            f"GET {base}{_for_a_line(each)} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\n\r\n".encode()
            for each in wire
        )
        got = aimed.wire(glued + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", seconds=5)
        assert aimed.secret.encode() not in got
        for telling in (b"LABELWISE_", b"PATH=", b"SQLite format", b"def ", b"root:", b"[extensions]"):
            assert telling not in got, (base, telling)
        found |= {int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3})", got)}
        assert got.count(b"HTTP/1.1 ") >= len(wire), base

    assert found <= {200, 307, 400, 404, 422}


@case("E-03")
def test_e03_a_files_name_is_data_and_never_a_path(aimed: Site) -> None:
    before = outside(aimed)

    for number, name in enumerate(NAMES):
        answer = _upload_by_hand(aimed, name, png(8 + number, 8))
        assert answer.status_code in (201, 400, 422), (name, answer.text)
        for kept in answer.json().get("media", ()):
            assert len(kept["name"]) <= 255
            assert not any(ord(letter) < 32 or ord(letter) == 127 for letter in kept["name"]), kept
            assert "/" not in kept["name"]
            given = aimed.M.get(f"/media/{kept['id']}")
            assert given.status_code == 200
            assert "x-evil" not in given.headers

    assert outside(aimed) == before
    assert all(re.fullmatch(r"[0-9a-f]{64}", each.name) for each in (aimed.data / "media").rglob("*") if each.is_file())


@case("E-04", "E-13")
def test_e04_an_item_shows_files_of_its_own_project_only(aimed: Site) -> None:
    mine = stored(aimed, png(9, 9))
    for given in (
        f"../../{aimed.secret_file}", f"file://{aimed.secret_file}", str(aimed.secret_file), {"name": "../../x"},
        {"name": "never uploaded"}, 999_999, -1, 0, 2**63, True, 1.5, [], {"name": None}, {"sha256": "0" * 64},
        {"media": mine["id"]}, f"/api/v1/media/{mine['id']}",
    ):  # fmt: skip
        pushed = aimed.M.post(f"/projects/{aimed.pictures}/items", json=[{"key": "bad", "image": given}])
        assert pushed.json()["created"] == 0, (given, pushed.text)
    foreign = aimed.new_project(aimed.X, 0, modality="image")
    pushed = aimed.X.post(f"/projects/{foreign}/items", json=[{"key": "theirs", "image": mine["id"]}])
    assert pushed.json()["created"] == 0
    for path in (f"/media/{mine['id']}", f"/media/{mine['id']}/thumbnail"):
        assert aimed.X.get(path).status_code == 404
        assert aimed.nobody.get(path).status_code == 401
        assert aimed.nobody.get(path, headers={"Referer": aimed.address}).status_code == 401


@case("E-10", "E-17")
@pytest.mark.parametrize("name", BROWSABLE)
def test_e10_what_a_browser_would_run_is_not_taken(aimed: Site, name: str) -> None:
    answer = upload(aimed, (name, BROWSABLE[name]))

    assert answer.status_code == 201
    assert answer.json()["media"] == []
    assert answer.json()["rejected"][0]["name"] == name


@case("E-10", "E-11")
def test_e11_two_faced_files_are_shown_as_what_they_begin_with_and_run_nothing(aimed: Site) -> None:
    faces = [
        png() + b"<script>alert(1)</script>",
        b"GIF89a/*" + _gif()[8:] + b"*/=1;alert(1)",
        _jpeg(comment=b"<?php system($_GET['x']); ?><script>alert(1)</script>"),
    ]
    shown = 0
    for face in faces:
        for kind in ("text/html", "application/javascript", "image/svg+xml", "image/png", "application/x-php"):
            sent = [("files", ("a.html", face, kind))]  # neither the name nor the header that lies decides
            answer = aimed.M.post(f"/projects/{aimed.pictures}/media", files=sent, patient=True)
            assert len(answer.json()["media"]) + len(answer.json()["rejected"]) == 1
        for kept in answer.json()["media"]:
            shown += 1
            given = aimed.M.get(f"/media/{kept['id']}", headers={"Accept": "text/html"})
            assert given.headers["content-type"] == kept["type"]
            assert given.headers["content-type"].startswith("image/")
            assert given.headers["x-content-type-options"] == "nosniff"
            assert given.headers["content-security-policy"] == "sandbox; default-src 'none'"
            assert given.headers["cross-origin-resource-policy"] == "same-origin"
            thumbnail = aimed.M.get(f"/media/{kept['id']}/thumbnail")
            assert b"script" not in thumbnail.content
            assert thumbnail.headers["content-type"] == "image/png"
            assert b"<?php" not in thumbnail.content
    assert shown >= 2
    drawing = [("files", ("a.png", BROWSABLE["drawing.svg"], "image/png"))]
    assert aimed.M.post(f"/projects/{aimed.pictures}/media", files=drawing).json()["media"] == []


@case("E-14")
def test_e14_a_name_to_keep_a_file_under_is_one_header(aimed: Site) -> None:
    for name in ('quo"ted', "a\r\nb", "☃ snow", "x" * 200, "%0d%0a", "../../x", "a;b=c", "ünï"):
        project = aimed.new_project(aimed.M, 1, name=name)
        given = aimed.M.get(f"/projects/{project}/export")
        [header] = given.headers.get_list("content-disposition")
        assert re.fullmatch(
            r'attachment; filename="[A-Za-z0-9_. -]+"(; filename\*=UTF-8\'\'[A-Za-z0-9_.%~-]+)?', header
        )
        assert given.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert aimed.M.delete(f"/projects/{project}").status_code == 204


@case("E-15")
def test_e15_pictures_too_large_are_refused_by_their_head(aimed: Site) -> None:
    out = io.BytesIO()
    Image.new("1", (9_400, 9_400)).save(out, "PNG")
    assert len(out.getvalue()) < 12_000
    bombs = {
        "real": out.getvalue(), "claimed": claimed(20_000, 20_000), "line": claimed(1, 2**31 - 1),
        "flat": claimed(0, 10),
        "thin": claimed(2**31 - 1, 1), "none": claimed(0, 0),
    }  # fmt: skip

    for name, bomb in bombs.items():
        answer = upload(aimed, (f"{name}.png", bomb))
        assert answer.json()["media"] == [], name
        assert answer.elapsed.total_seconds() < 2, name


@case("E-16")
def test_e16_damaged_pictures_are_refused_or_shown_and_never_break_out(aimed: Site) -> None:
    whole, photo = png(64, 64), _jpeg()
    broken = [each[: len(each) * n // 10] for each in (whole, photo) for n in range(1, 10)]
    broken += [_flipped(whole, n) for n in range(8, len(whole), 7)][:40]
    broken += [_with_chunk(whole, b"zTXt", b"x\0\0" + zlib.compress(b"a" * 30_000_000, 9))]
    broken += [_with_chunk(whole, b"iCCP", b"x\0\0" + zlib.compress(b"a" * 30_000_000, 9))]
    broken += [whole[:33] + _chunk(b"tEXt", b"a\0b") * 10_000 + whole[33:]]

    answer = upload(aimed, *((f"{n}.png", each) for n, each in enumerate(broken)))

    assert answer.status_code == 201
    assert len(answer.json()["media"]) + len(answer.json()["rejected"]) == len(broken)
    for kept in answer.json()["media"][:10]:
        assert aimed.M.get(f"/media/{kept['id']}/thumbnail").status_code in (200, 422)


@case("E-19")
def test_e19_thumbnails_come_in_a_few_sizes(aimed: Site) -> None:
    kept = stored(aimed, png(70, 70, "blue"))
    for side in ("0", "-1", "1000000000", "NaN", "1e2", "", "abc", "16.5", "٣٢", "0x20"):
        assert aimed.M.get(f"/media/{kept['id']}/thumbnail", params={"side": side}).status_code == 422, side
    for more in ({"format": "../x"}, {"quality": "9"}, {"w": "10"}):
        assert aimed.M.get(f"/media/{kept['id']}/thumbnail", params=more).status_code == 422

    for side in range(16, 1_025, 16):
        assert aimed.M.get(f"/media/{kept['id']}/thumbnail", params={"side": side}).status_code == 200

    made = list((aimed.data / "thumbnails").rglob(f"{kept['sha256']}-*"))
    assert len(made) <= 11


@case("E-20", "E-21", "E-23")
def test_e20_ranges_and_conditions_are_cheap_and_plain(aimed: Site) -> None:
    kept = stored(aimed, png(50, 50, "green"))
    path, size = f"/media/{kept['id']}", kept["size"]
    many = "bytes=" + ",".join(f"{n}-{n}" for n in range(10_000))
    odd = ["bytes=0-0,0-0,0-0", many[:60_000], "bytes=-0", "bytes=5-2", "bytes=99999999999999999999-", "units=0-1",
        "bytes=a-b",
           "bytes=-", "bytes", "", "bytes=0-" + "9" * 400, "bytes= 0 - 1", "bytes=0-0\t,1-1"]  # fmt: skip
    for each in odd:
        given = aimed.M.get(path, headers={"Range": each})
        assert given.status_code in (200, 206, 400, 416, 431), each
        assert "multipart" not in given.headers.get("content-type", "")
        assert len(given.content) <= size + 500
        assert given.elapsed.total_seconds() < 0.5, each
    for name, value in (
        ("If-None-Match", ",".join('"x"' for _ in range(10_000))), ("If-Modified-Since", "rubbish"),
        ("If-Modified-Since", "Sat, 31 Feb 99999 99:99:99 GMT"), ("If-Range", "\x80"), ("If-None-Match", "W/"),
    ):  # fmt: skip
        assert aimed.M.get(path, headers={name: value.encode("latin-1")}).status_code in (200, 206, 304, 400, 431)
    for method, codes in (("HEAD", (200, 405)), ("OPTIONS", (200, 204, 405)), ("TRACE", (405,)), ("PATCH", (405,))):
        assert aimed.M.ask(method, f"/api/v1{path}").status_code in codes, method


def outside(site: Site) -> set[Path]:
    """The files beside the data folder."""
    return {each for each in site.data.parent.iterdir() if each.name not in (site.data.name, "data.log")}


def _for_a_line(path: str) -> str:
    """A path as it can stand in a request's first line."""
    return "".join(
        letter if 32 < ord(letter) < 127 else "".join(f"%{each:02x}" for each in letter.encode()) for letter in path
    )


def _upload_by_hand(site: Site, name: str, content: bytes) -> httpx.Response:
    """An upload whose file name stands in the header as it is, as no client would write it."""
    written = name.replace('"', '\\"').encode()
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="' + written + b'"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return site.M.post(f"/projects/{site.pictures}/media", content=head + content + b"\r\n--x--\r\n", headers=headers)


def _jpeg(comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "JPEG", comment=comment)
    return out.getvalue()


def _gif() -> bytes:
    out = io.BytesIO()
    Image.new("P", (4, 4)).save(out, "GIF")
    return out.getvalue()


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _with_chunk(whole: bytes, kind: bytes, content: bytes) -> bytes:
    return whole[:33] + _chunk(kind, content) + whole[33:]
