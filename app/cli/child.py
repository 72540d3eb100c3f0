"""A web process under the parent's watch: it serves the parent's socket and ends when the parent does."""

import contextlib
import gc
import os
import socket
import threading
from types import FrameType

import uvicorn

from app.cli.wire import Connection, prepare_files
from app.core import logs
from app.core.ending import ending
from app.core.settings import Settings

PIPE = "LABELWISE_PARENT_PIPE"
KEEP_ALIVE_SECONDS = 30
GRACE_SECONDS = 5  # open requests get this long when the service is told to end


def main(listening: int) -> None:
    """Serve a listening socket, given by its number, until SIGTERM or the end of the parent."""
    pipe = os.environ.pop(PIPE, None)
    if pipe is not None:
        threading.Thread(target=_leave_with_parent, args=(int(pipe),), daemon=True).start()
    settings = Settings()
    logs.install(settings)
    prepare_files()
    proxies = settings.trusted_proxies
    config = uvicorn.Config(
        "app.main:create_app",
        factory=True,
        http=Connection,
        ws="none",
        access_log=False,
        log_config=None,  # the root writes lines
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
    )
    config.load()
    gc.collect()
    gc.freeze()  # what was loaded stays: walking it again and again stopped every request for 130 ms
    _Server(config).run(sockets=[socket.socket(fileno=listening)])


class _Server(uvicorn.Server):
    """Tells those who wait for news that there is nothing to wait for any more, so that no restart waits for them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        ending.set()
        super().handle_exit(sig, frame)


def _leave_with_parent(pipe: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(pipe, 1):
            pass
    os._exit(0)
