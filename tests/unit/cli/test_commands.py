"""Commands that need no running service."""

import io
import os
import re
import stat
import tarfile
from pathlib import Path

import pytest

from app.cli import main
from app.cli.parser import parser

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LABELWISE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LABELWISE_DATA", "unset")  # so that what a command sets is taken back after the test
    monkeypatch.delenv("LABELWISE_DATA")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABELWISE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def make_user(monkeypatch: pytest.MonkeyPatch, name: str, role: str = "admin") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    return main(["user", "create", name, "--role", role, "--password-stdin"])


def test_a_user_and_a_token_are_made_and_the_token_stands_alone_on_the_last_line(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make_user(monkeypatch, "ada") == 0
    assert main(["token", "create", "--user", "Ada", "--scope", "read"]) == 0

    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"\S{40,}", last)


def test_wrong_input_ends_with_a_sentence_and_exit_code_1(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_user(monkeypatch, "ada")

    assert make_user(monkeypatch, "ada") == 1
    assert main(["token", "create", "--user", "nobody"]) == 1
    assert main(["token", "create", "--user", "ada", "--scope", "everything"]) == 1

    said = capsys.readouterr().err
    assert "'ada' is taken" in said
    assert "there is no user 'nobody'" in said
    assert "scopes are one or more of" in said


def test_migrate_says_from_where_to_where_and_check_finds_the_missing_worker(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate"]) == 0
    assert "empty -> " in capsys.readouterr().out

    assert main(["check"]) == 1
    said = capsys.readouterr().out
    assert "BAD  a worker was seen" in said
    assert "ok   database is at the newest schema" in said


def test_a_backup_brings_accounts_and_files_back(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_user(monkeypatch, "ada")
    (data / "media" / "1").mkdir(parents=True)
    (data / "media" / "1" / "picture").write_bytes(b"pixels")
    file = tmp_path / "backup.tar.gz"
    other = tmp_path / "other"

    assert main(["backup", str(file)]) == 0
    assert main(["restore", str(file), "--data", str(other)]) == 0

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (other / "media" / "1" / "picture").read_bytes() == b"pixels"
    assert main(["token", "create", "--user", "ada", "--data", str(other)]) == 0
    assert main(["restore", str(file), "--data", str(other)]) == 1
    assert "restore into an empty folder" in capsys.readouterr().err


def test_a_tar_that_reaches_out_of_the_folder_is_refused_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "evil.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("labelwise.db"))
        archive.addfile(tarfile.TarInfo("../outside"))

    assert main(["restore", str(file), "--data", str(tmp_path / "in")]) == 1

    assert "is not a backup of ours" in capsys.readouterr().err
    assert list((tmp_path / "in").iterdir()) == []


def test_backups_of_postgresql_are_refused_by_naming_its_own_tool(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELWISE_DATABASE_URL", "postgresql://somebody:secret@nowhere/labelwise")

    assert main(["backup", str(tmp_path / "file")]) == 1

    said = capsys.readouterr().err
    assert "pg_dump" in said
    assert "secret" not in said


def test_an_option_can_be_set_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELWISE_STRATEGIES", "margin,random")
    monkeypatch.setenv("LABELWISE_SEEDS", "3")

    given = parser().parse_args(["simulate", "data.csv"])

    assert (given.strategies, given.seeds) == ("margin,random", 3)


def test_import_without_a_token_says_how_to_get_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "news", str(tmp_path / "a.csv")]) == 1

    assert "labelwise token create --user NAME" in capsys.readouterr().err
