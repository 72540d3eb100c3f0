"""One door for each thing that went wrong again and again elsewhere, and nobody who goes round it.

The record of other labelling servers is short: the same few holes were mended instance by instance, and came back one
file further. So each of them has one function here, and a test that reads the code and names who goes round it.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from app.api.errors import install
from app.core import errors
from app.db import Base
from app.services.access import NOUNS

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"


@cache
def calls(file: Path) -> list[tuple[str, ast.Call]]:
    """Every call in a file with the written name of what is called."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return [(ast.unparse(node.func), node) for node in nodes if isinstance(node, ast.Call)]


def users(names: re.Pattern[str], folder: Path = APP) -> dict[str, list[int]]:
    """The files that call something of such a name, with the lines."""
    found: dict[str, list[int]] = {}
    for file in sorted(folder.rglob("*.py")):
        lines = [node.lineno for name, node in calls(file) if names.fullmatch(name)]
        if lines:
            found[file.relative_to(ROOT).as_posix()] = lines
    return found


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """What a function is given, where it works on somebody's behalf."""
    given = {each.arg for each in (*function.args.args, *function.args.kwonlyargs)}
    return given if "person" in given and function.name != "visible" else set()


def looks_up(node: ast.Call, tables: set[str], given: set[str]) -> bool:
    """Whether a call gets a row of these tables by an argument as it came."""
    return (
        ast.unparse(node.func) in ("session.get", "session.get_one")
        and ast.unparse(node.args[0]) in tables
        and isinstance(node.args[1], ast.Name)
        and node.args[1].id in given
    )


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The names that a function is called with."""
    return {each.arg for each in (*function.args.args, *function.args.kwonlyargs)} - {"self"}


def statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.stmt]:
    """The single statements of a function: a block is not one, what stands in it is."""
    blocks = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.With, ast.For, ast.If, ast.While, ast.Try)
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and not isinstance(node, blocks):
            yield node


def takes_ids(statement: ast.stmt, tables: set[str], given: set[str]) -> str | None:
    """The condition by which a statement picks rows of these tables by an argument, and by nothing of their project."""
    written = ast.unparse(statement)
    for node in ast.walk(statement):
        for table, value in picked_by(node):
            bare = {each.id for each in ast.walk(value) if isinstance(each, ast.Name)} - _opened(value)
            if (table in tables or table == "") and bare & given and "project_id" not in written:
                return ast.unparse(node)
    return None


def picked_by(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The table whose id a condition asks for, with what it is asked to be; an empty name where it says none."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
        for one, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
            if isinstance(one, ast.Attribute) and one.attr == "id" and isinstance(one.value, ast.Name):
                yield one.value.id, other
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "in_" and isinstance(column := node.func.value, ast.Attribute):
            if column.attr == "id" and isinstance(column.value, ast.Name):
                yield from ((column.value.id, each) for each in node.args)
        elif node.func.attr == "filter_by":
            yield from (("", each.value) for each in node.keywords if each.arg == "id")


def _opened(value: ast.expr) -> set[str]:
    """Names of what is not an id itself but was found by one: `row.id` and `lease.item_id` are of rows."""
    inside = [each for each in ast.walk(value) if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name)]
    return {each.value.id for each in inside if each.attr == "id" or each.attr.endswith("_id")}  # type: ignore[attr-defined]


def of_projects() -> set[str]:
    """The tables whose rows belong to a project, by the name of their class."""
    named = {
        mapper.class_.__name__
        for mapper in Base.registry.mappers
        if "project_id" in mapper.columns and not mapper.columns["project_id"].nullable
    }
    return (named | {"Job"}) - {"Member"}


def test_a_row_of_a_project_is_looked_up_by_a_given_id_through_visible_only() -> None:
    """doccano deleted label types of any project by their ids, CVAT let everybody read any job, Label Studio any task:
    a handler had an id, looked the row up and forgot to ask whose it is. Whoever is asked for a row on somebody's
    behalf (`person`) and by an id that came as an argument takes `access.visible`, which cannot be called without the
    person, and which says the same of a foreign row as of none."""
    tables = of_projects()
    found = [
        f"{file.name}:{node.lineno} {ast.unparse(node)}"
        for file in sorted((APP / "services").glob("*.py"))
        for function in functions(file)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and looks_up(node, tables, arguments(function))
    ]

    assert found == []
    assert {table.__name__ for table in NOUNS} <= tables


TRUSTED = {  # functions that are given ids of rows which another one has found behind the door, and by what
    "among.by_ids": "a select of ids, made of a filter; `of_project` stands beside it",
    "answers._revision": "the item of a lease that `held` found as the person's own",
    "answers.shown": "the version that was just stored, or that the person's own lease holds",
    "buckets.fail": "a worker's: items that a page of the project's own gave",
    "closing.hold": "items whose answers are changed, behind `visible`, or what a filter or a file gave in the project",
    "closing.refresh": "items whose answers were just stored",
    "decisions.decide": "an item behind `visible`, or what a job's filter gave within its project",
    "decisions._close": "those of `decide`",
    "decisions._touch": "those of `decide`",
    "edits._keys": "those of a change, which a filter gave within the project",
    "edits._unknown": "what a filter gave within the project",
    "edits._rows": "those of a change, which a filter gave within the project",
    "erasing._labels_of": "a worker's: the rounds of its project",
    "fitting.payloads": "what keys or a filter gave within the project",
    "handover._page": "the answers of items that `snapshot` read of the project",
    "jobs.cancel": "behind `visible` in fetches and api/loop, or the job of a row that was found there",
    "leases.content_changed": "items whose content was just written",
    "mine._said": "a select of the person's own answers in the project",
    "predictions._keep": "the set that `_open` found or made in the project",
    "purging._forget_uploads": "a worker's: the jobs of a project that goes",
    "retention._lose_files": "a worker's: files of a project that is closed",
    "scored.complete": "a worker's: the set that it has begun",
    "scored._delete": "a worker's: sets that it has read of its project",
    "scoring._end": "a worker's: the set that it has begun",
    "scoring._keep": "a worker's: the set that it has begun",
    "scoring._say": "a worker's: the round that it has begun",
    "search._numbers_of": "items that were just written",
    "search._terms_of": "items that were just written",
    "serving._picked": "what `among` gave within the project",
    "simulations._found": "`_select` has the project in it",
    "slicing.columns_of": "the numbers in the project's own store",
    "snapping._without": "a worker's: the snapshots of the erased item's project",
}


def test_no_statement_takes_an_id_as_it_came() -> None:
    """`session.get` is one spelling of a look-up; `select(X).where(X.id == given)`, an `update` or a `delete` is the
    other, and a test that knows the first alone was gone round by hand. A statement that picks rows of a project by an
    id that the function was given says of which project they are in the same statement, or the function is named in
    `TRUSTED` with where its ids come from. On behalf of a person nothing is trusted."""
    tables = of_projects()
    found: dict[str, list[str]] = {}
    for file in sorted((APP / "services").glob("*.py")):
        for function in functions(file):
            for statement in statements(function):
                if (taken := takes_ids(statement, tables, parameters(function))) is not None:
                    found.setdefault(f"{file.stem}.{function.name}", []).append(f"{statement.lineno} {taken}")

    assert {name: lines for name, lines in found.items() if name not in TRUSTED} == {}
    assert TRUSTED.keys() - found.keys() == set()  # what is gone is taken off


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("session.execute(select(Item).where(Item.id == number))", True),
        ("session.execute(select(Item.key).where(number == Item.id)).scalar_one()", True),
        ("session.execute(update(Item).where(Item.id.in_(numbers)).values(state='open'))", True),
        ("session.execute(delete(Round).where(Round.id == int(number)))", True),
        ("session.query(Item).filter(Item.id == number).one()", True),
        ("session.execute(select(Item).filter_by(id=number))", True),
        ("session.execute(select(Item).where(Item.id == number, Item.project_id == project.id))", False),
        ("session.execute(select(Item).where(Item.id == found.id))", False),
        ("session.execute(select(Item).where(Item.id.in_(numbers.items)))", True),
        ("session.execute(select(User).where(User.id == number))", False),
    ],
)
def test_statements_that_take_an_id_as_it_came_are_seen(written: str, taken: bool) -> None:
    function = ast.parse(f"def look(session, person, project, number, numbers):\n    found = 1\n    return {written}")
    [whole] = [each for each in ast.walk(function) if isinstance(each, ast.FunctionDef)]

    seen = [takes_ids(each, {"Item", "Round"}, parameters(whole)) for each in statements(whole)]

    assert any(seen) == taken


def test_no_handler_looks_a_row_up_by_itself() -> None:
    """The floor above has no business with rows at all: it parses, asks one service, answers."""
    handlers = re.compile(r"session\.(get|get_one|query|scalars?)")

    assert users(handlers, APP / "api") == {}
    assert users(handlers, APP / "web") == {}


OPENS_CONNECTIONS = re.compile(
    r"(httpx|requests|httpcore)\.(?!create_ssl_context|URL)\w+|urllib\.request\.\w+|urlopen|http\.client\.\w+"
    r"|socket\.(create_connection|getaddrinfo|gethostbyname)|aiohttp\.\w+"
)


def test_every_address_that_somebody_named_is_called_by_core_fetch() -> None:
    """Label Studio's check of addresses was mended twice, and its webhooks and S3 endpoints never went through it;
    CVAT's cloud storages neither. Here nothing opens a connection to an address that a user gave but `core/fetch.py`
    over `core/addresses.py`: looked up once, checked, and that very address connected to."""
    allowed = {"app/core/fetch.py", "app/core/addresses.py"}

    assert set(users(OPENS_CONNECTIONS)) <= allowed


GIVES_FILES = re.compile(r"(\w+\.)?(FileResponse|StreamingResponse|StaticFiles|Streamed)")


def test_every_stored_file_is_given_back_by_api_files() -> None:
    """Label Studio gave avatars and imported files back with the type that the uploader chose, CVAT the assets of its
    guides: HTML that ran as the reader. `api/files.py` shows pictures, sounds and clips by our own look, lets nothing
    run, and makes everything else a file to keep; `ranges` sends the pieces for it, and `web/` only the built files."""
    makers = {"app/api/files.py", "app/api/ranges.py"}
    headers = [
        file.relative_to(ROOT).as_posix()
        for file in sorted(APP.rglob("*.py"))
        if "Content-Disposition" in file.read_text()
    ]

    assert set(users(GIVES_FILES, APP / "api")) == makers
    assert users(GIVES_FILES, APP / "web") == {}
    assert headers == ["app/api/files.py"]
    assert "super().file_response" in (APP / "web" / "__init__.py").read_text()  # the one subclass, of built files


READS_JSON = re.compile(r"(orjson|json)\.loads?|ujson\.\w+|simplejson\.\w+")
OURS = {  # what we or the operator wrote; nobody else's words come in this way
    "app/core/text.py": "the boundary itself",
    "app/core/places.py": "the operator's own option",
    "app/core/aside.py": "the pipe of our own decoders",
    "app/core/decoding.py": "the pipe of our own decoders",
    "app/cli/simulation.py": "a file of our own simulation",
    "app/featurizers/columns.py": "the state that `save` wrote",
    "app/featurizers/encoders.py": "the operator's folder of an encoder",
    "app/loop/named.py": "a value on the operator's command line",
    "app/loop/simulate.py": "a file of our own simulation",
    "app/services/ingestion.py": "rows that passed the boundary and were put aside",
    "app/services/snapshots.py": "the rows of our own file",
    "app/services/takeaway.py": "what `write_json` wrote a moment before",
    "app/services/tombstones.py": "our own list",
    "app/web/pages.py": "the manifest of the built front end",
}


def test_json_from_outside_is_parsed_by_core_text_only() -> None:
    """One accepted NaN, NUL or half of a surrogate pair and every later list of a project fails: fifteen hostile bodies
    of fifty-one did that to a plain application of this kind. So requests, imports and the answers of scorers are
    parsed in one module, and every other place that parses JSON is named here with what it reads."""
    assert set(users(READS_JSON)) - OURS.keys() == set()
    assert {each for each in OURS if not (ROOT / each).exists()} == set()


UNPICKLES = re.compile(
    r"(pickle|cloudpickle|dill|joblib|marshal|shelve|jsonpickle)\.(loads?|open|Unpickler|decode)|torch\.load"
    r"|(pd|pandas)\.read_pickle|yaml\.\w+|eval|exec|(np|numpy)\.load"
)


def test_nothing_from_outside_is_unpickled_or_run() -> None:
    """Label Studio's ML back-end unpickled uploaded models, CVAT the state of a tracker that came back from a browser,
    and skops, made to be safe, had four holes. Our models are arrays without objects, nothing reads a pickle, YAML is
    not read at all, and only pieces of work on their way between our own machines of a Dask cluster are pickles."""
    found = []
    for file in sorted(APP.rglob("*.py")):
        if file.relative_to(APP).as_posix() == "loop/cluster.py":
            continue
        for name, node in calls(file):
            plain = any(each.arg == "allow_pickle" and ast.unparse(each.value) == "False" for each in node.keywords)
            if UNPICKLES.fullmatch(name) and not (name.endswith(".load") and name.startswith("np") and plain):
                found.append(f"{file.relative_to(ROOT)}:{node.lineno} {name}")

    assert found == []


DECODES = {
    re.compile(r"(PIL\.)?Image\.open"): {"app/core/picture_decoder.py"},
    re.compile(r"(soundfile|sf)\.(SoundFile|read|blocks|info)"): {"app/core/sounds.py"},
    re.compile(r"av\.open|cv2\.\w+|imageio\.\w+"): {"app/core/clip_decoder.py"},
    re.compile(r"zipfile\.ZipFile|tarfile\.open|gzip\.(open|decompress)|bz2\.\w+|lzma\.\w+"): {
        "app/services/archives.py",  # uploads
        "app/services/snapshot_files.py",  # our own files
        "app/services/takeaway.py",  # written, not read
        "app/cli/backups.py",  # the operator's own
    },
}


@pytest.mark.parametrize("decoder", DECODES, ids=lambda each: each.pattern[:20])
def test_media_and_archives_are_opened_in_one_place_each(decoder: re.Pattern[str]) -> None:
    """A picture of eleven kilobytes took 439 megabytes below Pillow's own limit, a ZIP of sixty listed as ten
    gigabytes. Limits that stand in one of two places that decode are limits of half of the ways in."""
    assert set(users(decoder)) <= DECODES[decoder]


PARSES_XML = re.compile(r"^\s*(import|from)\s+(xml|lxml|defusedxml|yaml|openpyxl|bs4)\b", re.MULTILINE)


def test_no_parser_of_xml_or_yaml_is_imported() -> None:
    """External entities read files, alias bombs fill memory: formats that are not taken have no such doors. Who adds
    one brings a limited parser, and takes its name off here."""
    found = [file for file in sorted(APP.rglob("*.py")) if PARSES_XML.search(file.read_text())]

    assert found == []


def test_errors_become_answers_in_one_map() -> None:
    """MLflow printed a header in an HTML error, the framework's own 422 repeats a password: who answers an error by
    himself answers it differently. Handlers raise, and `api/errors.py` speaks HTTP."""
    raisers = re.compile(r"(\w+\.)?HTTPException")
    every = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.AppError)]

    assert users(raisers) == {}
    assert callable(install)
    assert all(400 <= each.status < 600 for each in every)
    assert [each.__name__ for each in every if each.status >= 500] == ["AppError", "NoRoom", "Unavailable"]
