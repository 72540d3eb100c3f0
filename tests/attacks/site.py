"""The place under attack: a running service with its people, two projects, a canary and a secret."""

import random
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlalchemy import Engine, create_engine, text

from tests.attacks.running import Running
from tests.attacks.voices import PASSWORD, Voice, at_once, signed_in

WELL_KNOWN = [
    *(("admin", word) for word in ("", "admin", "password", "12345678", "changeme", "labelwise", "administrator")),
    *(("root", word) for word in ("", "root", "toor", "password", "123456789012")),
    *(("argilla", word) for word in ("", "1234", "12345678", "argilla", "argilla.apikey")),
    *(("owner", word) for word in ("", "1234", "12345678", "owner", "owner.apikey")),
    *(("labelwise", word) for word in ("", "labelwise", "password", "labelwise1234")),
    *(("test", word) for word in ("", "test", "testtesttest", "password1234")),
    *(("demo", word) for word in ("", "demo", "demodemodemo", "password")),
    ("user", "user"), ("guest", "guest"), ("postgres", "postgres"), ("annotator", "annotator"), ("", ""),
    ("admin@example.com", "password"),
]  # fmt: skip
DOGS, CATS = ("dog", "puppy", "bark", "leash", "kennel"), ("cat", "kitten", "purr", "whisker", "litter")
OTHERS = ("sun", "rain", "walk", "home", "garden")


class Canary:
    """A server on loopback that nobody but a fooled service would visit."""

    def __init__(self) -> None:
        self.hits: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


class Site:
    """A running service, set up; its people are A, M, R, U1, U2, X and nobody, its projects P1 and P2."""

    P1: int
    P2: int
    A: Voice
    M: Voice
    U1: Voice
    U2: Voice
    R: Voice
    X: Voice
    pictures: int  # a project of images, of M's, and one for imports; see `aimed`
    heap: int
    hook: int  # a webhook of P1
    share: Path  # a folder that is a bucket

    def __init__(self, running: Running, data: Path, url: str, canary: Canary) -> None:
        self.running, self.data, self.url, self.canary = running, data, url, canary
        self.address = running.address
        self.secret = secrets.token_hex(24)
        self.secret_file = data.parent / "secret.txt"
        self.secret_file.write_text(self.secret)
        self.marker = data.parent / "marker"
        self._clients: dict[str, httpx.Client] = {}
        self.nobody = Voice(self, "nobody")
        self.setup_code = running.setup_code
        self._read = 0
        self._engine: Engine | None = None
        guesser = Voice(self, "nobody", address="127.0.0.9")
        self.first_tries = [
            guesser.post("/session", json={"name": name, "password": password}) for name, password in WELL_KNOWN
        ]
        self.users_before = self.rows("SELECT count(*) FROM users")[0][0]
        self._set_up()

    @property
    def people(self) -> dict[str, Voice]:
        """Everybody by the letter of the list."""
        return {"-": self.nobody, "U1": self.U1, "U2": self.U2, "R": self.R, "M": self.M, "X": self.X, "A": self.A}

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """A client on this address of the machine. It keeps no cookie: they are sent where a test says."""
        if address not in self._clients:
            made = httpx.Client(base_url=self.address, timeout=60, transport=httpx.HTTPTransport(local_address=address))
            made.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            self._clients[address] = made
        return self._clients[address]

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """What the database answers; committed at once."""
        if self._engine is None:
            self._engine = create_engine(self.url)
        with self._engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    def put_aside(self) -> list[str]:
        """Files that were put aside and not taken away again, a while after the last answer.

        What a worker fetches from an address that hangs, as another test asked, is no business of this one.
        """
        end = time.monotonic() + 15
        while left := [each.name for each in (self.data / "tmp").iterdir() if each.suffix != ".fetch"]:
            if time.monotonic() > end:
                return left
            time.sleep(0.05)
        return []

    def never_rests(self) -> list[Any]:
        """What the worker still goes on with two minutes after the last request: nobody asked for it any more."""
        last, end = None, time.monotonic() + 120
        while time.monotonic() < end:
            newest = self.rows(
                "SELECT project_id, kind, max(id), max(updated_at) FROM jobs "
                "WHERE kind IN ('round', 'featurize', 'index') GROUP BY project_id, kind"
            )
            if last is not None and not (found := sorted(set(newest) - set(last))):
                return []
            last = newest
            time.sleep(3)
        return found

    def log(self) -> str:
        """All that the service printed so far."""
        return self.running.log.read_bytes().decode(errors="replace")

    def unread_log(self) -> str:
        """What it printed since the last look."""
        said = self.running.log.read_bytes()
        new, self._read = said[self._read :], len(said)
        return new.decode(errors="replace")

    def wire(self, sent: bytes, *, seconds: float = 2.0) -> bytes:
        """All that comes back on a connection of its own for these bytes, until it is closed or the time is over."""
        where = urlsplit(self.address)
        got = b""
        with socket.create_connection((where.hostname, where.port), timeout=seconds) as line:
            try:
                line.sendall(sent)
                while piece := line.recv(65_536):
                    got += piece
            except (TimeoutError, ConnectionError):
                pass
        return got

    def new_user(self, name: str, *, admin: bool = False) -> Voice:
        """A further account, with a token."""
        answer = self.A.post("/users", json={"name": name, "password": PASSWORD, "admin": admin})
        assert answer.status_code == 201, answer.text
        made = Voice(self, name).browser().token()
        made.id = answer.json()["id"]
        return made

    def new_project(self, manager: Voice, items: int = 6, **given: Any) -> int:
        """A project of texts with the classes cat and dog; no item is kept for the audit unless it is asked for."""
        body = {"name": "Pets", "modality": "text", "audit_share": 0, "blind_share": 0, **given}
        body.setdefault("task", {"type": "classification", "classes": ["cat", "dog"]})
        answer = manager.post("/projects", json=body)
        assert answer.status_code == 201, answer.text
        project: int = answer.json()["id"]
        if items:
            rows = [{"key": f"item-{n}", "text": sentence(n), "metadata": {"n": n}} for n in range(items)]
            pushed = manager.post(f"/projects/{project}/items", json=rows)
            assert pushed.json()["created"] == items, pushed.text
        return project

    def join(self, manager: Voice, project: int, person: Voice, role: str = "annotator") -> None:
        """Make somebody a member."""
        answer = manager.post(f"/projects/{project}/members", json={"user": person.name, "role": role})
        assert answer.status_code in (200, 201), answer.text

    def lease(self, person: Voice, project: int, count: int = 1) -> list[dict[str, Any]]:
        """Leases of a person; waits for the project's first order."""
        end = time.monotonic() + 60
        while True:
            answer = person.post(f"/projects/{project}/leases", json={"count": count})
            assert answer.status_code == 200, answer.text
            found: list[dict[str, Any]] = answer.json()["leases"]
            if found or answer.json()["state"] != "preparing":
                return found
            assert time.monotonic() < end, "there is no first order after a minute"
            time.sleep(0.05)

    def answer(self, person: Voice, lease: dict[str, Any], label: str = "cat") -> httpx.Response:
        """The answer to a submitted label."""
        return person.post("/annotations", json={"lease": lease["id"], "label": {"class": label}})

    def answer_any(self, person: Voice, lease: dict[str, Any]) -> httpx.Response:
        """As `answer`, where the service may be busy."""
        body = {"lease": lease["id"], "label": {"class": "cat"}}
        return person.post("/annotations", json=body, may_be_busy=True, patient=True)

    def forget_connections(self) -> None:
        """Close the test's own connections to the database."""
        if self._engine is not None:
            self._engine.dispose()

    def let_minutes_pass(self) -> None:
        """The failed sign-ins so far were long ago."""
        self.rows("UPDATE sign_in_failures SET at = '2001-01-01 00:00:00.000000'")

    def close(self) -> None:
        """End what was opened."""
        for client in self._clients.values():
            client.close()
        if self._engine is not None:
            self._engine.dispose()

    def _set_up(self) -> None:
        body = {"name": "A", "password": PASSWORD}
        self.set_ups = at_once([partial(self.nobody.post, f"/setup/{self.setup_code}", json=body, patient=True)] * 3)
        [made] = [each for each in self.set_ups if each.status_code == 201]
        self.A = signed_in(self, made).token()
        self.M, self.R, self.U1, self.U2, self.X = (self.new_user(name) for name in ("M", "R", "U1", "U2", "X"))
        self.P1 = self.new_project(self.M, 40, name="P1")
        self.P2 = self.new_project(self.X, 10, name="P2")
        self.join(self.M, self.P1, self.R, "reviewer")
        for person in (self.U1, self.U2):
            self.join(self.M, self.P1, person)
            for lease in self.lease(person, self.P1, 4):
                label = "dog" if lease["item"]["text"].split()[0] in DOGS else "cat"
                assert self.answer(person, lease, label).status_code == 201
        self.lease(self.U1, self.P1, 2)


def sentence(number: int) -> str:
    """A text of some words, always the same for a number; dogs and cats differ in their words."""
    draw = random.Random(number)
    own = DOGS if number % 2 else CATS
    return " ".join([*draw.choices(own, k=3), *draw.choices(OTHERS, k=4), str(number)])


@contextmanager
def canary() -> Iterator[Canary]:
    """A canary that listens."""
    kept = Canary()

    class Handler(BaseHTTPRequestHandler):
        def _hit(self) -> None:
            kept.hits.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_CONNECT = _hit

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
