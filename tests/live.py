"""A server behind a port and a worker, both in threads of the test's own process: nothing is imported anew."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from sqlalchemy import update

from app.core.settings import Settings
from app.db import Database, Worker
from app.main import create_app
from app.worker import WorkerProcess


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """The address of an application behind a free port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


@contextmanager
def serving(db: Database, settings: Settings) -> Iterator[str]:
    """The address of the service on this data, with a worker that runs what is due."""
    worker = WorkerProcess(settings, db)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        with listening(create_app(settings, db)) as address:
            yield address
    finally:
        worker.stop()
        with db.write() as session:  # an idle worker looks up when something is written, else once a second
            session.execute(update(Worker).values(host="stopping"))
        thread.join(timeout=20)
