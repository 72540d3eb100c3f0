"""Which buckets the operator has named, and how an item names a file in one: `bucket:NAME/path`.

Whoever may push items can write any address, so a name stands for a place that the operator chose, and a path never
leaves it.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from app.core.errors import Invalid
from app.core.text import check_text

PREFIX = "bucket:"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
SCHEMES = ("s3", "file", "gs", "gcs", "az", "abfs")
PATH_BYTES = 1_024  # S3 takes no longer keys


@dataclass(frozen=True)
class Root:
    """A place that the operator has named: the folder `path` of `host`, which is a bucket or, for files, empty."""

    name: str
    scheme: str
    host: str
    path: str


@dataclass(frozen=True)
class InBucket:
    """A file in a bucket, as an item names it."""

    bucket: str
    path: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.bucket}/{self.path}"


def is_in_bucket(given: object) -> bool:
    """Whether an item names its file as one in a bucket."""
    return isinstance(given, str) and given.startswith(PREFIX)


def parse(address: str) -> InBucket:
    """A file in a bucket by its address. Raises Invalid for a name or a path that cannot be one."""
    name, _, path = address.removeprefix(PREFIX).partition("/")
    if not NAME.fullmatch(name):
        raise Invalid(f"a file in a bucket is named as {PREFIX}NAME/folder/file")
    return InBucket(name, check_path(path))


def check_path(path: str) -> str:
    """A path below a bucket's root as it came. Raises Invalid for one that is empty, climbs, or is absolute.

    Refused also where it would climb only once it is decoded, whatever a server behind us may decode.
    """
    check_text(path, what="the path")
    if not path or len(path.encode()) > PATH_BYTES:
        raise Invalid(f"the path has 1 to {PATH_BYTES:,} bytes")
    form, before = path, ""
    while form != before:  # each decoding makes it shorter
        if _climbs(form):
            raise Invalid("the path leads out of the bucket, or is none")
        before, form = form, unquote(form, errors="replace")
    return path


def check_folder(path: str) -> str:
    """A folder below a bucket's root, without the stroke at its end; empty for the root. Raises Invalid."""
    return check_path(path.removesuffix("/")) if path not in ("", "/") else ""


def _climbs(path: str) -> bool:
    parts = path.split("/")
    control = any(ord(letter) < 32 or ord(letter) == 127 for letter in path)
    return control or "\\" in path or any(part in ("", ".", "..") for part in parts)


def parse_roots(text: str) -> dict[str, Root]:
    """Read `pets=s3://bucket/folder,scans=file:///srv/scans`. Raises ValueError naming what is wrong."""
    found: dict[str, Root] = {}
    for part in re.split(r",\s*(?=[A-Za-z0-9._-]+=)", text) if text.strip() else []:
        name, equals, address = part.strip().partition("=")
        if not equals or not NAME.fullmatch(name):
            raise ValueError(f"a bucket is written as NAME=s3://bucket/folder, not {part[:80]!r}")
        if name in found:
            raise ValueError(f"two buckets are called {name}")
        found[name] = _root(name, address.strip())
    return found


def _root(name: str, address: str) -> Root:
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"bucket {name}: its address begins with one of {', '.join(f'{each}://' for each in SCHEMES)}")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"bucket {name}: the address holds more than a place; keys belong into the environment")
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/") or parts.path == "/"):
        raise ValueError(f"bucket {name}: a folder is written as file:///srv/scans, and never the whole machine")
    if parts.scheme != "file" and not parts.netloc:
        raise ValueError(f"bucket {name}: the address names no bucket")
    path = parts.path if parts.scheme == "file" else parts.path.strip("/")
    if ".." in path.split("/"):
        raise ValueError(f"bucket {name}: the address climbs")
    return Root(name, parts.scheme, parts.netloc, path)


def parse_options(text: str | None) -> dict[str, dict[str, Any]]:
    """Options of the file systems by bucket, from JSON or from the path of a JSON file. Raises ValueError."""
    if not text:
        return {}
    try:
        found = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text())
    except (OSError, ValueError):
        raise ValueError("bucket options are JSON, or the path of a readable JSON file") from None  # it may hold keys
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise ValueError('bucket options are written as {"NAME": {"endpoint_url": "http://..."}}')
    return found
