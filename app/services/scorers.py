"""Scorers in a project's settings: their address and secret, and a test with a few items."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.addresses import Allowed
from app.core.errors import Conflict, Invalid
from app.core.secrets import new_secret
from app.core.settings import Settings
from app.core.text import check_json, check_text, fold, write_json
from app.db import Database, Item, Project, ScorerSecret, WriteSession
from app.db.session import now
from app.formats.probabilities import Classes
from app.learners import HTTP, Scorer
from app.services import asking, audit, batches, opening, tasks
from app.services.access import Person, project_for
from app.services.asking import NotTaught, ScorerFault

TESTED = 3
LOOKED_AT = 20  # items, for so many that have what can be sent
TEST_SECONDS = 30.0  # whatever the setting: somebody waits
SECRET_CHARACTERS = 16, 200
MOST_CLASSES = 1_000


@dataclass(frozen=True)
class Tested:
    """What came of a test: `fault` in words, or what the scorer said of each item, most probable class first."""

    seconds: float
    fault: str | None = None
    trains: bool | None = None
    version: str | None = None
    features: int = 0
    items: list[dict[str, Any]] = field(default_factory=list)


def split(settings: Settings, learner: dict[str, Any] | None) -> tuple[dict[str, Any] | None, str | None]:
    """A learner's setting as it is stored, and the secret that came with it; both None where none was given.

    Raises:
        AddressRefused, Invalid: the address may not be called, or the secret is too short or too long.
    """
    if not learner or learner.get("name") != HTTP:
        return learner, None
    rest = {name: value for name, value in learner.items() if name != "secret"}
    checked = Scorer.of({name: value for name, value in rest.items() if name != "name"})
    asking.check_address(checked.url, Allowed.parse(settings.allow_fetch_from))
    return rest, _checked_secret(learner.get("secret"))


def keep(session: WriteSession, project: Project, secret: str | None) -> None:
    """Store the secret that came with a project's learner; one is made where a scorer has none."""
    if project.learner.get("name") != HTTP:
        return
    if secret is None and session.get(ScorerSecret, project.id) is not None:
        return
    _store(session, project.id, secret or new_secret("scsec_"))


def seen_by(project: Project, role: str) -> dict[str, Any]:
    """A project's learner as somebody may see it: a scorer's address, which may be good for more, is the managers'."""
    hidden = project.learner.get("name") == HTTP and role != "manager"
    return {"name": HTTP} if hidden else project.learner


def renew(session: WriteSession, person: Person, ref: int | str) -> str:
    """Make a new secret, which is shown this once; requests are signed with it from now on.

    Raises:
        Conflict: the project has no scorer.
    """
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    if project.learner.get("name") != HTTP:
        raise Conflict("this project asks no scorer: set learner to http first")
    secret = new_secret("scsec_")
    _store(session, project.id, secret)
    audit.record(session, "scorer.secret", person.id, project_id=project.id)
    return secret


def test(db: Database, settings: Settings, person: Person, ref: int | str, learner: dict[str, Any] | None) -> Tested:
    """Send three items of a project to its scorer, or to one that is not stored yet; nothing is kept.

    Raises:
        Conflict: there is no scorer to be tested, no class, or no item to send.
        AddressRefused, Invalid: the given one is not allowed.
    """
    person.need("manage")
    with db.read() as session:
        project = project_for(session, person, ref, "manager")
        given, secret = split(settings, learner)
        wanted = given or project.learner
        if wanted.get("name") != HTTP:
            raise Conflict("this project asks no scorer: give the learner that is to be tested")
        stored = session.get(ScorerSecret, project.id)
        question = tasks.driving(tasks.questions(session, project))
        ids = opening.class_ids_of(session, project.id, question.id)
        names = {each.id: each.name for each in question.classes}
        batch = batches.batch_of(session, settings, _some(session, project.id))
    if not batch.keys or not ids:
        raise Conflict("there is nothing to test with: push some items, and add classes")
    place = {number: column for column, number in enumerate(ids)}
    columns = {name: place[number] for name, number in question.aliases.items() if number in place}
    classes = Classes(len(ids), columns, bool(question.options.get("multiple")))
    head = {"project": project.slug, "classes": [names[number] for number in ids], "multiple": classes.several}
    signing = secret or (stored.secret if stored else new_secret())
    return _asked(settings, wanted, signing, head, batch.keys[:TESTED], batch.texts[:TESTED], classes)


def test_before(
    settings: Settings,
    person: Person,
    learner: dict[str, Any],
    items: Sequence[dict[str, Any]],
    class_names: Sequence[str],
    several: bool,
) -> Tested:
    """The same for a project that is not made yet, with the caller's own items and classes.

    Raises:
        AddressRefused, Invalid: the scorer, an item or a class is not allowed.
    """
    person.need("manage")
    given, secret = split(settings, learner)
    if given is None or given.get("name") != HTTP:
        raise Invalid('learner is a scorer: {"name": "http", "url": "..."}', fields={"learner": "http"})
    if not 1 <= len(items) <= TESTED or not 1 <= len(class_names) <= MOST_CLASSES:
        raise Invalid(f"1 to {TESTED} items and 1 to {MOST_CLASSES:,} classes are tested", fields={"items": len(items)})
    check_json(list(items), what="items")
    names = [check_text(each, what="class", limit=200) for each in class_names]
    keys = [str(place + 1) for place in range(len(items))]
    shown = [{name: value for name, value in item.items() if name in ("text", "row")} for item in items]
    texts = [write_json({"key": key, **item}).encode() for key, item in zip(keys, shown, strict=True)]
    classes = Classes(len(names), {fold(name): column for column, name in enumerate(names)}, several)
    head = {"project": "", "classes": names, "multiple": several}
    return _asked(settings, given, secret or new_secret(), head, keys, texts, classes)


def _asked(
    settings: Settings,
    learner: Mapping[str, Any],
    secret: str,
    head: dict[str, Any],
    keys: list[str],
    texts: list[bytes],
    classes: Classes,
) -> Tested:
    begun = time.monotonic()
    options = {name: value for name, value in learner.items() if name != "name"}
    options["timeout_seconds"] = min(options.get("timeout_seconds", TEST_SECONDS), TEST_SECONDS)
    about = None
    try:
        with asking.talking(settings, Scorer.of(options), secret) as talk:
            about = talk.about()
            said = talk.score({**head, "round": None, "test": True}, texts, keys, classes)
    except ScorerFault as fault:
        took = round(time.monotonic() - begun, 3)
        if about is None:
            return Tested(took, str(fault))
        waits = isinstance(fault, NotTaught) and about.trains  # a round teaches it first
        return Tested(took, None if waits else str(fault), about.trains, about.version)
    rows = dict(zip(said.chunk.keys, said.chunk.probabilities.tolist(), strict=True))
    width = 0 if said.chunk.features is None else int(said.chunk.features.shape[1])
    items = [{"key": key, "probabilities": _ranked(rows.get(key), head["classes"])} for key in keys]
    return Tested(round(time.monotonic() - begun, 3), None, about.trains, about.version, width, items)


def _ranked(row: list[float] | None, names: list[str]) -> dict[str, float] | None:
    if row is None:
        return None
    best = sorted(zip(row, names, strict=True), key=lambda each: -each[0])
    return {name: round(value, 5) for value, name in best}


def _some(session: Session, project_id: int) -> list[int]:
    rows = select(Item.id).where(Item.project_id == project_id, Item.state == "open").order_by(Item.id)
    return list(session.execute(rows.limit(LOOKED_AT)).scalars())


def _store(session: WriteSession, project_id: int, secret: str) -> None:
    row = session.get(ScorerSecret, project_id)
    if row is None:
        session.add(ScorerSecret(project_id=project_id, secret=secret, created_at=now(session)))
    else:
        row.secret, row.created_at = secret, now(session)
    session.flush()


def _checked_secret(given: Any) -> str | None:
    if given is None or given == "":
        return None
    least, most = SECRET_CHARACTERS
    if not isinstance(given, str) or not least <= len(check_text(given, what="secret")) <= most:
        raise Invalid(
            f"learner.secret has {least} to {most} characters, or leave it out", fields={"learner.secret": "length"}
        )
    return given
