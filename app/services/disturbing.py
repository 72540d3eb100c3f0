"""What disturbed items cost the current learner: a job of low priority behind a round, kept in the round's metrics.

It is asked for when the labels have grown by a quarter since the last look. No order waits for it: a round goes first,
and it works in slices, a kind of disturbance or a column each where that takes long.
"""

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core.arrays import Floats, Indices
from app.core.block import Block
from app.core.errors import InvalidPayload
from app.core.pictures import small
from app.db import FeatureSet, Item, Project, Round, WriteSession
from app.evaluation.robustness import FEWEST, loss
from app.featurizers import make_featurizer, options_of
from app.featurizers.columns import Columns
from app.loop.executors import one_thread
from app.loop.propose import Plan
from app.loop.robust import Judged, judges
from app.modalities import disturbances
from app.services import auditing, features, opening, outside, pool, records, tasks, turn
from app.services.borrowing import Files
from app.services.jobs import Done, More, Running
from app.services.labels import LabelledItem, label_set
from app.services.turn_state import Turn, labelled_rows

MOST, MOST_FILES = 300, 60  # judges
SLICE_SECONDS = 2.0
AT_ONCE = 500
PLAIN, COLUMN = "plain", "column"
MOST_COLUMNS = 60
LONGEST_NAME = 80  # characters of a column that are told, as where a row is refused


def run(running: Running) -> Done | More:
    """Disturb the judges in the next ways, and store what all ways found with the newest evaluated round."""
    loaded = _load(running)
    if loaded is None:
        return Done({"skipped": "no learner of ours runs"})
    project, prepared = loaded
    kinds = disturbances.KINDS.get(project.modality, {})
    lack = _lack(running, prepared, project)
    found: dict[str, Any] = {}
    if lack is None:
        with one_thread():
            tried = _Trial(running, project, prepared)
            if tried.count < FEWEST:
                return Done({"skipped": f"{tried.count} of {FEWEST} judges"})
            until = time.monotonic() + SLICE_SECONDS
            for _ in tried.steps(kinds):
                if time.monotonic() > until:
                    return _go_on(running, tried)
            found = tried.found
    told: dict[str, Any] = {"labels": len(opening.taught(prepared.labels.items)), "lack": lack}
    told["kinds"] = [
        {"name": name, "words": kinds[name]} | found[name] | {"broken": len(found[name]["broken"])}
        for name in kinds
        if name in found
    ]
    with running.db.write() as session:
        running.checkpoint(session)
        _keep(session, project.id, told, {name: each["broken"] for name, each in found.items()})
    return Done({"kinds": len(found)})


def _go_on(running: Running, tried: "_Trial") -> More:
    with running.db.write() as session:
        running.checkpoint(session, cursor={"tried": tried.found, "columns": tried.without})
    return More()


class _Trial:
    """The judges with their models, the featurizer that describes disturbed items, and what was found so far.

    `found` is by kind; `without` says of some columns which share is right where that one is left out.
    """

    def __init__(self, running: Running, project: Project, prepared: Turn) -> None:
        self._running, self._project, self._plan = running, project, prepared.plan
        cursor = running.cursor or {}
        self.found: dict[str, Any] = dict(cursor.get("tried", {}))
        self.without: dict[str, float] = dict(cursor.get("columns", {}))
        with running.db.read() as session:
            name = session.get_one(FeatureSet, prepared.features.set_id).name
        self._featurizer = make_featurizer(name, options_of(name, project.featurizer, running.settings.text_encoder))
        self._state = self._featurizer.load(prepared.features.folder / "state")
        tests = _tests(prepared)
        taught = labelled_rows(prepared, opening.taught(prepared.labels.items))
        heldout = labelled_rows(prepared, tests) if len(tests) >= FEWEST else None
        self._judged = judges(taught, heldout, self._plan, MOST_FILES if project.modality == "image" else MOST)
        self.count = sum(len(each.rows) for each in self._judged)

    def steps(self, kinds: Iterable[str]) -> Iterator[None]:
        """Try what was not tried yet, one way or one column a step."""
        for kind in kinds:
            if kind in self.found:
                continue
            for column in self._columns[:MOST_COLUMNS] if kind == COLUMN else ():
                if column not in self.without:
                    self.without[column] = float(self._left_out(column).mean())
                    yield
            self.found[kind] = self._worst() if kind == COLUMN else self._told(self._right(kind))
            yield

    def _worst(self) -> dict[str, Any]:
        """The column that costs most to leave out; the interval is wide enough to hold those of all columns."""
        count, every = len(self.without), len(self._columns)
        if not count:
            return self._told(self._plain) | {"words": "no row has a column"}
        column = min(self.without, key=lambda name: self.without[name])
        told = self._told(self._left_out(column), of=count)
        some = f"{count} columns" if count >= every else f"the first {count} of {every} columns"
        if told["loss"]["value"] <= 0:
            return told | {"words": f"without any one of {some}: none costs anything to be left out"}
        name = column[:LONGEST_NAME]
        return told | {"column": name, "words": f"without {name}, which of {some} costs most to be left out"}

    @cached_property
    def _plain(self) -> Floats:
        return self._right(PLAIN)

    @cached_property
    def _rows(self) -> list[Sequence[Mapping[str, Any]]]:
        return [self._given(each) for each in self._judged]

    @cached_property
    def _columns(self) -> list[str]:
        return disturbances.columns([row for rows in self._rows for row in rows])

    def _left_out(self, column: str) -> Floats:
        blocks = [self._featurizer.transform(disturbances.without(column, rows), self._state) for rows in self._rows]
        right = [each.right(block, self._plan) for each, block in zip(self._judged, blocks, strict=True)]
        return np.concatenate(right)

    def _told(self, disturbed: Floats, of: int = 1) -> dict[str, Any]:
        return {"loss": loss(self._plain, disturbed, of).to_json(), "broken": self._broken(self._plain, disturbed)}

    def _broken(self, plain: Floats, disturbed: Floats) -> list[int]:
        ids = np.concatenate([each.rows.ids[:, 0] for each in self._judged])
        return sorted(int(item) for item in ids[disturbed < plain])

    def _right(self, kind: str) -> Floats:
        return np.concatenate([each.right(self._block(kind, each), self._plan) for each in self._judged])

    def _block(self, kind: str, judged: Judged) -> Block:
        if kind == PLAIN and self._project.modality != "image":
            return judged.rows.block
        content = self._given(judged)
        seeds = [int(each) for each in judged.rows.ids[:, 0]]
        if self._project.modality == "image":
            with tempfile.TemporaryDirectory() as folder:
                paths = _pictures(kind, content, seeds, Path(folder))
                return self._featurizer.transform(paths, self._state)
        if isinstance(self._featurizer, Columns):
            rows = disturbances.tables(kind, content, seeds, self._featurizer.numeric(self._state))
            return self._featurizer.transform(rows, self._state)
        return self._featurizer.transform(disturbances.texts(kind, content, seeds), self._state)

    def _given(self, judged: Judged) -> Sequence[Any]:
        """What the items show, as they are."""
        with self._running.db.read() as session:
            return _content(session, self._running, self._project, judged.rows.ids)


def _pictures(kind: str, content: Sequence[Any], seeds: Sequence[int], folder: Path) -> list[Path | None]:
    """Reduced and disturbed pictures as files; the plain ones are reduced alike, so that nothing else differs.

    None for a file that cannot be read: it has the same vector either way.
    """
    paths: list[Path | None] = []
    for path, seed in zip(content, seeds, strict=True):
        if path is None:
            paths.append(None)
            continue
        try:
            picture = small(path, disturbances.SIDE)
        except (InvalidPayload, OSError):
            paths.append(None)
            continue
        paths.append(folder / f"{seed}.png")
        disturbances.image(kind, picture, seed).save(folder / f"{seed}.png", "PNG")
    return paths


def _content(session: Session, running: Running, project: Project, ids: Indices) -> Sequence[Any]:
    found: dict[int, Any] = {}
    items = [int(each) for each in ids[:, 0]]
    for start in range(0, len(items), AT_ONCE):
        rows = session.execute(
            select(Item.id, Item.project_id, Item.revision, Item.payload).where(
                Item.id.in_(items[start : start + AT_ONCE])
            )
        )
        found |= {row.id: row for row in rows}
    return features.payloads(session, running.settings, project.modality, [found[each] for each in items])


def _load(running: Running) -> tuple[Project, Turn] | None:
    """The project with its labels and features as a round has them; None where no learner of ours runs."""
    assert running.project_id is not None
    with running.db.read() as session:
        project = session.get(Project, running.project_id)
        if project is None or project.deleted_at is not None or outside.is_external(project):
            return None
        vectors = pool.active(session, running.settings, project.id)
        asked = tasks.questions(session, project)
        question, silence = tasks.driving(asked), tasks.silence(asked)
        if vectors is None or silence is not None:
            return None
        class_ids = opening.class_ids_of(session, project.id, question.id)
        labels = label_set(session, project.id, question, class_ids)
    plan: Plan = turn.plan_of(project, question, class_ids, silence, seed=project.seed & 0xFFFFFFFF)
    prepared = Turn(
        project.id, 0, 0, project.modality, class_ids, plan, vectors, labels, None, time.monotonic(), None, None, None
    )
    return project, prepared


def _tests(prepared: Turn) -> list[LabelledItem]:
    """The answered items of the client's own test set."""
    return [each for each in prepared.labels.items if each.imported_test]


def _lack(running: Running, prepared: Turn, project: Project) -> str | None:
    """Why nothing can be disturbed, in words."""
    with running.db.read() as session:
        name = session.get_one(FeatureSet, prepared.features.set_id).name
        if name == "client":
            return "its vectors were pushed, and only who made them could describe disturbed items"
        if project.modality not in disturbances.KINDS:
            return f"items of {project.modality} are not disturbed yet"
        if len(_tests(prepared)) < FEWEST and auditing.judges(session, prepared).chosen:
            return auditing.NO_SAMPLE  # what hard items lose says nothing of the pool
        if project.modality != "image":
            return None
        some = np.array([[each.item_id, 0, 1] for each in prepared.labels.items[:AT_ONCE]], dtype=np.int64)
        held = _content(session, running, project, some.reshape(-1, 3)) if len(some) else []
    return "files in buckets would have to be fetched again" if isinstance(held, Files) else None


def _keep(session: WriteSession, project_id: int, told: dict[str, Any], broken: dict[str, list[int]]) -> None:
    """Put it into the metrics of the newest evaluated round, from where later rounds take it along.

    Which items judge is for managers to know: their ids are in the record.
    """
    row = session.execute(
        select(Round.id, Round.number, Round.metrics)
        .where(Round.project_id == project_id, Round.state == "done", Round.metrics.is_not(None))
        .order_by(Round.number.desc())
        .limit(1)
        .with_for_update()
    ).first()
    if row is not None:
        kept = {**row.metrics, "robustness": {**told, "round": row.number}}
        session.execute(update(Round).where(Round.id == row.id).values(metrics=kept))
        records.keep_broken(session, row.id, broken)
