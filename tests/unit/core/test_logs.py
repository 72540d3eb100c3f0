"""Lines of the log: one each, whatever they hold, and no secret."""

import io
import json
import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.core import logs
from app.core.requests import ON_BEHALF_OF
from app.core.settings import Settings


@pytest.fixture
def written(tmp_path: Path) -> io.StringIO:
    settings = Settings(
        data=tmp_path,
        database_url=SecretStr("postgresql://labelwise:hunter%202-very@db/labelwise"),
        secret_key=SecretStr("a key that nobody else has, with 32 characters"),
        _env_file=None,
    )
    root, level = logging.getLogger(), logging.getLogger().level
    before = list(root.handlers)
    stream = io.StringIO()
    logs.install(settings, stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_message_of_any_kind_is_one_line_of_ascii(written: io.StringIO) -> None:
    logging.getLogger("labelwise.test").info("first\nsecond \x1b[31m \u2028 \x85 %s", "x" * 20_000)

    [line] = written.getvalue().splitlines()
    said = json.loads(line)
    assert line.isascii()
    assert "\x1b" not in line
    assert len(said["message"]) == logs.LONGEST
    assert (said["level"], said["logger"]) == ("info", "labelwise.test")


def test_an_error_brings_its_way_and_the_request_along(written: io.StringIO) -> None:
    token = ON_BEHALF_OF.set("abc")
    try:
        raise ValueError("nothing there")
    except ValueError:
        logging.getLogger("labelwise.test").exception("it failed")
    ON_BEHALF_OF.reset(token)

    [line] = written.getvalue().splitlines()
    assert json.loads(line)["request"] == "abc"
    assert "ValueError: nothing there" in json.loads(line)["error"]


@pytest.mark.parametrize(
    "secret",
    [
        "lw_0123456789abcdefghijKLMNOP",
        "whsec_0123456789abcdefghij",
        "hunter%202-very",
        "hunter 2-very",
        "a key that nobody else has, with 32 characters",
    ],
)
def test_a_secret_is_never_written(written: io.StringIO, secret: str) -> None:
    logging.getLogger("labelwise.test").warning("told %s and %s", secret, {"other": secret})

    assert secret not in written.getvalue()
    assert logs.HIDDEN in written.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        'password="correct-horse"',
        "{'token': 'abcdefgh12345678'}",
        "postgresql://somebody:abcdefgh12345678@db/x",
        "GET /setup/abcdefgh12345678abcdefgh",
        "GET /password/abcdefgh12345678abcdefgh",
        "labelwise cookie=abcdefgh12345678",
    ],
)
def test_what_looks_like_a_secret_is_masked(written: io.StringIO, text: str) -> None:
    logging.getLogger("labelwise.test").warning(text)

    assert "abcdefgh12345678" not in written.getvalue()
    assert "correct-horse" not in written.getvalue()
