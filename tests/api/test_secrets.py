"""What lets people and scripts in: links that end, tokens with a checksum, passwords whose hashes keep up."""

import re
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event, select, text, update
from sqlalchemy.engine import Connection

from app.api import deps
from app.core import secrets
from app.core.secrets import hashed, new_secret
from app.db import OneTimeLink, Token, User
from app.services import accounts
from tests.api.test_access import sign_in
from tests.conftest import PASSWORD, Api


def test_the_first_link_ends_after_half_an_hour_and_says_what_to_do(api: Api) -> None:
    with api.db.write() as session:
        code = accounts.setup_link(session)
        link = session.execute(select(OneTimeLink)).scalar_one()
        assert link.expires_at - link.created_at == timedelta(minutes=30)
        link.expires_at -= timedelta(minutes=31)
    body = {"name": "Ann", "password": PASSWORD}

    made = api.client.post(f"/api/v1/setup/{code}", json=body)
    page = api.client.get(f"/setup/{code}", headers={"Accept": "text/html"})

    assert made.status_code == 404
    assert "start the service again" in made.json()["detail"]
    assert page.status_code == 404
    with api.db.write() as session:
        assert session.execute(select(User.id)).first() is None
        fresh = accounts.setup_link(session)
    assert api.client.post(f"/api/v1/setup/{fresh}", json=body).status_code == 201


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (lambda token: token[:20] + ("a" if token[20] != "a" else "b") + token[21:], "mistyped or cut off"),
        (lambda token: token[:3] + token[4:] + token[3] + "x", "mistyped or cut off"),
        (lambda token: token[:-1], "mistyped or cut off"),
        (lambda token: token + "x", "mistyped or cut off"),
        (lambda token: "lw_", "mistyped or cut off"),
        (lambda token: token[3:], "begin with lw_"),
        (lambda token: "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "begin with lw_"),
        (lambda token: "", "begin with lw_"),
    ],
    ids=range(8),
)
def test_a_slip_in_a_token_is_told_before_the_database_is_asked(
    api: Api, monkeypatch: pytest.MonkeyPatch, slip: object, words: str
) -> None:
    token = api.as_("ann").headers["Authorization"].removeprefix("Bearer ")
    assert re.fullmatch(r"lw_[A-Za-z0-9_-]{49}", token)
    monkeypatch.setattr(deps.holders, "by_tokens", None)  # whoever asks breaks

    answer = api.client.get("/api/v1/session", headers={"Authorization": f"Bearer {slip(token)}"})  # type: ignore[operator]

    assert answer.status_code == 401
    assert words in answer.json()["detail"]


def test_tokens_with_the_right_checksum_that_nobody_has_and_tokens_of_before_are_looked_up(api: Api) -> None:
    api.as_("ann")
    old = new_secret("lw_")
    with api.db.write() as session:
        session.execute(update(Token).values(secret_hash=hashed(old)))

    def ask(token: str) -> int:
        return int(api.client.get("/api/v1/session", headers={"Authorization": f"Bearer {token}"}).status_code)

    assert ask(old) == 200
    assert ask(secrets.new_token()) == 401
    assert ask(new_secret("lw_")) == 401


def test_a_password_is_hashed_anew_when_its_parameters_have_grown(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = api.user("ann")

    def stored() -> str:
        with api.db.read() as session:
            return session.execute(select(User.password_hash).where(User.id == ann)).scalar_one() or ""

    before = stored()
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    wrong = sign_in(api.client, password="not these words")
    unchanged = stored()
    right = sign_in(api.client)
    grown = stored()
    again = sign_in(api.client)

    assert (wrong.status_code, right.status_code, again.status_code) == (401, 201, 201)
    assert unchanged == before
    assert "m=8,t=1" in before
    assert "m=16,t=2" in grown
    assert stored() == grown  # once is enough


def test_readiness_says_that_no_worker_is_running(api: Api) -> None:
    answer = api.client.get("/readyz")

    assert answer.status_code == 503
    assert ["labelwise worker" in each for each in answer.json()["reasons"]] == [True]


def test_readiness_says_that_the_database_takes_no_writes(api: Api) -> None:
    def only_read(connection: Connection) -> None:
        connection.execute(text("pragma query_only=on" if api.db.is_sqlite else "SET TRANSACTION READ ONLY"))

    event.listen(api.db.writing, "begin", only_read)
    try:
        answer = api.client.get("/readyz")
    finally:
        event.remove(api.db.writing, "begin", only_read)

    assert answer.status_code == 503
    assert "the database takes no writes" in answer.json()["reasons"]
