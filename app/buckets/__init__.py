"""Files that are read where they lie: S3, folders, and whatever else fsspec opens."""

from functools import lru_cache

from app.buckets.base import CHANGED, PIECE, BucketDown, BucketRefuses, Entry, ObjectLost, Place
from app.buckets.local import Folder
from app.buckets.ranged import RangedFile
from app.buckets.remote import NotInstalled, S3Bucket, open_store
from app.core.places import parse_options, parse_roots


@lru_cache(maxsize=8)
def opened(buckets: str, options: str | None) -> dict[str, Place]:
    """Every named bucket of a setting, opened once a process; nothing is asked of it yet.

    Raises:
        NotInstalled: a library is missing.
        ValueError: the setting is wrong.
    """
    given = parse_options(options)
    found: dict[str, Place] = {}
    for name, root in parse_roots(buckets).items():
        more = given.get(name, {})
        if root.scheme == "file":
            found[name] = Folder(root.path)
        elif root.scheme == "s3":
            found[name] = S3Bucket(root.host, root.path, more)
        else:
            found[name] = open_store(root.scheme, root.host, root.path, more)
    return found


__all__ = [
    "CHANGED",
    "PIECE",
    "BucketDown",
    "BucketRefuses",
    "Entry",
    "NotInstalled",
    "ObjectLost",
    "Place",
    "RangedFile",
    "opened",
]
