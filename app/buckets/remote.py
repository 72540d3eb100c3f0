"""Buckets by fsspec: S3 with its own conditional reads, other stores by what every file system of fsspec can."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from app.buckets.base import CHANGED, GONE, SECONDS, BucketDown, BucketRefuses, Entry, ObjectLost
from app.buckets.walking import Child, walk

INSTALL = "pip install 'labelwise[buckets]'"
LISTED_AT_ONCE = 1_000
S3_TRIES = 2
CONNECT_SECONDS = 4
S3_DEFAULTS: dict[str, Any] = {
    "use_listings_cache": False,
    "skip_instance_cache": True,
    "config_kwargs": {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": SECONDS,
        "retries": {"max_attempts": 1},
        "max_pool_connections": 32,
    },
}


class NotInstalled(RuntimeError):
    """The library of a bucket's kind is missing; the message says what to install."""


class S3Bucket:
    """A bucket that speaks S3. The version is the ETag, and every read names it: a changed object is never mixed."""

    def __init__(self, bucket: str, folder: str, options: dict[str, Any]) -> None:
        try:
            import s3fs
            from fsspec.asyn import sync
        except ImportError:
            raise NotInstalled(f"buckets at s3:// need the library s3fs: {INSTALL}") from None
        config = {**S3_DEFAULTS["config_kwargs"], **options.get("config_kwargs", {})}
        self._system = s3fs.S3FileSystem(**{**S3_DEFAULTS, **options, "config_kwargs": config})
        self._system.retries = S3_TRIES
        self._sync = sync
        self._bucket = bucket
        self._root = f"{folder}/" if folder else ""

    def look(self, path: str) -> Entry:
        """As the contract has it."""
        said = self._ask(self._system._call_s3, "head_object", Bucket=self._bucket, Key=self._root + path)
        return Entry(path, int(said["ContentLength"]), _plain(said["ETag"]))

    def read(self, path: str, version: str, start: int, end: int) -> bytes:
        """As the contract has it."""
        if end <= start:
            return b""
        wanted = {"Range": f"bytes={start}-{end - 1}", "IfMatch": f'"{version}"'}
        found: bytes = self._ask(self._get, Bucket=self._bucket, Key=self._root + path, **wanted)
        return found

    def entries(self, folder: str, after: str | None) -> Iterator[Entry]:
        """As the contract has it, in pages of a thousand."""
        prefix = self._root + (f"{folder}/" if folder else "")
        behind = prefix if after is None else self._root + after
        while True:
            wanted = {"Bucket": self._bucket, "Prefix": prefix, "StartAfter": behind, "MaxKeys": LISTED_AT_ONCE}
            said = self._ask(self._system._call_s3, "list_objects_v2", **wanted)
            for each in said.get("Contents", ()):
                behind = each["Key"]
                path = behind.removeprefix(self._root)
                if not path.endswith("/") and not path.rsplit("/", 1)[-1].startswith("."):  # the mark of a folder
                    yield Entry(path, int(each["Size"]), _plain(each["ETag"]))
            if not said.get("IsTruncated"):
                return

    async def _get(self, **wanted: Any) -> bytes:
        said = await self._system._call_s3("get_object", **wanted)
        async with said["Body"] as body:
            content: bytes = await body.read()
        return content

    def _ask(self, work: Callable[..., Any], *given: Any, **wanted: Any) -> Any:
        with in_words():
            return self._sync(self._system.loop, work, *given, timeout=2 * SECONDS, **wanted)


class Store:
    """Any file system of fsspec, as those of Google and Azure. A folder is listed as a whole, so none should be huge.

    The version is the store's own mark of content where it gives one, else size and moment; it is looked at before
    each read.
    """

    def __init__(self, system: Any, root: str) -> None:
        self._system = system
        self._root = root.strip("/")

    def look(self, path: str) -> Entry:
        """As the contract has it."""
        with in_words():
            said = self._system.info(f"{self._root}/{path}")
        if said.get("type") != "file":
            raise ObjectLost(GONE)
        return Entry(path, int(said["size"]), _version(said))

    def read(self, path: str, version: str, start: int, end: int) -> bytes:
        """As the contract has it."""
        if self.look(path).version != version:
            raise ObjectLost(CHANGED)
        with in_words():
            found: bytes = self._system.cat_file(f"{self._root}/{path}", start=start, end=end)
        return found

    def entries(self, folder: str, after: str | None) -> Iterator[Entry]:
        """As the contract has it."""
        yield from walk(self._children, folder, after)

    def _children(self, folder: str) -> list[Child]:
        with in_words():
            listed = self._system.ls(f"{self._root}/{folder}".rstrip("/"), detail=True)
        found = []
        for said in listed:
            name = said["name"].rstrip("/").rsplit("/", 1)[-1]
            path = f"{folder}/{name}" if folder else name
            is_file = said.get("type") == "file"
            found.append(Child(name, partial(Entry, path, int(said["size"]), _version(said)) if is_file else None))
        return found


def open_store(scheme: str, host: str, path: str, options: dict[str, Any]) -> Store:
    """A store by the scheme of its address. Raises NotInstalled."""
    try:
        import fsspec

        system = fsspec.filesystem(scheme, **{"use_listings_cache": False, "skip_instance_cache": True, **options})
    except ImportError as error:
        raise NotInstalled(f"buckets at {scheme}:// need a package of fsspec: {str(error)[:200]}") from None
    return Store(system, f"{host}/{path}")


@contextmanager
def in_words() -> Iterator[None]:
    """What a library raises becomes one of our refusals; its own words, which may name address and keys, are left."""
    try:
        yield
    except FileNotFoundError as error:
        if _code(error) == "NoSuchBucket":
            raise BucketDown from None
        raise ObjectLost(GONE) from None
    except PermissionError:
        raise BucketRefuses from None
    except (ObjectLost, BucketDown, BucketRefuses):
        raise
    except Exception as error:  # each library has its own; a bucket that answers nonsense is one that is down
        if _is_other_version(error):
            raise ObjectLost(CHANGED) from None
        raise BucketDown from None


def _is_other_version(error: Exception) -> bool:
    return _code(error) in ("PreconditionFailed", "412", "InvalidRange", "416")


def _code(error: Exception) -> str | None:
    """What S3 calls the refusal, where it is one of S3."""
    said = getattr(error.__cause__, "response", None) or {}
    found: str | None = said.get("Error", {}).get("Code")
    return found


def _plain(etag: str) -> str:
    return etag.strip('"')


def _version(said: dict[str, Any]) -> str:
    for name in ("etag", "ETag", "md5Hash", "content_md5", "generation"):
        if said.get(name):
            return _plain(str(said[name]))
    moment = next((said[name] for name in ("last_modified", "LastModified", "mtime", "created") if said.get(name)), "")
    return f"{said['size']}-{moment}"
