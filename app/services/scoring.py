"""The job behind a round that waits for a scorer: teach it, ask it about the pool, let the round go on with it all.

It works in slices with a stored cursor, on a thread of the worker of its own, so that a scorer that hangs holds up
neither rounds nor answers. Whatever goes wrong with the scorer stands in the round's words, and it is asked again
later; the last order is served meanwhile. A version counts when all of it is here, as with pushed predictions.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select, update

from app.core.arrays import Indices
from app.db import PredictionSet, Project, Round, ScorerSecret, WriteSession
from app.db.session import now
from app.formats.probabilities import Classes
from app.learners import HTTP, Scorer
from app.services import asking, batches, handover, jobs, opening, outbox, rounds, scored, tasks
from app.services.asking import NotTaught, Said, ScorerFault, Talk
from app.services.jobs import Done, More, Parked, Running, holds
from app.services.scored import Begun
from app.services.shards import ShardWriter
from app.services.versions import set_folder

SLICE_SECONDS = 10.0  # between two commits: what a killed worker asks again
PAUSES_SECONDS = (5, 15, 60, 300, 900)  # after the first, second ... fault in a row; the last one from then on
LEARNING_SECONDS = 3.0  # between two looks at a scorer that is learning
TOLD_AFTER = 3  # faults in a row until webhooks hear of it


class OtherVectors(ScorerFault):
    """The scorer's features are not those of the version that goes on."""


@dataclass(frozen=True)
class Work:
    """What a slice read before it began to ask."""

    project: Project
    round: Round
    scorer: Scorer
    secret: str
    classes: Classes
    class_ids: list[int]
    names: list[str]
    cursor: dict[str, Any]

    @property
    def head(self) -> dict[str, Any]:
        """What stands in every request beside its items."""
        return {
            "project": self.project.slug,
            "round": self.round.number,
            "classes": self.names,
            "multiple": self.classes.several,
        }


def run(running: Running) -> Done | More | Parked:
    """Work one slice: teach, or ask about some items, or let the round go on."""
    work = _load(running)
    if work is None:
        scored.drop(running, running.cursor)
        return Done({"skipped": "no round waits for a scorer"})
    try:
        with asking.talking(running.settings, work.scorer, work.secret) as talk:
            return (_ask if "begun" in work.cursor else _begin)(running, work, talk)
    except NotTaught as fault:
        work.cursor.pop("taught", None)  # it was started anew: it is taught once more
        return _anew(running, work, str(fault))
    except OtherVectors as fault:
        work.cursor["whole"] = True
        return _anew(running, work, str(fault))
    except ScorerFault as fault:
        return _again(running, work, str(fault))


def fail(running: Running, reason: str) -> None:
    """Say on the waiting round that its scoring ended without a result; called by the worker."""
    with running.db.write() as session:
        row = rounds.waiting_for_predictions(session, running.project_id or 0)
        if row is not None and holds(session, running):
            row.sentence = f"Round {row.number} was not scored ({reason}): start a round to ask the scorer again."


def _load(running: Running) -> Work | None:
    """None where no round waits any more, or for something else."""
    assert running.project_id is not None
    with running.db.read() as session:
        project = session.get(Project, running.project_id)
        gone = project is None or project.deleted_at is not None or project.state == "archived"
        if project is None or gone or project.learner.get("name") != HTTP:
            return None
        waiting = rounds.waiting_for_predictions(session, project.id)
        if waiting is None or waiting.number != running.payload.get("round"):
            return None
        question = tasks.driving(tasks.questions(session, project))
        class_ids = opening.class_ids_of(session, project.id, question.id)
        place = {number: column for column, number in enumerate(class_ids)}
        columns = {name: place[number] for name, number in question.aliases.items() if number in place}
        named = {each.id: each.name for each in question.classes}
        secret = session.get(ScorerSecret, project.id)
    options = {name: value for name, value in project.learner.items() if name != "name"}
    cursor = dict(running.cursor or {})
    same = (cursor.get("url"), cursor.get("classes")) == (project.learner.get("url"), class_ids)
    if cursor and not same:
        scored.drop(running, cursor)
    return Work(
        project, waiting, Scorer.of(options), secret.secret if secret else "",
        Classes(len(class_ids), columns, bool(question.options.get("multiple"))), class_ids,
        [named.get(number, str(number)) for number in class_ids],
        cursor if same else {"url": project.learner.get("url"), "classes": class_ids},
    )  # fmt: skip


def _begin(running: Running, work: Work, talk: Talk) -> More | Parked:
    """Teach the scorer if it learns, wait until it has learned, and write down whom to ask about."""
    about = talk.about()
    if about.trains and not work.cursor.get("taught"):
        taught = talk.fit(handover.lesson(running.db, running.settings, work.round, work.head))
        work.cursor["taught"] = True
        about = talk.about()
        if not taught or about.training:
            return _learning(running, work)
    if about.training:
        return _learning(running, work)
    whole = bool(work.cursor.pop("whole", False))
    prepared = scored.prepare(
        running, work.project, work.round, about, work.class_ids, most=work.scorer.most, whole=whole
    )
    with running.db.write() as session:
        begun = scored.record(session, prepared, work.project, work.round, about, work.class_ids)
        running.checkpoint(session, work.cursor | begun.to_json(), _progress(begun))
        _say(session, work, f"{begun.total:,} items are to be scored")
    return More()


def _learning(running: Running, work: Work) -> Parked:
    count = work.round.labels_count
    with running.db.write() as session:
        running.checkpoint(session)
        _say(session, work, f"it is learning from {count:,} labelled items")
        jobs.later(session, running, LEARNING_SECONDS, work.cursor | {"faults": 0}, None)
    return Parked()


def _ask(running: Running, work: Work, talk: Talk) -> Done | More | Parked:
    """Ask about the next items until the slice is over, keep what was said, and with the last of them end."""
    begun = Begun.from_json(work.cursor)
    folder = set_folder(running.settings, work.project.id, begun.folder)
    wanted = scored.wanted(folder)
    if wanted is None:  # it has lain for more than a day and was swept
        scored.drop(running, work.cursor)
        del work.cursor["begun"]
        return _begin(running, work, talk)
    writing = ShardWriter(folder, begun.width)
    deadline = time.monotonic() + SLICE_SECONDS
    fault: ScorerFault | None = None
    try:
        while begun.at < begun.total:
            fault = _one(running, work, talk, wanted, begun, writing)
            if fault is not None or time.monotonic() >= deadline:
                break
        writing.flush()
        done = _keep(running, work, begun, writing, fault)
    except BaseException:
        writing.forget()
        raise
    if fault is not None:
        raise fault
    return done


def _one(
    running: Running, work: Work, talk: Talk, wanted: Indices, begun: Begun, writing: ShardWriter
) -> ScorerFault | None:
    """One request; its rows go to the writer and the place moves on, or the fault is given back."""
    with running.db.read() as session:
        some = wanted[begun.at : begun.at + work.scorer.batch].tolist()
        batch = batches.batch_of(session, running.settings, some)
    silent = batch.taken - len(batch.keys)
    if batch.keys:
        try:
            said = talk.score(work.head, batch.texts, batch.keys, work.classes)
            _take(said, dict(zip(batch.keys, batch.ids, strict=True)), begun, writing)
        except ScorerFault as fault:
            return fault
        silent += len(said.silent)
    begun.silent += silent
    begun.at += batch.taken
    return None


def _take(said: Said, ids: dict[str, Any], begun: Begun, writing: ShardWriter) -> None:
    chunk = said.chunk
    if not chunk.keys:
        return
    width = 0 if chunk.features is None else int(chunk.features.shape[1])
    if writing.width is None:
        writing.width = width
    if width != writing.width:
        kind = OtherVectors if begun.carried else ScorerFault
        raise kind(f"features has {width:,} numbers; those before had {writing.width:,}")
    writing.take(np.array([ids[key] for key in chunk.keys]), chunk.probabilities, chunk.features)


def _keep(running: Running, work: Work, begun: Begun, writing: ShardWriter, fault: ScorerFault | None) -> Done | More:
    """One commit: the shards, the place, the words; and with the last item the version that the round goes on with."""
    begun.width = writing.width
    if writing.rows:
        work.cursor["faults"] = 0
    work.cursor.update(begun.to_json())
    old: list[str] = []
    with running.db.write() as session:
        running.checkpoint(session, work.cursor, _progress(begun))
        writing.name(session, begun.set, now(session))
        stored = {"rows": PredictionSet.rows + writing.rows, "rejected": begun.silent, "width": writing.width}
        session.execute(update(PredictionSet).where(PredictionSet.id == begun.set).values(stored))
        if fault is None and begun.at < begun.total:
            _say(session, work, f"{begun.at:,} of {begun.total:,} items are scored")
        elif fault is None:
            old = _end(session, work, begun)
    if fault is not None or begun.at < begun.total:
        return More()
    scored.clear(running.settings, work.project.id, old)
    return Done({"round": work.round.number, "asked": begun.total, "without_answer": begun.silent})


def _end(session: WriteSession, work: Work, begun: Begun) -> list[str]:
    """Let the round go on; the folders that nobody needs any more."""
    rows = session.execute(select(PredictionSet.rows).where(PredictionSet.id == begun.set)).scalar_one()
    if not rows:
        raise ScorerFault("it said nothing of any item")
    old = scored.complete(session, work.project, begun.set)
    _say(session, work, "all is scored, and the order is being made")
    rounds.run_with(session, work.project.id, begun.set)
    return old


def _anew(running: Running, work: Work, reason: str) -> Parked:
    """What was scored so far is of no use: begin with a version of its own, later."""
    scored.drop(running, work.cursor)
    work.cursor.pop("begun", None)
    return _again(running, work, reason)


def _again(running: Running, work: Work, reason: str) -> Parked:
    """Say what was wrong and try again later; longer from fault to fault."""
    faults = int(work.cursor.get("faults", 0)) + 1
    pause = PAUSES_SECONDS[min(faults, len(PAUSES_SECONDS)) - 1]
    with running.db.write() as session:
        running.checkpoint(session)
        wait = f"{pause} seconds" if pause < 60 else f"{pause // 60} min"
        times = "" if faults == 1 else f", {faults} times in a row"
        _say(session, work, f"{reason}{times}. It is asked again after {wait}")
        if faults == TOLD_AFTER:
            told = {"job": running.id, "reason": f"the scorer at {asking.host(work.scorer.url)}: {reason}"}
            outbox.emit(session, work.project.id, "round.failed", told)
        jobs.later(session, running, pause, work.cursor | {"faults": faults}, reason)
    return Parked()


def _say(session: WriteSession, work: Work, words: str) -> None:
    said = f"Round {work.round.number}, scorer at {asking.host(work.scorer.url)}: {words}. The last order is served."
    session.execute(
        update(Round).where(Round.id == work.round.id, Round.state == "waiting_for_predictions").values(sentence=said)
    )


def _progress(begun: Begun) -> dict[str, Any]:
    fraction = begun.at / begun.total if begun.total else 1.0
    return {"step": "score", "done": begun.at, "total": begun.total, "fraction": round(fraction, 3)}
