"""From the fields of one row of a file to an item that can be stored; pure but for the look-up of classes and files."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import numpy as np

from app.core.errors import AppError, Invalid, InvalidLabel, InvalidPayload
from app.core.settings import Settings
from app.core.text import check_json, check_text, read_json, write_json
from app.modalities import MODALITIES, files
from app.modalities.text import CANDIDATES, check_candidates
from app.services import tasks
from app.task_types import TASK_TYPES
from app.task_types.base import Question

FIELDS = {"key", "metadata", "label", "labels", "features", "split", "priority", "annotator", "state", "reserved"}
# What our own exports add; an import of them passes it over.
PROVENANCE = {
    "id", "item", "seconds_spent", "round", "kind", "origin", "version", "counted", "late", "probability",
    "created_at", "votes", "agreement", "disputed",
}  # fmt: skip
ALLOWED = {name: FIELDS | PROVENANCE | {kind.field} for name, kind in MODALITIES.items()}
NESTED = ("label", "labels", "metadata", "row", "features", CANDIDATES, *files.FIELDS)
LABEL_PART, CANDIDATE_PART = "label.", "candidates."  # how columns begin that are parts of a label, or one candidate
KEY_BYTES = 512
METADATA_DEPTH = 16
SPLITS = {"pool": "pool", "train": "pool", "audit": "audit", "test": "audit"}
PRIORITY_LIMIT = 10**9
WHOLE = re.compile(r"-?[0-9]{1,11}", re.ASCII)


@dataclass(frozen=True)
class ImportedLabel:
    """One label of a row: whose it is, where the file says so, and its stored form."""

    annotator: str | None
    stored: dict[str, Any]
    created_at: datetime | None = None  # when it was given, where the file says so


@dataclass
class PreparedRow:
    """A row that can be stored. `payload` is None for a row that only labels an existing item.

    `content` is the payload as JSON text; `reserved` and `state` are set where one of our own exports says them.
    """

    line: int
    key: str
    payload: dict[str, Any] | None
    content: str
    content_hash: str
    fingerprint: str
    metadata: dict[str, Any] | None
    split: str | None
    priority: int | None
    labels: list[ImportedLabel] = field(default_factory=list)
    features: bytes | None = None
    state: str | None = None
    reserved: bool | None = None

    @property
    def to_fetch(self) -> bool:
        """Whether its file is still to be fetched from an address."""
        payload = self.payload or {}
        return files.file_in(payload) is not None and not files.is_here(payload)


@dataclass(frozen=True)
class Reader:
    """What is needed to read the rows of one import; `asked` are the project's questions."""

    modality: str
    asked: Sequence[Question]
    settings: Settings
    mapping: Mapping[str, str]
    file_of: Callable[[Any], dict[str, Any]]  # a file as the row names it -> what the item holds
    look_up: Callable[[list[Any]], None] = lambda given: None  # files as some rows name them, for `file_of`

    def expect(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Look up at once what these rows name, before each of them is prepared."""
        kind = MODALITIES[self.modality]
        if kind.media is not None:
            named = (row.get(self.mapping.get(kind.field, kind.field)) for row in rows)
            self.look_up([unpacked({kind.field: value})[kind.field] for value in named])

    def prepare(self, line: int, given: Mapping[str, Any]) -> PreparedRow:
        """Check one row. Raises a refusal whose sentence says what is wrong with it."""
        fields = self._fields(given)
        kind = MODALITIES[self.modality]
        payload = self._payload(kind, fields)
        if not fields.keys() <= self._allowed:
            unknown = fields.keys() - self._allowed
            raise Invalid(f"unknown field {sorted(unknown)[0][:80]!r}: map it, or map metadata:* to keep the rest")
        labels = self._labels(fields)
        for label in labels if payload is not None else ():
            tasks.check_item(label.stored, self.asked, payload or {})
        reserved = _flag(fields.get("reserved"))
        content = write_json(payload if CANDIDATES in payload else payload[kind.field]) if payload is not None else ""
        digest = blake2b(content.encode(), digest_size=16).hexdigest()
        key = self._key(fields.get("key"), payload, digest)
        return PreparedRow(
            line=line,
            key=key,
            payload=payload,
            content=content if payload and CANDIDATES in payload else f'{{"{kind.field}":{content}}}',
            content_hash=digest,
            fingerprint=kind.fingerprint(read_of(payload, kind.field)) if payload is not None else "",
            metadata=self._metadata(fields.get("metadata")),
            split="pool" if reserved else _split(fields.get("split")),
            priority=_priority(fields.get("priority")),
            labels=labels,
            features=_features(fields.get("features")),
            state=_state(fields.get("state")),
            reserved=reserved,
        )

    def classes_named(self, given: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The classes that a row's labels name, each with its question; for `create_classes`.

        Raises:
            Invalid: a column that is to be read is not there.
        """
        fields = self._fields(given)
        several = fields.get("labels") if isinstance(fields.get("labels"), list) else None
        labels = [each.get("label") for each in several or [fields] if isinstance(each, dict)]
        return [found for label in labels for found in self._named(label)]

    def _named(self, label: Any) -> Iterator[tuple[str, str]]:
        for question in self.asked:
            if not TASK_TYPES[question.type].named_classes or question.removed:
                continue
            said = label
            if tasks.is_form(self.asked):
                fields = label.get("fields") if isinstance(label, dict) else None
                said = fields.get(question.id) if isinstance(fields, dict) else None
            elif label not in (None, "") and not isinstance(label, dict):
                said = TASK_TYPES[question.type].from_cell(label, question)
            if isinstance(said, dict):
                names = [said["class"]] if "class" in said else said.get("classes")
                for name in names if isinstance(names, list) else ():
                    if isinstance(name, str) and name.strip():
                        yield question.id, name

    @property
    def _allowed(self) -> set[str]:
        return ALLOWED[self.modality] | ({CANDIDATES} if tasks.compares(self.asked) else set())

    def _fields(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return gathered(unpacked(self._mapped(given)), self.asked)

    def _mapped(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if not self.mapping:
            return dict(given)
        fields: dict[str, Any] = {}
        used = set()
        for target, source in self.mapping.items():
            if source != "*" and source in given:
                used.add(source)
                fields[target] = given[source]
        for target, source in self.mapping.items():
            if source == "*":
                fields[target] = {name: value for name, value in given.items() if name not in used}
            elif source not in given:
                raise Invalid(f"there is no column {source[:80]!r}")
        return fields

    def _payload(self, kind: Any, fields: dict[str, Any]) -> dict[str, Any] | None:
        value = fields.get(kind.field)
        if tasks.compares(self.asked) and fields.get(CANDIDATES) not in (None, ""):
            prompt = "" if value in (None, "") else kind.check(value)
            return {kind.field: prompt, CANDIDATES: check_candidates(fields[CANDIDATES])}
        if tasks.compares(self.asked) and value is not None:
            raise InvalidPayload("candidates are missing: the texts that are compared")
        if value is None:
            if "key" in fields and (fields.get("label") or fields.get("labels")):
                return None
            raise InvalidPayload(f"{CANDIDATES if tasks.compares(self.asked) else kind.field} is missing")
        if kind.media is not None:
            value = self.file_of(value)
        return {kind.field: kind.check(value)}

    def _key(self, key: Any, payload: dict[str, Any] | None, digest: str) -> str:
        if key is None or key == "":
            if payload is None:
                raise Invalid("key is missing")
            return digest
        if isinstance(key, int) and not isinstance(key, bool):
            key = str(key)
        if not isinstance(key, str):
            raise Invalid("key is text")
        if len(check_text(key, what="key").encode()) > KEY_BYTES:
            raise Invalid(f"key has more than {KEY_BYTES} bytes")
        return key

    def _metadata(self, value: Any) -> dict[str, Any] | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise Invalid("metadata is an object")
        check_json(value, what="metadata", depth=METADATA_DEPTH)
        if len(write_json(value).encode()) > self.settings.metadata_bytes:
            raise Invalid(f"metadata has more than {self.settings.metadata_bytes:,} bytes")
        return value

    def _labels(self, fields: dict[str, Any]) -> list[ImportedLabel]:
        several = fields.get("labels")
        if several is not None and not isinstance(several, list):
            raise Invalid('labels is a list of {"annotator", "label"}')
        if not several:
            label = fields.get("label")
            if label is None or label == "":
                return []
            several = [{name: fields.get(name) for name in ("label", "annotator", "created_at")}]
        return [self._one_label(each) for each in several]

    def _one_label(self, given: Any) -> ImportedLabel:
        if not isinstance(given, dict) or "label" not in given:
            raise Invalid('labels is a list of {"annotator", "label"}')
        annotator = given.get("annotator")
        if annotator is not None and not isinstance(annotator, str):
            raise Invalid("annotator is text")
        name = check_text(annotator, what="annotator", limit=200) if annotator else None
        return ImportedLabel(name, stored_label(given["label"], self.asked), moment_of(given.get("created_at")))


def stored_label(label: Any, asked: Sequence[Question]) -> dict[str, Any]:
    """The stored form of a label in the API's form, or as one cell of a spreadsheet has it: a class's name alone."""
    if not isinstance(label, dict):
        if tasks.is_form(asked):
            raise InvalidLabel("the label of a form is an object, or has a column a question, as label.topic")
        label = TASK_TYPES[asked[0].type].from_cell(label, asked[0])
    return tasks.check_label(label, asked)


def gathered(fields: dict[str, Any], asked: Sequence[Question]) -> dict[str, Any]:
    """Fields of which several columns are parts put together: `label.topic`, `candidates.0`; empty cells say nothing.

    Raises:
        Invalid: a column of no question, or a whole label beside its parts.
    """
    parts = [name for name in fields if name.startswith((LABEL_PART, CANDIDATE_PART))]
    if not parts:
        return fields
    found = {name: value for name, value in fields.items() if name not in parts}
    given = {name: fields[name] for name in parts if fields[name] not in (None, "")}
    label = {name.removeprefix(LABEL_PART): value for name, value in given.items() if name.startswith(LABEL_PART)}
    if label:
        if found.get("label") not in (None, ""):
            raise Invalid("give a label, or a column a question, not both")
        found["label"] = {"fields": {name: _answer(name, value, asked) for name, value in label.items()}}
    texts = [given[name] for name in sorted(given, key=_place) if name.startswith(CANDIDATE_PART)]
    return {**found, CANDIDATES: texts} if texts else found


def _answer(name: str, value: Any, asked: Sequence[Question]) -> Any:
    question = next((each for each in asked if each.id == name and tasks.is_form(asked)), None)
    if question is None:
        raise Invalid(f"there is no question {name[:63]!r}")
    return value if isinstance(value, dict) else TASK_TYPES[question.type].from_cell(value, question)


def _place(column: str) -> tuple[int, str]:
    """Columns of candidates in the order of their numbers."""
    number = column.rpartition(".")[2]
    return (int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 999, column)


def read_of(payload: Mapping[str, Any], field: str) -> Any:
    """What a featurizer reads of an item: its content, in a comparison the prompt with the candidates."""
    value = payload.get(field)
    if CANDIDATES not in payload:
        return value
    return "\n".join([each for each in (value, *payload[CANDIDATES]) if each])


def parse_mapping(text: str | None) -> dict[str, str]:
    """Read `text:body,label:tag,metadata:*`. Raises Invalid."""
    if not text:
        return {}
    pairs = {}
    for part in text.split(","):
        target, colon, source = part.partition(":")
        if not colon or not target.strip() or not source.strip():
            raise Invalid("map is written as text:body,label:tag,metadata:*", fields={"map": part[:100]})
        pairs[target.strip()] = source.strip()
    return pairs


def refused(error: AppError) -> str:
    """The sentence of a row's refusal."""
    return str(error)[:500]


def unpacked(fields: dict[str, Any]) -> dict[str, Any]:
    """Nested values that a flat file holds as JSON text."""
    for name in NESTED:
        value = fields.get(name)
        if isinstance(value, str) and value.startswith(("{", "[")):
            with suppress(AppError):
                fields[name] = read_json(value.encode("utf-8", "replace"), what=name)
    return fields


def _split(value: Any) -> str | None:
    if value in (None, ""):
        return None
    if not isinstance(value, str) or value not in SPLITS:
        raise Invalid(f"split is one of {', '.join(SPLITS)}")
    return SPLITS[value]


def _state(value: Any) -> str | None:
    if value in (None, ""):
        return None
    if value not in ("open", "excluded", "failed", "fetching"):
        raise Invalid("state is open or excluded")
    return "excluded" if value == "excluded" else None


def _flag(value: Any) -> bool | None:
    if value in (None, ""):
        return None
    found = {"true": True, "false": False}.get(str(value).lower())
    if found is None:
        raise Invalid("reserved is true or false")
    return found


def moment_of(value: Any) -> datetime | None:
    """A moment with its zone, as our exports write it; None for nothing. Raises Invalid."""
    if value in (None, ""):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise Invalid("created_at needs a time zone, as 2026-01-31T12:00:00+00:00")
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Invalid("created_at is a moment, as 2026-01-31T12:00:00+00:00") from None


def _priority(value: Any) -> int | None:
    if value in (None, ""):
        return None
    if isinstance(value, str) and WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > PRIORITY_LIMIT:
        raise Invalid("priority is a whole number")
    return value


def _features(value: Any) -> bytes | None:
    if value is None or value == "":
        return None
    if not isinstance(value, list) or not 0 < len(value) <= 4096:
        raise Invalid("features is a list of 1 to 4,096 numbers")
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in value):
        raise Invalid("features holds something that is not a number")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        vector = np.asarray(value, dtype="<f4")
    if not np.isfinite(vector).all():
        raise Invalid("features holds a number that is not finite as 32-bit float")
    return vector.tobytes()
