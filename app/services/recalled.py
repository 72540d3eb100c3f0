"""A round as it was: its plan, its answers, its features and its terms, put together again from its record.

Answers are only ever added to, so a round's own versions of them can be had again after they were changed. What cannot
be had again is said: erased items, removed models and features, a part of a large pool.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from app.core.errors import Conflict
from app.core.settings import Settings
from app.db import Annotation, Database, FeatureSet, FeatureShard, Item, Project, Round, RoundRecord, is_newest
from app.evaluation.guard import Guard
from app.evaluation.saved import Saved
from app.features import ShardInfo
from app.learners import GivenModel, Model
from app.loop.auditing import BY_CHANCE
from app.loop.evaluate import Peek
from app.loop.pricing import Pricing
from app.loop.propose import Plan
from app.services import aiming, answered, costs, opening, pool, records, tasks, versions
from app.services.labels import LabelledItem, LabelSet, combined, label_set, rows_of
from app.services.measuring import Terms
from app.services.turn_state import Turn
from app.task_types import Question

KEYS_SHOWN = 10


@dataclass(frozen=True)
class Recalled:
    """A round that can be run again, what it is compared with, and what changed since that it does not depend on."""

    turn: Turn
    terms: Terms
    row: Round
    record: RoundRecord
    changed: list[str]


def recall(
    db: Database, session: Session, settings: Settings, project: Project, number: int, *, current: bool
) -> Recalled:
    """A round with the answers that it knew, or with `current` ones to the same items.

    Raises:
        Conflict: it cannot be had again, with every reason.
    """
    row, record = _found(session, project, number)
    recipe = record.recipe
    missing: list[str] = []
    question = replace(
        tasks.driving(tasks.questions(session, project)),
        merged={int(each): into for each, into in recipe["merged"].items()},
    )
    features = _features(session, settings, project, row, recipe, missing)
    warm = _warm(session, settings, project, row, recipe, missing)
    version = versions.opened(session, settings, recipe["predictions"], row.class_ids)
    if recipe["predictions"] is not None and version is None:
        missing.append("the predictions of the outside model that it used are gone")
    ids = sorted(set(row.labels) ^ set(recipe["others"]))
    labels = _labels(session, project, question, row.class_ids, ids, recipe["newest"], missing)
    if recipe["parted"]:
        missing.append("it looked at a part of a large pool, which is not kept")
    if row.erased:
        missing.append(f"{row.erased} of the items that it learned from were erased since")
    pool_of = features if version is None or version.features is None else version.features
    if missing or pool_of is None:
        raise Conflict(f"round {number} cannot be run again: {'; '.join(missing) or 'its features are gone'}")
    changed = _changed(session, project, row, record, ids)
    if current:
        labels = _as_now(session, project, question, row.class_ids, labels)
    given = GivenModel(len(row.class_ids), recipe["plan"]["multiple"]) if version is not None else None
    plan = _plan(project, row, recipe, warm, given)
    turn = Turn(
        project.id, row.id, row.number, project.modality, row.class_ids, plan,
        pool_of, labels, records.unpacked(record.left_out), 0.0, version, None, recipe["silence"],
        Guard.from_json(recipe["guard"]), pricing=_pricing(db, session, project, recipe), merged=question.merged,
        aimed=aiming.of(db, session, project.id, plan.strategy, plan.strategy_parameters),
    )  # fmt: skip
    return Recalled(turn, _terms(record, turn.guard), row, record, changed)


def _found(session: Session, project: Project, number: int) -> tuple[Round, RoundRecord]:
    row = session.execute(
        select(Round).where(Round.project_id == project.id, Round.number == number)
    ).scalar_one_or_none()
    if row is None:
        raise Conflict(f"there is no round {number}")
    record = records.of_round(session, row.id)
    if record is None:
        why = f"it is {row.state} and published no order" if row.published_at is None else "an earlier release ran it"
        raise Conflict(f"round {number} cannot be run again: {why}")
    return row, record


def _plan(project: Project, row: Round, recipe: dict[str, Any], warm: Model | None, given: Model | None) -> Plan:
    kept = dict(recipe["plan"])
    values = kept.pop("values")
    return Plan(
        classes=tuple(row.class_ids),
        modality=project.modality,
        seed=row.seed,
        values=None if values is None else tuple(values),
        warm=warm,
        given=given,
        **kept,
    )


def _pricing(db: Database, session: Session, project: Project, recipe: dict[str, Any]) -> Pricing | None:
    """How candidates were weighed by cost, by the times that were known then."""
    if recipe["cost_exponent"] is None:
        return None
    times = costs.known(session, project, recipe["newest"])
    return replace(costs.pricing(db, project, times), exponent=recipe["cost_exponent"])


def _terms(record: RoundRecord, guard: Guard) -> Terms:
    kept = record.judged or {}
    audits = replace(BY_CHANCE, chooses=kept.get("chooses", False))
    if spoken := kept.get("spoken"):
        audits = replace(audits, **{**spoken, "told": np.array(spoken["told"], dtype=np.int64)})
    return Terms(Peek(kept.get("look", 1), kept.get("population"), audits), guard, Saved.from_json(kept.get("saved")))


def _features(
    session: Session, settings: Settings, project: Project, row: Round, recipe: dict[str, Any], missing: list[str]
) -> pool.FeaturePool | None:
    """The feature set of the round with the shards that it had then, in their order."""
    if row.featurizer.startswith("predictions-"):
        return pool.active(session, settings, project.id)  # those that came with the predictions take their place
    found = session.execute(
        select(FeatureSet).where(FeatureSet.project_id == project.id, FeatureSet.version == row.featurizer)
    ).scalar_one_or_none()
    if found is None:
        missing.append(f"its features ({row.featurizer}) are gone")
        return None
    rows = session.execute(
        select(FeatureShard).where(FeatureShard.feature_set_id == found.id).order_by(FeatureShard.id)
    ).scalars()
    known = {each.name: ShardInfo(each.name, each.rows, each.checksum, each.bytes, each.sparse) for each in rows}
    gone = [name for name in recipe["shards"] if name not in known]
    if gone:
        missing.append("items of its pool were erased, or its features made anew, since")
    shards = [known[name] for name in recipe["shards"] if name in known]
    folder = pool.feature_folder(settings, project.id, found.version)
    return pool.FeaturePool(found.id, found.version, found.sentence, folder, shards)


def _warm(
    session: Session, settings: Settings, project: Project, row: Round, recipe: dict[str, Any], missing: list[str]
) -> Model | None:
    """The model whose weights the round began from."""
    if not recipe["warm"]:
        return None
    file = session.execute(select(Round.model_file).where(Round.id == row.warm_round_id)).scalar_one_or_none()
    model = None if file is None else opening.model_of(settings, project.id, file)
    if model is None:
        missing.append("the model that it began from is gone")
    return model


def _labels(
    session: Session,
    project: Project,
    question: Question,
    class_ids: list[int],
    ids: list[int],
    newest: int,
    missing: list[str],
) -> LabelSet:
    """The labelled items as the round read them: of each item the newest versions of its answers up to `newest`."""
    newer = aliased(Annotation)
    own = select(Annotation.item_id).where(answered.one_of(session, Annotation.id, ids))
    rows = session.execute(
        rows_of(project.id).where(
            Annotation.item_id.in_(own),
            Annotation.id <= newest,
            ~select(newer.id)
            .where(newer.answer_id == Annotation.answer_id, newer.version > Annotation.version, newer.id <= newest)
            .exists(),
        )
    ).all()
    # What was answered to earlier content did not count then either, so each item's newest content of then is meant.
    content = {row.item_id: row.item_revision for row in rows if row.id in set(ids)}
    found = combined([row for row in rows if row.item_revision == content.get(row.item_id)], question, class_ids)
    labels = LabelSet(found, newest)
    if labels.annotation_ids != ids:
        apart = len(set(labels.annotation_ids) ^ set(ids))
        missing.append(f"{apart:,} of its answers cannot be had again as they were: erased with their items, or moved")
    return labels


def _as_now(session: Session, project: Project, question: Question, class_ids: list[int], labels: LabelSet) -> LabelSet:
    """What is answered now to the items that the round knew answers to."""
    known = {(each.item_id, each.unit) for each in labels.items}
    found = label_set(session, project.id, question, class_ids)
    kept: list[LabelledItem] = [each for each in found.items if (each.item_id, each.unit) in known]
    return LabelSet(kept, found.newest_annotation)


def _changed(session: Session, project: Project, row: Round, record: RoundRecord, ids: list[int]) -> list[str]:
    """What is no longer as it was, in words; the replay goes by what was, unless it is asked to go by what is."""
    said = []
    corrected = list(
        session.execute(
            select(Item.key)
            .join(Annotation, Annotation.item_id == Item.id)
            .where(
                answered.one_of(session, Annotation.id, ids),
                ~is_newest(),
            )
            .distinct()
            .order_by(Item.key)
        ).scalars()
    )
    if corrected:
        said.append(f"answers of {_keys(corrected)} were changed or taken back since")
    kept = record.recipe["plan"]
    if aiming.asks(kept["strategy"], kept["strategy_parameters"]):
        said.append("it went by examples or by metadata, which are read as they are now")
    now = records.versions()
    then = record.recipe["versions"]
    other = [
        f"{name} {then.get(name)} then, {now.get(name)} now"
        for name in {**then, **now}
        if then.get(name) != now.get(name)
    ]
    if other:
        said.append(f"versions differ ({', '.join(other)}), so numbers may differ in their last digits")
    if row.task_version != project.task_version:
        said.append(f"the task is of version {project.task_version} now, {row.task_version} then")
    settings = {"strategy": row.strategy.get("name"), "learner": row.learner.get("name")}
    for name, then_ in settings.items():
        if getattr(project, name).get("name") not in (then_, None):
            said.append(f"the {name} is {getattr(project, name)['name']} now, {then_} then")
    return said


def _keys(keys: list[str]) -> str:
    shown = ", ".join(keys[:KEYS_SHOWN])
    items = "1 item" if len(keys) == 1 else f"{len(keys):,} items"
    return f"{items} ({shown}{', ...' if len(keys) > KEYS_SHOWN else ''})"
