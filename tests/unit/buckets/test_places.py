"""Names of buckets and paths in them: nothing that anybody writes leads out of the place that the operator named."""

import os
from functools import partial
from pathlib import Path

import pytest

from app.buckets import BucketRefuses, ObjectLost
from app.buckets.base import Entry
from app.buckets.local import Folder
from app.buckets.walking import Child, walk
from app.core.errors import Invalid
from app.core.places import check_folder, parse, parse_roots


@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/passwd", "../x", "a/../../x", "a/..", "./a", "a//b", "a/", "..", "%2e%2e/x", "a/%2E%2e/x", "%2fetc",
        "%252e%252e/x", "%25252e%25252e/x", "..%2fx", "a\\..\\x", "a%5c..%5cx", "a\x00b", "a\nb", "x" * 1025,
    ],
)  # fmt: skip
def test_a_path_that_climbs_is_refused_in_every_disguise(path: str) -> None:
    with pytest.raises(Invalid):
        parse(f"bucket:pets/{path}")


@pytest.mark.parametrize("path", ["cat.jpg", "a b/ä ü.png", "100%/x..y.png", "a/.../b", "x'\"$`;.png", "50%25.png"])
def test_odd_names_are_names(path: str) -> None:
    assert str(parse(f"bucket:pets/{path}")) == f"bucket:pets/{path}"


@pytest.mark.parametrize("address", ["bucket:", "bucket:/x", "bucket:..", "bucket:a b/x", "bucket:-x/y", "bucket:pets"])
def test_an_address_needs_a_name_and_a_path(address: str) -> None:
    with pytest.raises(Invalid):
        parse(address)


def test_a_folder_may_end_with_a_stroke_and_be_the_root() -> None:
    assert [check_folder(path) for path in ("", "/", "a/b/", "a")] == ["", "", "a/b", "a"]
    with pytest.raises(Invalid):
        check_folder("a/../..")


def test_roots_are_read_with_their_commas() -> None:
    found = parse_roots("pets=s3://bucket/a,b/c, scans=file:///srv/scans")

    assert {name: (root.scheme, root.host, root.path) for name, root in found.items()} == {
        "pets": ("s3", "bucket", "a,b/c"),
        "scans": ("file", "", "/srv/scans"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "pets", "pets=/srv", "pets=http://a/b", "pets=ftp://a", "pets=file://", "pets=file:///", "pets=file://host/x",
        "pets=s3://", "pets=s3://key:secret@b", "pets=s3://b?x=1", "pets=s3://b/../c", "a b=s3://b", "p=s3://b,p=s3://c",
        "pets=memory://x", "pets=simplecache::s3://b",
    ],
)  # fmt: skip
def test_a_wrong_place_stops_the_start(text: str) -> None:
    with pytest.raises(ValueError):
        parse_roots(text)


def folder(tmp_path: Path) -> tuple[Folder, Path]:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "1.txt").write_bytes(b"0123456789")
    return Folder(str(root)), root


def test_links_lead_nowhere_out_of_a_folder(tmp_path: Path) -> None:
    place, root = folder(tmp_path)
    (tmp_path / "secret").write_text("secret")
    (root / "out.txt").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to(tmp_path)
    (root / "in.txt").symlink_to(root / "a" / "1.txt")
    os.mkfifo(root / "pipe.txt")

    for path in ("out.txt", "up/secret", "pipe.txt", "a", "none", "a/1.txt/x"):
        with pytest.raises(ObjectLost):
            place.look(path)
    assert place.look("in.txt").size == 10
    assert [entry.path for entry in place.entries("", None)] == ["a/1.txt", "in.txt"]


def test_a_link_that_is_made_between_look_and_open_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, root = folder(tmp_path)
    (tmp_path / "1.txt").write_text("secret")
    resolved = place._inside("a/1.txt")
    (root / "a").rename(root / "b")
    (root / "a").symlink_to(tmp_path)
    monkeypatch.setattr(place, "_inside", lambda path: resolved)

    with pytest.raises(ObjectLost):
        place.look("a/1.txt")


def test_a_range_is_of_the_version_that_was_seen(tmp_path: Path) -> None:
    place, root = folder(tmp_path)
    version = place.look("a/1.txt").version

    assert place.read("a/1.txt", version, 2, 5) == b"234"
    (root / "a" / "1.txt").write_bytes(b"other")
    with pytest.raises(ObjectLost, match="changed"):
        place.read("a/1.txt", version, 0, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    place, root = folder(tmp_path)
    (root / "a").chmod(0)

    with pytest.raises(BucketRefuses):
        place.look("a/1.txt")
    (root / "a").chmod(0o700)


def test_a_walk_can_be_entered_behind_every_file() -> None:
    tree = {
        "": ["a-", "a", "b.txt", "c", ".git", "gone.txt"],
        "a": ["z.txt", "y"],
        "a/y": ["1.txt", "2.txt"],
        "a-": ["0.txt"],
        "c": [],
    }
    asked: list[str] = []
    looked: list[str] = []

    def look(path: str) -> Entry | None:
        looked.append(path)
        return None if path == "gone.txt" else Entry(path, 1, "1")

    def children(folder: str) -> list[Child]:
        asked.append(folder)
        names = ((name, f"{folder}/{name}" if folder else name) for name in tree[folder])
        return [Child(name, None if path in tree else partial(look, path)) for name, path in names if path != ".git"]

    whole = [entry.path for entry in walk(children, "", None)]

    assert whole == ["a/y/1.txt", "a/y/2.txt", "a/z.txt", "a-/0.txt", "b.txt"]
    for place, path in enumerate(whole):
        assert [entry.path for entry in walk(children, "", path)] == whole[place + 1 :]
    asked.clear()
    looked.clear()
    assert [entry.path for entry in walk(children, "a", "a/y/2.txt")] == ["a/z.txt"]
    assert asked == ["a", "a/y"]
    assert looked == ["a/z.txt"]  # a look at a file opens it: those before the place are not looked at again
