"""Buckets to test on: a folder, and S3 as moto's server speaks it on loopback. Nothing else is called."""

import io
import os
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "very-secret-key",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class FolderBucket:
    """A folder that tests write to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        self.address = f"file://{root}"
        self.private = str(root)  # what nobody may hear of

    def put(self, path: str, content: bytes) -> None:
        """Write a file, as another version of one that is there."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.stat().st_mtime_ns if file.exists() else None
        file.write_bytes(content)
        if before is not None:
            os.utime(file, ns=(before + 10**9, before + 10**9))

    def delete(self, path: str) -> None:
        """Delete a file."""
        (self.root / path).unlink()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Out of reach inside of this block."""
        aside = self.root.with_name("aside")
        self.root.rename(aside)
        yield
        aside.rename(self.root)


class S3Bucket:
    """A bucket of moto's server."""

    def __init__(self, server: Any, system: Any) -> None:
        self._server, self._system = server, system
        self.address = "s3://real-bucket/some/folder"
        self.private = "real-bucket"

    def put(self, path: str, content: bytes) -> None:
        """Write an object."""
        self._system.call_s3("put_object", Bucket="real-bucket", Key=f"some/folder/{path}", Body=content)

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._system.call_s3("delete_object", Bucket="real-bucket", Key=f"some/folder/{path}")

    @contextmanager
    def down(self) -> Iterator[None]:
        """Out of order inside of this block."""
        application, self._server._server.app = self._server._server.app, _broken
        yield
        self._server._server.app = application


def _broken(environment: Any, start_response: Any) -> list[bytes]:
    start_response("503 Slow Down", [("Content-Type", "text/plain")])
    return [b"the very-secret-key of real-bucket"]


@contextmanager
def s3_server(patch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A file system on a server of its own, with the environment that points to it; skipped where moto is not."""
    pytest.importorskip("s3fs", reason="pip install 'labelwise[buckets]'")
    server_of = pytest.importorskip("moto.server", reason="pip install 'moto[s3]' flask flask-cors")
    import s3fs

    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
        patch.setenv(name, value)
    httpx.post(f"http://{host}:{port}/moto-api/reset")  # one process, one memory, whatever the server
    system = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    system.call_s3("create_bucket", Bucket="real-bucket")
    yield S3Bucket(server, system)
    server.stop()


def picture(color: str, side: int = 40, kind: str = "PNG") -> bytes:
    """A square of one colour, or of noise, so that no two are equal."""
    out = io.BytesIO()
    Image.effect_noise((side, side), 60).convert("RGB").save(out, kind) if color == "noise" else Image.new(
        "RGB", (side, side), color
    ).save(out, kind)
    return out.getvalue()


def sound(seconds: float) -> bytes:
    """A hum as WAV."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\x10\x20" * int(8000 * seconds))
    return out.getvalue()
