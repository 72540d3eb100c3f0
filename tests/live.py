"""A server behind a port and a worker, both in threads of the test's own process: nothing is imported anew."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from sqlalchemy import update

from app.core.settings import Settings
from app.db import Database, Worker
from app.main import create_app
from app.worker import WorkerProcess


@contextmanager
def serving(db: Database, settings: Settings) -> Iterator[str]:
    """The address of the application on this data, with a worker that runs what is due."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings, db), host="127.0.0.1", port=0, log_level="warning"))
    worker = WorkerProcess(settings, db)
    threads = [threading.Thread(target=server.run), threading.Thread(target=worker.run)]
    for each in threads:
        each.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        worker.stop()
        with db.write() as session:  # an idle worker looks up when something is written, else once a second
            session.execute(update(Worker).values(host="stopping"))
        server.should_exit = True
        for each in threads:
            each.join(timeout=20)
