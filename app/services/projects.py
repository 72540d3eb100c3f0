"""Projects: made, listed, changed, deleted and brought back; their members."""

import re
import secrets
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.core.block import Block
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, VersionMismatch
from app.core.text import check_text, fold
from app.db import Member, Project, ProjectClass, Serving, User, WriteSession
from app.db.session import now
from app.featurizers import FEATURIZERS, make_featurizer
from app.learners import EXTERNAL, HTTP, LEARNERS, OUTSIDE, Scorer, make_learner
from app.loop.pricing import by_cost
from app.modalities import MODALITIES
from app.services import (
    aiming,
    audit,
    goal,
    guidelines,
    leases,
    links,
    reaching,
    retask,
    rounds,
    sessions,
    slices,
    tasks,
)
from app.services.access import Person, project_for
from app.strategies import AUTO, KINDS, OF_OUR_LEARNER, Need, catalogue, make_strategy
from app.task_types.parsing import parse_task

STATES = ("open", "paused", "closed", "archived")
MAY_BE_EMPTY = ("goal", "round_size")


def create(session: WriteSession, person: Person, given: dict[str, Any]) -> Project:
    """Make a project; the person becomes its manager. Everything but name, modality and task has a default.

    Raises:
        Invalid: a value is not allowed; the fields are named.
    """
    person.need("manage")
    if person.token_project is not None:
        raise Forbidden("this token is bound to another project")
    if given["modality"] not in MODALITIES:
        names = ", ".join(MODALITIES)
        raise Invalid(f"modality is one of {names}", fields={"modality": given["modality"][:50]})
    name = checked_name(given["name"])
    task, classes = parse_task(given["task"])
    retask.check_modality(task, given["modality"])
    settings = {
        key: check_plugin(key, given.get(key) or {"name": AUTO}, given["modality"])
        for key in ("strategy", "learner", "featurizer")
    }
    check_together(settings["strategy"], settings["learner"])
    moment = now(session)
    project = Project(
        name=name,
        slug=free_slug(session, given.get("slug"), name),
        modality=given["modality"],
        task=task,
        seed=given.get("seed") if given.get("seed") is not None else secrets.randbits(62),
        created_at=moment,
        updated_at=moment,
        **settings,
        **{key: given[key] for key in SIMPLE if given.get(key) is not None},
    )
    check_question(project.strategy, tasks.driving_spec(project))
    check_cost(project.strategy, given.get("cost_exponent") or 0)
    check_audit(project)
    session.add(project)
    session.flush()
    goal.check_day(project, None, moment)
    session.add(Serving(project_id=project.id))
    guidelines.begin(session, project, person.id)
    session.add(Member(project_id=project.id, user_id=person.id, role="manager", created_at=moment))
    for number, spec in enumerate(classes, start=1):
        session.add(ProjectClass(project_id=project.id, number=number, position=number, aliases=[], **spec))
    audit.record(session, "project.created", person.id, project_id=project.id)
    session.flush()
    return project


SIMPLE = (
    "round_size", "overlap", "audit_share", "audit_use", "audit_choice", "audit_estimate", "cost_exponent",
    "blind_share", "guidelines", "goal", "stream", "time_zone",
)  # fmt: skip


def listed(session: Session, person: Person, limit: int | None = None, before: int | None = None) -> Sequence[Project]:
    """The projects that the person may see, newest first; `before` is an id."""
    statement = select(Project).where(Project.deleted_at.is_(None)).order_by(Project.id.desc())
    if not person.admin:
        mine = select(Member.project_id).where(Member.user_id == person.id)
        statement = statement.where(Project.id.in_(mine))
    if person.token_project is not None:
        statement = statement.where(Project.id == person.token_project)
    if before is not None:
        statement = statement.where(Project.id < before)
    return session.execute(statement.limit(limit)).scalars().all()


def change(
    session: WriteSession, person: Person, ref: int | str, changes: dict[str, Any], version: int | None
) -> Project:
    """Change settings. Raises VersionMismatch when somebody changed them in the meantime."""
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    session.refresh(project, with_for_update=True)  # two changes of one version at once: the second one is refused
    if version is not None and project.version != version:
        raise VersionMismatch(f"the newest version is {project.version}")
    _check_changes(changes, project.modality)
    check_together(changes.get("strategy", project.strategy), changes.get("learner", project.learner))
    check_cost(changes.get("strategy", project.strategy), changes.get("cost_exponent", project.cost_exponent))
    fields = sorted(changes)
    if "task" in changes:
        retask.change(session, project, changes.pop("task"))
    was, aim = project.learner, project.goal
    if "guidelines" in changes and changes["guidelines"] != project.guidelines:
        guidelines.change(session, project, changes["guidelines"], person.id, now(session))
    reaching.change(session, project, changes.pop("audit_share", project.audit_share))
    for key, value in changes.items():
        setattr(project, key, value)
    if "strategy" in fields:
        check_question(project.strategy, tasks.driving_spec(project))
        aiming.check(session, project.id, project.strategy)
    goal.check_day(project, aim, now(session))
    check_audit(project)
    if project.learner != was:
        rounds.learner_changed(session, project.id)
    if "audit_choice" in fields:
        rounds.make_due(session, project.id)  # until then nothing says which audit items come first
    audit.record(session, "project.changed", person.id, project_id=project.id, fields=fields)
    touch(session, project)
    return project


def _check_changes(changes: dict[str, Any], modality: str) -> None:
    """Replace each setting by its checked form; raise Invalid for the first that is not allowed."""
    if empty := sorted(key for key, value in changes.items() if value is None and key not in MAY_BE_EMPTY):
        raise Invalid(f"{empty[0]} is not null", fields=dict.fromkeys(empty, "not null"))
    if "name" in changes:
        changes["name"] = checked_name(changes["name"])
    if changes.get("state", "open") not in STATES:
        raise Invalid(f"state is one of {', '.join(STATES)}", fields={"state": "unknown"})
    for key in ("strategy", "learner", "featurizer"):
        if key in changes:
            changes[key] = check_plugin(key, changes[key], modality)


def role_in(session: Session, person: Person, project: Project) -> str:
    """The person's role in a project that the person may see."""
    member = None if person.admin else session.get(Member, (project.id, person.id))
    return member.role if member else "manager"


def members(
    session: Session, person: Person, ref: int | str, limit: int | None = None, behind: tuple[str, int] | None = None
) -> list[dict[str, Any]]:
    """Who works on a project, by name, for its managers; `behind` is a name with its id."""
    project = project_for(session, person, ref, "manager")
    statement = (
        select(User.id, User.name, Member.role, Member.slice, Member.created_at)
        .join(User, User.id == Member.user_id)
        .where(Member.project_id == project.id)
        .order_by(User.name, User.id)
        .limit(limit)
    )
    if behind is not None:
        statement = statement.where(tuple_(User.name, User.id) > tuple_(*behind))
    return [
        {"id": row.id, "user": row.name, "role": row.role, "slice": row.slice, "since": row.created_at}
        for row in session.execute(statement)
    ]


UNCHANGED = object()


def set_member(
    session: WriteSession,
    person: Person,
    ref: int | str,
    user: int | str,
    role: str | None,
    slice_: Any = UNCHANGED,
) -> bool:
    """Add a person by name, or change the role or the slice; whether the person is new. The last manager stays one.

    Whose role changes signs in again.

    By number only a member is found. A role of None stays what it is; a slice is a filter by content, or None for the
    whole pool. Raises NotFound, Invalid, Conflict.
    """
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    given = {} if slice_ is UNCHANGED else {"slice": slices.checked(slice_)}
    if role is not None and role not in ("annotator", "reviewer", "manager"):
        raise Invalid("role is annotator, reviewer or manager", fields={"role": role[:50]})
    wanted = User.id == user if isinstance(user, int) else User.folded_name == fold(user)
    found = session.execute(select(User).where(wanted)).scalar_one_or_none()
    if found is None:
        raise NotFound("there is no such user: invite by link instead")
    member = session.get(Member, (project.id, found.id))
    if member is None and (role is None or isinstance(user, int)):
        raise NotFound("this person is not a member: add them by name")
    audit.record(session, "member.set", person.id, project_id=project.id, user=found.id, role=role, **given)
    if member is None:
        session.add(Member(project_id=project.id, user_id=found.id, role=role, created_at=now(session), **given))
        return True
    if role is not None and role != "manager":
        _keep_a_manager(session, member)
        links.end_of(session, found.id, project.id)
    if role is not None and role != member.role:
        member.role = role
        sessions.end_all(session, found.id)
    if given:
        member.slice = given["slice"]
    return False


def remove_member(session: WriteSession, person: Person, ref: int | str, user_id: int) -> None:
    """Take a person out of a project: what the person holds is given back, answers stay, and browsers sign in again."""
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    member = session.get(Member, (project.id, user_id))
    if member is None:
        raise NotFound("this person is not a member")
    _keep_a_manager(session, member)
    session.delete(member)
    sessions.end_all(session, user_id)
    links.end_of(session, user_id, project.id)
    leases.release_of(session, user_id, project.id)
    audit.record(session, "member.removed", person.id, project_id=project.id, user=user_id)


def check_plugin(kind: str, given: Any, modality: str) -> dict[str, Any]:
    """A strategy, learner or featurizer setting with its parameters checked; raises Invalid."""
    if not isinstance(given, dict) or not isinstance(given.get("name", AUTO), str):
        raise Invalid(f'{kind} is an object as {{"name": "auto"}}', fields={kind: "an object with a name"})
    name = given.get("name", AUTO)
    options = {key: value for key, value in given.items() if key != "name"}
    if name == AUTO and not options:
        return {"name": AUTO}
    if kind == "strategy":
        make_strategy(name, options)
    elif kind == "learner":
        _check_learner(name, options)
    elif name == AUTO:
        raise Invalid("featurizer auto has no parameters: name the one that is meant", fields={kind: sorted(options)})
    else:
        make_featurizer(name, options, modality)
    return {"name": name, **options}


def _check_learner(name: str, options: dict[str, Any]) -> None:
    if name == HTTP:
        Scorer.of(options)
    elif name != EXTERNAL:
        make_learner("ridge" if name == AUTO else name, options, Block(np.zeros((1, 1), dtype=np.float32)), 2)
    elif options:
        raise Invalid("learner external has no parameters: its model is trained elsewhere", fields={"learner": name})


def check_together(strategy: dict[str, Any], learner: dict[str, Any]) -> None:
    """Raise Invalid where the strategy needs more of the learner than an outside one gives."""
    more = sorted(_needs(strategy) & OF_OUR_LEARNER)
    if learner.get("name") in OUTSIDE and more:
        raise Invalid(
            f"strategy {strategy['name']} needs {', '.join(more)}, and an outside learner gives probabilities only: "
            "choose another strategy, as auto",
            fields={"strategy": strategy["name"]},
        )


def check_question(strategy: dict[str, Any], question: dict[str, Any]) -> None:
    """Raise Invalid where the strategy is for other questions than the stored one: one class, several, a number."""
    needs = _needs(strategy)
    lacking = {Need.ONE_CLASS if question.get("options", {}).get("multiple") else Need.SEVERAL_CLASSES}
    if question["type"] != "rating":
        lacking.add(Need.NUMBERS)
    for wanted in sorted(lacking & needs):
        raise Invalid(
            f"strategy {strategy['name']} needs a question with {wanted}: choose another strategy, as auto",
            fields={"strategy": strategy["name"]},
        )


def check_cost(strategy: dict[str, Any], exponent: float) -> None:
    """Raise Invalid where items are to be weighed by their cost and the strategy does not rank them one by one."""
    name = strategy.get("name", AUTO)
    if exponent > 0 and name in KINDS and not by_cost(KINDS[name]):
        able = ", ".join(each for each, kind in KINDS.items() if by_cost(kind))
        raise Invalid(
            f"cost_exponent needs a strategy that ranks items one by one, and {name} does not: choose one of {able}",
            fields={"cost_exponent": name},
        )


def check_audit(project: Project) -> None:
    """Raise Invalid where there is nothing that audit items could be chosen from, or a learner be judged by."""
    usual = {"audit_choice": "random", "audit_estimate": "counted"}
    more = {name: value for name in usual if (value := getattr(project, name) or usual[name]) != usual[name]}
    if more and project.audit_share == 0:
        said = " and ".join(f"{name} {value}" for name, value in more.items())
        raise Invalid(
            f"{said} needs audit items: set an audit_share above 0", fields=dict.fromkeys(more, "needs audits")
        )


def _needs(strategy: dict[str, Any]) -> frozenset[Need]:
    """What a strategy's setting needs; `auto` takes what is there."""
    name, options = strategy.get("name", AUTO), {key: value for key, value in strategy.items() if key != "name"}
    return frozenset() if name == AUTO else make_strategy(name, options).needs


def strategies() -> list[dict[str, Any]]:
    """The strategies that a form offers, with their parameters."""
    return catalogue()


def plugin_names() -> dict[str, list[str]]:
    """What may be named in a project's settings."""
    return {"learner": [AUTO, *LEARNERS, *OUTSIDE], "featurizer": [AUTO, *FEATURIZERS]}


def checked_name(given: str) -> str:
    """A project's name without the space around it. Raises Invalid for an empty one."""
    name = check_text(given.strip(), what="name", limit=200)
    if not name:
        raise Invalid("name is empty", fields={"name": "must not be empty"})
    return name


def _keep_a_manager(session: Session, member: Member) -> None:
    if member.role != "manager":
        return
    managers = select(Member.user_id).where(Member.project_id == member.project_id, Member.role == "manager")
    if set(session.execute(managers.order_by(Member.user_id).with_for_update()).scalars()) <= {member.user_id}:
        raise Conflict("the last manager of a project cannot be removed")


def touch(session: WriteSession, project: Project) -> None:
    """Move a project's version and moment: its settings or classes were changed."""
    project.version += 1
    project.updated_at = now(session)
    session.flush()


def free_slug(session: Session, wanted: str | None, name: str) -> str:
    """The wanted slug, or one made from the name that nobody has. Raises Conflict for a wanted one that is taken."""
    plain = unicodedata.normalize("NFKD", wanted or name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80] or "project"
    if base.isdigit():
        base = f"project-{base}"
    taken = set(session.execute(select(Project.slug).where(Project.slug.startswith(base, autoescape=True))).scalars())
    if wanted and base in taken:
        raise Conflict(f"the slug {base!r} is taken", fields={"slug": "taken"})
    if base not in taken:
        return base
    return next(slug for number in range(2, 10**6) if (slug := f"{base}-{number}") not in taken)
