"""Somebody who speaks to the server: with a bearer token, with a browser's cookie, or as nobody."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from tests.attacks.rules import rule_zero

if TYPE_CHECKING:
    from tests.attacks.site import Site

PASSWORD = "correct horse battery"
OUTSIDE_THE_API = ("/healthz", "/readyz", "/metrics", "/static", "/docs")


class Voice:
    """One person's way to speak; every answer is held against rule zero before anybody looks at it."""

    def __init__(
        self, site: "Site", name: str, headers: dict[str, str] | None = None, *, address: str = "127.0.0.1"
    ) -> None:
        self.site, self.name, self.id = site, name, 0
        self.headers = headers or {}
        self.client = site.client(address)

    def ask(
        self, method: str, address: str, *, may_be_busy: bool = False, patient: bool = False, **options: Any
    ) -> httpx.Response:
        """The answer to a request to a whole address, as `/sign-in` or `/api/v1/projects`."""
        headers = self.headers | options.pop("headers", {})
        answer = self.client.request(method, address, headers=headers, **options)
        return rule_zero(self.site, answer, may_be_busy=may_be_busy, patient=patient)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET of the API."""
        return self._api("GET", path, options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST to the API."""
        return self._api("POST", path, options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        """PUT to the API."""
        return self._api("PUT", path, options)

    def patch(self, path: str, **options: Any) -> httpx.Response:
        """PATCH of the API."""
        return self._api("PATCH", path, options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        """DELETE of the API."""
        return self._api("DELETE", path, options)

    def browser(self, password: str = PASSWORD) -> "Voice":
        """This person signed in anew: a voice with the cookie and its CSRF token."""
        answer = self.site.nobody.post("/session", json={"name": self.name, "password": password})
        assert answer.status_code == 201, answer.text
        return signed_in(self.site, answer)

    def token(self, *scopes: str, **more: Any) -> "Voice":
        """This person with a further token; all scopes unless named."""
        given = {"name": "attacks", **({"scopes": scopes} if scopes else {}), **more}
        answer = self.post("/tokens", json=given)
        assert answer.status_code == 201, answer.text
        made = Voice(self.site, self.name, {"Authorization": f"Bearer {answer.json()['token']}"})
        made.id = self.id
        return made

    def _api(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        outside = path.startswith(OUTSIDE_THE_API)
        return self.ask(method, path if outside else f"/api/v1{path}", **options)


def signed_in(site: "Site", answer: httpx.Response) -> Voice:
    """The browser that got this answer to a sign-in."""
    [cookie] = answer.headers.get_list("set-cookie")
    voice = Voice(site, answer.json()["user"]["name"])
    voice.id = answer.json()["user"]["id"]
    voice.headers = {"Cookie": cookie.split(";")[0], "X-CSRF-Token": answer.json()["csrf_token"]}
    return voice


def key() -> dict[str, str]:
    """A fresh Idempotency-Key as a header."""
    return {"Idempotency-Key": str(uuid4())}


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What all of them return, begun in the same moment."""
    start = Barrier(len(calls))

    def call(work: Callable[[], Any]) -> Any:
        start.wait(30)
        return work()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))
