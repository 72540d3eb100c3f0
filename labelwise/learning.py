"""A model of one's own in the loop: wait for a due round, hand over labels and pool, push what the model says."""

import importlib.util
import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from labelwise.errors import LabelwiseError
from labelwise.labels import Labels
from labelwise.speaking import Speaking

WAIT_SECONDS = 25  # a request for the status is open for so long while nothing changes
LOOK_SECONDS = 0.5
CHUNK_ROWS = 5_000
LINES, PARQUET = "application/x-ndjson", "application/vnd.apache.parquet"

Item = dict[str, Any]
FitPredict = Callable[[list[Item], list[Any], Iterator[list[Item]]], Iterable[Any]]


def learn(
    client: Speaking,
    path: str,
    fit_predict: FitPredict,
    *,
    model: str,
    version: str,
    rounds: int | None,
    chunk_rows: int,
    progress: Callable[[dict[str, Any]], Any] | None,
) -> list[dict[str, Any]]:
    """Serve due rounds, each from its labels to its published order; see `Project.learn_with`."""
    _make_external(client, path)
    done: list[dict[str, Any]] = []
    while rounds is None or len(done) < rounds:
        number = _due(client, path)
        name = f"round-{number}-{int(time.time())}" if version == "auto" else version
        try:
            found = _one(client, path, fit_predict, model, name, number, chunk_rows)
        except LabelwiseError as error:
            if error.status != 409 or "waits for no predictions" not in str(error):
                raise
            continue  # somebody else has answered the round meanwhile: the next one comes
        done.append(found)
        if progress is not None:
            progress(found)
    return done


def _make_external(client: Speaking, path: str) -> None:
    card = client.call("GET", path)
    if card["learner"].get("name") != "external":
        raise LabelwiseError(
            0,
            "OwnLearner",
            "the project's learner is the service's own: choose “A model of your own” in its settings, or make the "
            'project with {"learner": {"name": "external"}}',
        )


def _due(client: Speaking, path: str) -> int:
    """The number of the round that waits for predictions, as soon as there is one."""
    seen = said = None
    while True:
        status = client.call("GET", f"{path}/status", params={"wait": WAIT_SECONDS, "seen": seen} if seen else {})
        if status["round"]["state"] == "waiting_for_predictions":
            return int(status["round"]["number"])
        seen, said = status["version"], _say(status, said)


def _say(status: dict[str, Any], said: str | None) -> str:
    """Tell the person at the terminal what is waited for, whenever that changes."""
    left = status["round"]["due_in"]
    if not status["worker"]["alive"]:
        words = "No worker is running: no round will be due."
    elif left:
        words = f"Waiting until a round is due, after {left:,} more answers; project.start_round() starts one now."
    else:
        words = "Waiting until the round asks for predictions."
    if words != said:
        print(words, file=sys.stderr)
    return words


def _one(
    client: Speaking, path: str, fit_predict: FitPredict, model: str, version: str, number: int, chunk_rows: int
) -> dict[str, Any]:
    begun = time.monotonic()
    classes = _classes(client.call("GET", path))
    given = [row for row in Labels(client.stream(f"{path}/rounds/{number}/labels")) if row["label"] is not None]
    labels = [_named(row["label"], classes) for row in given]
    items = [{name: value for name, value in row.items() if name not in ("label", "shares")} for row in given]
    keys: list[list[str]] = []
    params: dict[str, Any] = {"model": model, "version": version, "round": number}
    answer: dict[str, Any] = {}
    rejected = 0
    for said in fit_predict(items, labels, _handed(_pool(client, path, chunk_rows), keys)):
        kind, body = _body(keys.pop(0), said, classes)
        answer = _push(client, path, params, kind, body)
        rejected += answer["rejected_now"]
    answer = _push(client, path, {**params, "complete": True}, LINES, b"")
    fitted = time.monotonic() - begun
    found = _finished(client, path, number, answer["job"])
    own = {"model": model, "version": version, "rows": answer["rows"], "rejected": rejected}
    return {**found, **own, "seconds_outside": round(fitted, 3), "seconds_all": round(time.monotonic() - begun, 3)}


def _handed(pool: Iterator[list[Item]], keys: list[list[str]]) -> Iterator[list[Item]]:
    """The chunks of the pool as they are taken, with their keys put down in the same order."""
    for chunk in pool:
        keys.append([item["key"] for item in chunk])
        yield chunk


def _pool(client: Speaking, path: str, chunk_rows: int) -> Iterator[list[Item]]:
    """Every item that can be asked about or judges the model, some at a time: its key and its content."""
    chunk: list[Item] = []
    for row in Labels(client.stream(f"{path}/export?format=jsonl&view=items")):
        if row["state"] != "open":
            continue
        chunk.append({name: row[name] for name in ("key", "text", "row", "image", "audio", "video") if name in row})
        if len(chunk) == chunk_rows:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _push(client: Speaking, path: str, params: Mapping[str, Any], kind: str, body: bytes) -> dict[str, Any]:
    """One request; sent again after a lost answer it changes nothing, as the last row of a key counts."""
    answer: dict[str, Any] = client.call(
        "POST", f"{path}/predictions", content=lambda: iter((body,)), params=params, headers={"Content-Type": kind}
    ) if body else client.call("POST", f"{path}/predictions", params=params)  # fmt: skip
    return answer


def _finished(client: Speaking, path: str, number: int, job: int | None) -> dict[str, Any]:
    """The round once it is judged; raises LabelwiseError where it failed."""
    while True:
        found: dict[str, Any] = client.call("GET", f"{path}/rounds/{number}")
        if found["state"] in ("done", "skipped"):
            return found
        if found["state"] == "failed":
            raise LabelwiseError(0, "RoundFailed", f"round {number} failed: {found['reason']}", found)
        if job is None:
            time.sleep(LOOK_SECONDS)
        else:
            client.call("GET", f"/jobs/{job}", params={"wait": 5})


def _classes(card: Mapping[str, Any]) -> list[str]:
    """The names of the classes that may be chosen, of a form those of the question that drives the queue."""
    fields = card["task"].get("fields")
    driving = next((each["name"] for each in fields if each["drives"]), None) if fields else None
    own = (each for each in card["classes"] if driving in (None, each.get("question")))
    return [each["name"] for each in own if not each["retired"]]


def _named(label: Mapping[str, Any], classes: Sequence[str]) -> Any:
    """The class or classes of a label by name; of a rating the level."""
    if "value" in label:
        return next((name for name in classes if float(name) == label["value"]), str(label["value"]))
    return label.get("class", label.get("classes"))


def _body(keys: Sequence[str], said: Any, classes: Sequence[str]) -> tuple[str, bytes]:
    """What `fit_predict` gave for a chunk as a body: Parquet where pyarrow is installed, else lines of JSON."""
    names, matrix = said if isinstance(said, tuple) else (classes, said)
    rows = matrix.tolist() if hasattr(matrix, "tolist") else list(matrix)
    if len(rows) != len(keys):
        raise LabelwiseError(0, "WrongRows", f"fit_predict gave {len(rows)} rows for a chunk of {len(keys)} items")
    if rows and isinstance(rows[0], Mapping):
        return LINES, _lines(keys, rows)
    columns = [str(name) for name in names]
    if unknown := sorted(set(columns) - set(classes)):
        raise LabelwiseError(0, "UnknownClass", f"fit_predict names a class that the project has not: {unknown[0]}")
    place = [columns.index(name) if name in columns else None for name in classes]
    ordered = [[0.0 if at is None else float(row[at]) for at in place] for row in rows]
    if importlib.util.find_spec("pyarrow") is None:
        return LINES, _lines(keys, ordered)
    return PARQUET, _parquet(keys, ordered)


def _lines(keys: Sequence[str], rows: Sequence[Any]) -> bytes:
    lines = []
    for key, row in zip(keys, rows, strict=True):
        said = {name: float(value) for name, value in row.items()} if isinstance(row, Mapping) else row
        lines.append(json.dumps({"key": key, "probabilities": said}, ensure_ascii=False))
    return "\n".join(lines).encode("utf-8", "surrogatepass") + b"\n"


def _parquet(keys: Sequence[str], rows: Sequence[Sequence[float]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    values = pyarrow.array(rows, pyarrow.list_(pyarrow.float32(), len(rows[0])))
    table = pyarrow.table({"key": pyarrow.array(keys, pyarrow.string()), "probabilities": values})
    pyarrow.parquet.write_table(table, out)
    return out.getvalue()
