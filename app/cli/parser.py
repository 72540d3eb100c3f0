"""`labelwise`: every command, its options, and the environment variable behind each option."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.cli import accounts, backups, buckets, checks, rounds, serve, simulation, transfer
from app.core.errors import AppError
from app.core.settings import PREFIX, Settings, unknown_variables
from labelwise import LabelwiseError

Run = Callable[[Settings, argparse.Namespace], int]
SETTINGS = (
    "data", "database_url", "host", "port", "web_processes", "worker", "insecure_http", "allow_fetch_from", "buckets",
    "dask_scheduler",
)  # fmt: skip
FAILURES = (AppError, LabelwiseError, RuntimeError, ValueError, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 when it did what it says, 1 when not, 2 for wrong usage."""
    commands = _Commands()
    if unknown := unknown_variables(commands.variables):
        print(f"labelwise: unknown settings in the environment: {', '.join(unknown)}", file=sys.stderr)
        return 2
    given = commands.top.parse_args(arguments)
    try:
        run: Run = given.run
        return run(_settings(given), given)
    except ValidationError as error:
        for each in error.errors():
            print(f"labelwise: setting {'.'.join(map(str, each['loc']))}: {each['msg']}", file=sys.stderr)
        return 2
    except FAILURES as error:
        print(f"labelwise: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """All commands with their help."""
    return _Commands().top


class _Commands:
    """Builds the parser and remembers the environment variables that options read."""

    def __init__(self) -> None:
        self.variables: set[str] = set()
        self.top = argparse.ArgumentParser(
            prog="labelwise",
            description="Human-in-the-loop active learning. Every option can also be set by the environment "
            "variable that stands behind it.",
        )
        self._group: Any = self.top.add_subparsers(required=True, metavar="COMMAND")
        self._serving()
        self._accounts()
        self._buckets()
        self._transfers()
        self._simulation()
        self._rounds()
        self._care()

    def _serving(self) -> None:
        for name, text, run in (
            ("serve", "start the web server, and a worker beside it", serve.serve),
            ("demo", "start with a ready project, signed in by a printed link", serve.demo),
        ):
            made = self._local(name, text, run)
            self._option(made, "--host", help="address to listen on; loopback unless set")
            self._option(made, "--port", type=int, help="port to listen on, or the next free one; 8000 unless set")
            self._option(
                made, "--no-worker", variable="worker", dest="worker", action="store_false", help="start no worker"
            )
            self._option(made, "--web-processes", type=int, metavar="N", help="number of web processes; 1 unless set")
            self._option(
                made,
                "--insecure-http",
                action="store_true",
                help="let people on other machines sign in over plain http",
            )
            self._fetching(made)
        made = self._local("worker", "run background work: rounds, features, imports", serve.worker)
        text = "have large pools scored on a Dask cluster, as tcp://host:8786; in this process unless set"
        self._option(made, "--dask-scheduler", metavar="ADDRESS", help=text)
        self._fetching(made)

    def _fetching(self, made: argparse.ArgumentParser) -> None:
        text = "private hosts that items' addresses may point to, by commas; public ones only unless set"
        self._option(made, "--allow-fetch-from", metavar="HOST[:PORT]", help=text)
        self._places(made)

    def _places(self, made: argparse.ArgumentParser) -> None:
        text = "a place to read files from, as pets=s3://bucket/folder or scans=file:///srv/scans; may be repeated"
        self._option(
            made, "--bucket", variable="buckets", dest="buckets", action="append", metavar="NAME=ADDRESS", help=text
        )

    def _buckets(self) -> None:
        top = self._group
        made = top.add_parser("bucket", help="which project may read which bucket")
        self._group = made.add_subparsers(required=True, metavar="ACTION")
        self._places(
            self._local("list", "say which buckets there are, and which projects may read them", buckets.listed)
        )
        for name, text, run in (
            ("grant", "let a project read a bucket", buckets.grant),
            ("revoke", "let a project read a bucket no more", buckets.revoke),
        ):
            made = self._local(name, text, run)
            made.add_argument("bucket", help="the bucket's name")
            made.add_argument("project", help="slug or id")
            self._places(made)
        self._group = top

    def _accounts(self) -> None:
        top = self._group
        self._group = top.add_parser("user", help="accounts").add_subparsers(required=True, metavar="ACTION")
        made = self._local("create", "make an account", accounts.create_user)
        made.add_argument("name", help="the name to sign in with")
        self._option(made, "--role", choices=("admin", "user"), default="user", help="admin or user; user unless set")
        self._option(made, "--password-stdin", action="store_true", help="read the password from standard input")
        made = self._local("password", "set the password of somebody who forgot it", accounts.set_password)
        made.add_argument("name", help="the name that the person signs in with")
        self._option(made, "--password-stdin", action="store_true", help="read the password from standard input")
        made = self._local("export", "print all that is stored about a person, as JSON", accounts.export_user)
        made.add_argument("name", help="the name that the person signs in with")
        self._group = top.add_parser("token", help="tokens for scripts").add_subparsers(required=True, metavar="ACTION")
        made = self._local("create", "make a token; it is the last line of standard output", accounts.create_token)
        self._option(made, "--user", required=True, help="whose token it is")
        self._option(made, "--scope", action="append", help="read, label, import or manage; all of them unless given")
        self._option(made, "--project", help="bind the token to one project, by slug or id")
        self._option(made, "--expires", type=float, metavar="DAYS", help="days until it ends; never unless given")
        self._group = top

    def _transfers(self) -> None:
        made = self._remote("import", "push files to a running service", transfer.push)
        made.add_argument("project", help="slug or id")
        made.add_argument(
            "files",
            nargs="+",
            help="JSONL, JSON, CSV, TSV or Parquet; or hf:NAME, a public data set; or bucket:NAME/folder/",
        )
        self._option(made, "--labels", choices=("folders",), help="folders: the folder of a bucket's file is its label")
        self._option(made, "--copy", action="store_true", help="store the files of a bucket, which are read in place")
        self._option(made, "--map", help="which column is what: text:body,label:tag,key:uid,metadata:*")
        self._option(made, "--create-classes", action="store_true", help="make the classes that labels name")
        self._option(
            made,
            "--on-error",
            choices=("reject_row", "abort"),
            default="reject_row",
            help="leave bad rows out, or take no row at all; reject_row unless set",
        )
        self._option(
            made,
            "--on-change",
            choices=("reject", "replace"),
            default="reject",
            help="what to do with changed content of an answered item; reject unless set",
        )
        self._option(made, "--split", help="of a public data set; train unless set")
        self._option(made, "--config", help="configuration of a public data set; its own first one unless set")
        self._option(made, "--revision", help="branch, tag or commit of a public data set; the newest unless set")
        self._option(made, "--most", type=int, help="take so many rows of a public data set; all unless set")
        made = self._remote("export", "write a project's answers or items to a file", transfer.export)
        made.add_argument("project", help="slug or id")
        formats = ("jsonl", "json", "csv", "parquet")
        self._option(made, "--format", choices=formats, default="jsonl", help=f"{', '.join(formats)}; jsonl unless set")
        self._option(
            made,
            "--view",
            choices=("annotations", "items"),
            default="annotations",
            help="one row an answer, or one row an item; annotations unless set",
        )
        self._option(
            made, "--filter", help="only items that fit, as status=answered&metadata.source=web; all unless set"
        )
        self._option(made, "-o", "--output", type=Path, help="the file to write; standard output unless given")

        made = self._remote("snapshot", "keep a project's items, labels and splits as they are now", transfer.snapshot)
        made.add_argument("project", help="slug or id")
        self._option(made, "--name", required=True, help="letters, digits, dot, - and _")
        self._option(
            made, "--filter", help="only items that fit, as status=answered; all that are not left out unless set"
        )
        self._option(made, "--splits", help="as train=0.8,test=0.2; the audit share is the test split unless set")
        self._option(made, "--group-by", help="a metadata field whose groups stay whole in one split")

    def _simulation(self) -> None:
        text = "replay a labelled file or project with several strategies: curves, labels saved, and who won"
        made = self._local("simulate", text, simulation.simulate)
        made.add_argument(
            "file", type=Path, nargs="?", help="JSONL, JSON, CSV, TSV or Parquet with a text (or columns) and a label"
        )
        self._option(made, "--project", help="slug or id: replay what is labelled in a project of the data folder")
        text = "names with commas, as auto,vote_entropy:heads=4; random is always among them; auto,random unless set"
        self._option(made, "--strategies", default="auto,random", help=text)
        self._option(made, "--seeds", type=int, default=5, help="repeats of each strategy; 5 unless set")
        self._option(made, "--labels", type=int, default=300, help="answers to give in each run; 300 unless set")
        self._option(made, "--round-size", type=int, default=20, help="answers between two rounds; 20 unless set")
        self._option(made, "--noise", type=float, default=0.0, help="share of wrong answers; none unless set")
        text = "thin the pool until its largest class is so many times the smallest; 1 (as it is) unless set"
        self._option(made, "--imbalance", type=float, default=1.0, help=text)
        text = "accuracy that labels are counted to; nine tenths of that with every label unless set"
        self._option(made, "--target", type=float, help=text)
        self._option(made, "--label-column", default="label", help="column of the label; label unless set")
        self._option(made, "--text-column", default="text", help="column of the text; text unless set")
        text = "folder of the results; a stopped simulation goes on from what is in it; simulation unless set"
        self._option(made, "--output", type=Path, default=Path("simulation"), help=text)
        self._option(made, "--csv", type=Path, help="write the curves there too; curves.csv of the folder unless set")
        self._option(
            made, "--plot", type=Path, help="write the picture, an SVG, there; curves.svg of the folder unless set"
        )

    def _rounds(self) -> None:
        top = self._group
        self._group = top.add_parser("rounds", help="stored rounds").add_subparsers(required=True, metavar="ACTION")
        text = "run a stored round again, and say whether it chooses and measures the same"
        made = self._local("replay", text, rounds.replay)
        made.add_argument("project", help="slug or id")
        made.add_argument("number", type=int, help="the round's number")
        text = "go by the answers that its items have now; by those that the round knew unless set"
        self._option(made, "--current", action="store_true", help=text)
        self._group = top

    def _care(self) -> None:
        self._local("migrate", "bring the database to the newest schema", checks.migrate_database)
        made = self._local("check", "say line by line whether everything is in order", checks.check)
        self._places(made)
        self._option(
            made, "--all-files", action="store_true", help="read every stored file, and look at every one in a bucket"
        )
        made = self._local("backup", "write rows and files to one file, while people work", backups.backup)
        made.add_argument("file", type=Path, help="the file to write, a gzipped tar")
        made = self._local("restore", "read a backup into an empty data folder and database", backups.restore)
        made.add_argument("file", type=Path, help="a file that backup wrote")
        text = "the list of erasures of the place that was lost, erased.jsonl: they are done again"
        self._option(made, "--erased", type=Path, metavar="FILE", help=text)
        made = self._local("retention", "remove what is older than the settings keep it", checks.retain)
        self._option(made, "--dry-run", action="store_true", help="only say what would go")

    def _command(self, name: str, text: str, run: Run) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = self._group.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}."
        )
        made.set_defaults(run=run)
        return made

    def _local(self, name: str, text: str, run: Run) -> argparse.ArgumentParser:
        """A command that works on the database and the data folder themselves."""
        made = self._command(name, text, run)
        self._option(made, "--data", type=Path, metavar="DIR", help="data folder; the user's own unless set")
        self._option(made, "--database-url", metavar="URL", help="postgresql://... instead of SQLite in the folder")
        return made

    def _remote(self, name: str, text: str, run: Run) -> argparse.ArgumentParser:
        """A command that speaks to a service over HTTP; its token comes from the environment alone."""
        made = self._command(name, f"{text} (token: LABELWISE_TOKEN)", run)
        self._option(made, "--url", help="where the service is; http://127.0.0.1:8000 unless set")
        return made

    def _option(self, to: argparse.ArgumentParser, *names: str, help: str, **how: Any) -> None:
        """Add an option whose default comes from the environment; settings are read by Settings itself."""
        plain = names[-1].removeprefix("--").replace("-", "_")
        variable = PREFIX + how.pop("variable", plain).upper()
        if how.get("dest", plain) in SETTINGS:
            how["default"] = None
        else:
            self.variables.add(variable)
            if (found := os.environ.get(variable)) is not None:
                how["default"] = _from_environment(variable, found, how)
                how.pop("required", None)
        off = "=false" if how.get("action") == "store_false" else ""
        to.add_argument(*names, help=f"{help} ({variable}{off})", **how)


def _from_environment(variable: str, value: str, how: dict[str, Any]) -> Any:
    if how.get("action") == "store_true":
        return value.lower() in ("1", "true", "yes")
    if how.get("action") == "append":
        return value.split(",")
    if "choices" in how and value not in how["choices"]:
        raise SystemExit(f"labelwise: {variable} is one of {', '.join(how['choices'])}")
    return value  # argparse itself turns a default that is text into the option's type


def _settings(given: argparse.Namespace) -> Settings:
    """Settings of the environment with what the command line says on top."""
    named = {name: value for name in SETTINGS if (value := getattr(given, name, None)) is not None}
    named |= {"buckets": ",".join(named["buckets"])} if "buckets" in named else {}
    for name, value in named.items():  # children read the same settings
        os.environ[PREFIX + name.upper()] = str(value).lower() if isinstance(value, bool) else str(value)
    settings = Settings()
    os.environ["LABELWISE_DATA"] = str(settings.data.absolute())
    return settings
