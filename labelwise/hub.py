"""Public data sets by name, read with the library `datasets`: rows as the service takes them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Protocol

from labelwise.errors import LabelwiseError
from labelwise.report import Report

PREFIX = "hf:"
INSTALL = "pip install 'labelwise[hub]'"
TEXTS = ("text", "sentence", "content", "question", "document", "title", "review", "utterance")
LABELS = ("label", "labels", "class", "category", "intent", "coarse_label", "sentiment")
FILES = {"Image": "image", "Audio": "audio", "Video": "video"}
ROWS_AT_ONCE = 500
# Where a row has bytes and no name; the service looks for itself.
ENDINGS = {
    "image": "png",
    "audio": "wav",
    "video": "mp4",
}


class Pushing(Protocol):
    """What of a project is needed here."""

    card: dict[str, Any]

    def push(self, items: Any, *, create_classes: bool = False) -> Report:
        """Push rows."""
        ...

    def upload(self, name: str, content: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Store a file."""
        ...


@dataclass(frozen=True)
class Chosen:
    """Which columns of a data set are the content and the label; `kind` is text, image, audio, video or table."""

    kind: str
    content: str | None
    label: str | None
    names: Mapping[str, list[str]]  # of the columns of numbered classes


@dataclass(frozen=True)
class PublicSet:
    """A split of a public data set: its rows come one by one, and nothing is kept in memory."""

    name: str
    split: str
    chosen: Chosen
    rows: Any

    def items(self) -> Iterator[dict[str, Any]]:
        """Rows with `key`, content, `label` and `metadata`; the key is the row's place, so a repeat changes nothing.

        A row of a set of files has the file under `file`, as (name, bytes), in the place of the content.
        """
        for place, row in enumerate(self.rows):
            yield _item(f"{self.name}/{self.split}/{place}", dict(row), self.chosen)


def open_set(
    name: str,
    *,
    split: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    text: str | None = None,
    label: str | None = None,
) -> PublicSet:
    """A data set of the hub by name, or of a local folder by its path. No code of a data set is run.

    `text` and `label` name the columns where the guess would be wrong.

    Raises:
        LabelwiseError: the library is missing, there is no such set, configuration, split or column.
    """
    datasets, split = _library(), split or "train"
    try:
        loaded = datasets.load_dataset(name, config, split=split, revision=revision, streaming=True)
        features = loaded.features or loaded._resolve_features().features
    except Exception as error:  # the library raises nearly everything
        raise LabelwiseError(0, "NoSuchSet", f"{name} cannot be read: {_said(error)}") from None
    chosen = _choose(features, text, label)
    if chosen.kind in FILES.values():
        kind = getattr(datasets, next(key for key, value in FILES.items() if value == chosen.kind))
        loaded = loaded.cast_column(chosen.content, kind(decode=False))
    return PublicSet(name, split, chosen, loaded)


def push(project: Pushing, found: PublicSet, most: int | None, progress: Callable[[int], Any] | None) -> Report:
    """Push a set's rows, some hundred at once; files go first, and one that is refused is named with its row."""
    kind, modality = found.chosen.kind, project.card["modality"]
    if kind != modality:
        words = f"{found.name} holds items of {kind}, the project of {modality}"
        raise LabelwiseError(0, "WrongModality", f"{words}: name the column with text=, or make another project")
    total, rows = Report(), islice(found.items(), most)
    for first in count(0, ROWS_AT_ONCE):
        some = list(islice(rows, ROWS_AT_ONCE))
        if not some:
            break
        refused: list[dict[str, Any]] = []
        for line, row in enumerate(some, start=1):
            if "file" in row:
                refused += [{"line": line, "key": row["key"], **each} for each in _store(project, row, kind)]
        left_out = {each["key"] for each in refused}
        report = project.push([row for row in some if row["key"] not in left_out], create_classes=True)
        report = report.plus(Report(rejected_count=len(refused), rejected=refused))
        total = total.plus(report, lines_before=first)
        if progress is not None:
            progress(len(some))
    return total


def _store(project: Pushing, row: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Put the stored file in the place of a row's bytes; what was refused, where it was."""
    stored, refused = project.upload(*row.pop("file"))
    if stored:
        row[kind] = stored[0]["id"]
        return []
    return [{"error": each["error"]} for each in refused[:1]]


def _library() -> Any:
    try:
        import datasets
    except ImportError:
        raise LabelwiseError(0, "NotInstalled", f"public data sets need the library datasets: {INSTALL}") from None
    return datasets


def _choose(features: Mapping[str, Any], text: str | None, label: str | None) -> Chosen:
    kinds = {column: type(feature).__name__ for column, feature in features.items()}
    for wanted in (text, label):
        if wanted is not None and wanted not in features:
            raise LabelwiseError(0, "NoSuchColumn", f"there is no column {wanted!r}; there are {', '.join(features)}")
    names = {column: list(features[column].names) for column, kind in kinds.items() if kind == "ClassLabel"}
    if label is None:
        label = next((each for each in LABELS if each in features), next(iter(names), None))
    file = next((column for column, kind in kinds.items() if kind in FILES), None)
    if text is None and file is not None:
        return Chosen(FILES[kinds[file]], file, label, names)
    if text is None:
        strings = [column for column in features if _is_text(features[column]) and column != label]
        text = next((each for each in TEXTS if each in strings), strings[0] if len(strings) == 1 else None)
    return Chosen("text" if text else "table", text, label, names)


def _is_text(feature: Any) -> bool:
    return str(getattr(feature, "dtype", "")) in ("string", "large_string")


def _item(key: str, row: dict[str, Any], chosen: Chosen) -> dict[str, Any]:
    for column, names in chosen.names.items():
        number = row.get(column)
        row[column] = names[number] if isinstance(number, int) and 0 <= number < len(names) else None
    label = row.pop(chosen.label, None) if chosen.label else None
    found: dict[str, Any] = {"key": key} | ({} if label in (None, "") else {"label": label})
    if chosen.content is None:
        return found | {"row": row}
    content = row.pop(chosen.content)
    metadata = {column: value for column, value in row.items() if isinstance(value, str | int | float | bool)}
    found |= {"metadata": metadata} if metadata else {}
    if chosen.kind == "text":
        return found | {"text": content}
    return found | {"file": (f"{key}.{ENDINGS[chosen.kind]}", _bytes_of(content))}


def _bytes_of(content: Any) -> bytes:
    """The file of a row: with its bytes, or with the path of a local one."""
    if not isinstance(content, dict):
        return b""
    if content.get("bytes") is not None:
        return bytes(content["bytes"])
    with open(content["path"], "rb") as file:
        return file.read()


def _said(error: Exception) -> str:
    first = str(error).strip().splitlines()
    return (first[0] if first else type(error).__name__)[:300]
