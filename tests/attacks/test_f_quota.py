"""d.F: more files than there is room for."""

import struct
from collections.abc import Iterator

import httpx
import pytest

from tests.attacks.running import running
from tests.attacks.site import Site
from tests.attacks.test_f_parsers import zipped
from tests.attacks.trap import png

case = pytest.mark.case


def wave(size: int) -> bytes:
    """Silence of so many bytes, which packs to nothing."""
    kind = struct.pack("<HHIIHH", 1, 1, 8_000, 16_000, 2, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", len(kind)) + kind + b"data" + struct.pack("<I", size) + bytes(size)
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


@case("F-15")
def test_f15_files_over_the_quota_leave_nothing_behind(aimed: Site) -> None:
    """Three ways to bring more than there is room for: said, not said, and packed in a small ZIP."""
    once = "SELECT max(size) AS size FROM media WHERE bucket IS NULL GROUP BY project_id, sha256"
    stored = int(aimed.rows(f"SELECT coalesce(sum(size), 0) FROM ({once}) AS once")[0][0])
    files = len(list((aimed.data / "media").rglob("*")))
    url = None if aimed.url.startswith("sqlite") else aimed.url
    path = f"/projects/{aimed.pictures}/media"
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n\x89PNG\r\n\x1a\n'

    def unsaid() -> Iterator[bytes]:
        yield head
        for _ in range(200):
            yield bytes(100_000)
        yield b"\r\n--x--\r\n"

    with (
        running(aimed.data, url, "--no-worker", LABELWISE_MEDIA_BYTES=str(stored + 3_000_000)) as service,
        httpx.Client(base_url=f"{service.address}/api/v1", headers=aimed.M.headers, timeout=60) as sender,
    ):
        before = len(list((aimed.data / "media").rglob("*")))
        answers = [
            sender.post(path, content=head + bytes(20_000_000) + b"\r\n--x--\r\n", headers=form),
            sender.post(path, content=unsaid(), headers=form),
            sender.post(path, files=[("files", ("a.zip", zipped(("a.wav", wave(4_000_000)))))]),
        ]
        assert len(list((aimed.data / "media").rglob("*"))) == before
        assert aimed.put_aside() == []
        room = sender.post(path, files=[("files", ("small.png", png(21, 17)))])

    assert [(each.status_code, each.json()["error"]) for each in answers] == [(507, "NoRoom")] * 3
    assert room.status_code == 201, room.text
    assert len(list((aimed.data / "media").rglob("*"))) > files
