"""Where a round is computed: in the worker's own threads, or on the Dask cluster that the worker was given."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.core.block import Shard
from app.core.settings import Settings
from app.features import CopiedShard, StoredShard, check_address
from app.loop.cluster import ClusterUnavailable, DaskExecutor, library
from app.loop.executors import Executor, LocalExecutor

AGAIN_SECONDS = 10.0  # until a cluster that is not there is asked again


def check_installed(settings: Settings) -> None:
    """Raises NotInstalled or CopyFault, with what to install, where a cluster is set and a library is missing, and
    ValueError for an address of its shards that is none.
    """
    if settings.dask_scheduler:
        library()
        if settings.shards_address:
            check_address(settings.shards_address)


def shards_for(settings: Settings, folder: Path, stored: Sequence[StoredShard]) -> list[Shard]:
    """The shards of a feature set's folder as an engine reads them: with their address, where a cluster is to fetch."""
    if not (settings.dask_scheduler and settings.shards_address):
        return list(stored)
    below = folder.relative_to(settings.data / "features").as_posix()
    address = f"{settings.shards_address.rstrip('/')}/{below}"
    return [CopiedShard(each, address, settings.shards_cache_bytes) for each in stored]


@contextmanager
def engine(settings: Settings, rows: int, *, here: bool) -> Iterator[tuple[Executor, str]]:
    """An executor for a pool of so many rows, and what is to be said of it, empty for the worker's own threads.

    A cluster is asked where one is set and the pool is larger than what a worker scores by itself in a second or two.
    `here` keeps it in the worker: what an outside model said lies there and is not computed.

    Raises:
        ClusterUnavailable: the cluster cannot do it now. Nothing is computed in its place: the round waits.
    """
    if not settings.dask_scheduler or here or rows <= settings.whole_pool_items:
        with LocalExecutor() as threads:
            yield threads, ""
        return
    with DaskExecutor(settings.dask_scheduler) as cluster:
        workers = f"{cluster.workers:,} Dask worker{'' if cluster.workers == 1 else 's'}"
        yield cluster, f" Scored by {workers}."


__all__ = ["AGAIN_SECONDS", "ClusterUnavailable", "check_installed", "engine", "shards_for"]
