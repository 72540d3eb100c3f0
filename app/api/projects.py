"""Projects, members and invitations."""

from datetime import date as calendar_date
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, Field, field_validator, model_validator
from sqlalchemy.orm import Session

from app.api.annotations import expected_version
from app.api.bodies import Body, StrictRoute
from app.api.classes import ClassOut, class_out
from app.api.deps import Caller, Config, Db
from app.api.pages import Cursor, Limit, seal, unseal
from app.core import filters
from app.core.errors import Invalid
from app.core.text import INT64_MAX, check_json, read_json, write_json
from app.db import Project
from app.services import accounts, copying, deleting, projects, scorers, slices, tasks
from app.services.access import Person, project_for

router = APIRouter(tags=["projects"], route_class=StrictRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]
Slice = Annotated[str | None, Field(max_length=filters.MAX_CHARACTERS, examples=["metadata.language=de"])]
RoundSize = Annotated[int, Field(ge=1, le=10_000)]


class Goal(Body):
    """When the work is done: accuracy, labels, hours, a date or a cost; and what an hour and a point are worth."""

    accuracy: float | None = Field(None, gt=0, le=1)
    labels: int | None = Field(None, gt=0, le=10**9)
    hours: float | None = Field(None, gt=0, le=10**6)
    date: str | None = Field(None, max_length=10)
    cost: float | None = Field(None, gt=0, le=10**12)
    hour_price: float | None = Field(None, gt=0, le=10**9)
    point_worth: float | None = Field(None, gt=0, le=10**12)
    stops: bool | None = None

    @model_validator(mode="after")
    def _priced(self) -> Self:
        """What is counted in money needs the price of an hour."""
        for name in ("cost", "point_worth"):
            if getattr(self, name) is not None and self.hour_price is None:
                raise ValueError(f"{name} needs hour_price: what an hour of labelling costs")
        return self

    @field_validator("accuracy", mode="before")
    @classmethod
    def _a_share(cls, given: Any) -> Any:
        """The accuracy as a share, not in percent."""
        if isinstance(given, int | float) and not 0 < given <= 1:
            raise ValueError("accuracy is a share between 0 and 1, e.g. 0.9 for 90 %")
        return given

    @field_validator("date")
    @classmethod
    def _a_day(cls, given: str | None) -> str | None:
        """The last day of the work, in the project's zone."""
        if given is None:
            return None
        try:
            return calendar_date.fromisoformat(given).isoformat()
        except ValueError:
            raise ValueError("date is a day written as 2026-12-24") from None


class ProjectIn(Body):
    """A new project; all but name, modality and task have good defaults.

    With `copy_of` settings, classes, guidelines and members are those of another project: only the name, and a slug
    if wanted, are given beside it.
    """

    name: str = Field(min_length=1, max_length=200)
    slug: str | None = Field(None, min_length=1, max_length=100)
    copy_of: Annotated[int, Field(gt=0, le=INT64_MAX)] | None = None
    modality: str = Field("", max_length=50)
    task: dict[str, Any] | None = None
    strategy: dict[str, Any] | None = None
    learner: dict[str, Any] | None = None
    featurizer: dict[str, Any] | None = None
    round_size: RoundSize | Literal["auto"] = "auto"
    overlap: int = Field(1, ge=1, le=50)
    audit_share: float = Field(0.1, ge=0, le=1)
    audit_use: Literal["taught", "apart"] = "taught"
    cost_exponent: float = Field(0, ge=0, le=1)
    audit_choice: Literal["random", "active"] = "random"
    audit_estimate: Literal["counted", "prediction_powered"] = "counted"
    blind_share: float = Field(0.1, ge=0, le=1)
    guidelines: str = Field("", max_length=200_000)
    goal: Goal | None = None
    seed: int | None = Field(None, ge=0, lt=2**62)

    @model_validator(mode="after")
    def _new_or_copied(self) -> "ProjectIn":
        if self.copy_of is None and (not self.modality or self.task is None):
            raise ValueError("modality and task are needed, or copy_of with the id of another project")
        if self.copy_of is not None and (more := sorted(self.model_fields_set - {"copy_of", "name", "slug"})):
            raise ValueError(f"a copy takes name and slug only, not {', '.join(more)}: change the copy afterwards")
        return self


class ProjectChange(Body):
    """What may be changed of a project."""

    name: str | None = Field(None, min_length=1, max_length=200)
    task: dict[str, Any] | None = None
    strategy: dict[str, Any] | None = None
    learner: dict[str, Any] | None = None
    featurizer: dict[str, Any] | None = None
    round_size: RoundSize | Literal["auto"] | None = None
    audit_share: float | None = Field(None, ge=0, le=1)
    audit_use: Literal["taught", "apart"] | None = None
    cost_exponent: float | None = Field(None, ge=0, le=1)
    audit_choice: Literal["random", "active"] | None = None
    audit_estimate: Literal["counted", "prediction_powered"] | None = None
    blind_share: float | None = Field(None, ge=0, le=1)
    guidelines: str | None = Field(None, max_length=200_000)
    goal: Goal | None = None
    state: Literal["open", "paused", "closed", "archived"] | None = None


class ProjectOut(BaseModel):
    """A project as its members see it."""

    id: int
    name: str
    slug: str
    modality: str
    task: dict[str, Any]
    task_version: int  # moved by changes after which an earlier answer may lack something
    no_learner: str | None  # why no learner runs, in a sentence
    classes: list[ClassOut]
    strategy: dict[str, Any]
    learner: dict[str, Any]
    featurizer: dict[str, Any]
    round_size: int | str
    overlap: int
    audit_share: float
    audit_use: str
    cost_exponent: float
    audit_choice: str
    audit_estimate: str
    blind_share: float
    guidelines: str
    goal: dict[str, Any] | None
    state: str
    demo: bool
    role: str
    version: int
    created_at: datetime
    deleted_at: datetime | None = None
    gone_at: datetime | None = None  # until when a deleted one can be restored


class ProjectsOut(BaseModel):
    """The caller's projects, newest first."""

    items: list[ProjectOut]
    next: str | None = None


class MemberIn(Body):
    """Who joins with which role, and perhaps with which slice: a filter by content that all their items fit."""

    user: str = Field(max_length=200)
    role: str = Field("annotator", max_length=50)
    slice: Slice = None


class MemberChange(Body):
    """A member's new role or slice; null gives the whole pool again."""

    role: str | None = Field(None, max_length=50)
    slice: Slice = None


class InvitationRequest(Body):
    """An invitation link: the role and the slice it gives, for how many people and seconds."""

    role: str = Field("annotator", max_length=50)
    slice: Slice = None
    uses: int = Field(1, ge=1, le=1000)
    expires_in: float = Field(7 * 86_400, gt=0, le=90 * 86_400)


class InvitationOut(BaseModel):
    """The link to hand over."""

    url: str


class MembersOut(BaseModel):
    """Who works on the project, by name."""

    items: list[dict[str, Any]]
    next: str | None = None


@router.post("/projects", status_code=201, response_model=ProjectOut)
def create_project(body: ProjectIn, person: Caller, config: Config, db: Db, response: Response) -> ProjectOut:
    """Make a project, new or like another one (`copy_of`)."""
    given = body.model_dump(exclude_none=True)
    check_json(given, what="body")
    if given.get("round_size") == "auto":
        del given["round_size"]
    given["learner"], secret = scorers.split(config, given.get("learner"))
    with db.write() as session:
        if body.copy_of is not None:
            made = copying.copy(session, person, body.copy_of, body.name, body.slug)
        else:
            made = projects.create(session, person, given)
        scorers.keep(session, made, secret)
        return shown(session, person, made, response)


@router.get("/projects", response_model=ProjectsOut)
def list_projects(
    request: Request, person: Caller, db: Db, deleted: bool = False, limit: Limit = 200, cursor: Cursor = None
) -> ProjectsOut:
    """The caller's projects; with `deleted=true` those that the caller may restore."""
    place = None if cursor is None else read_json(unseal(request, person, cursor).encode())
    with db.read() as session:
        if deleted:
            before = None if place is None else (datetime.fromisoformat(place[0]), place[1])
            found = deleting.deleted(session, person, db.now(), limit + 1, before)
        else:
            found = projects.listed(session, person, limit + 1, None if place is None else place[1])
        more = None
        if len(found) > limit:
            last = found[limit - 1]
            gone = last.deleted_at.isoformat() if last.deleted_at else None
            more = seal(request, person, write_json([gone, last.id]))
        return ProjectsOut(items=[shown(session, person, each) for each in found[:limit]], next=more)


@router.get("/projects/{project}", response_model=ProjectOut)
def show_project(project: str, person: Caller, db: Db, response: Response) -> ProjectOut:
    """One project."""
    with db.read() as session:
        return shown(session, person, project_for(session, person, project), response)


@router.patch("/projects/{project}", response_model=ProjectOut)
def change_project(
    project: str,
    body: ProjectChange,
    person: Caller,
    config: Config,
    db: Db,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> ProjectOut:
    """Change settings, or open, pause, close and archive."""
    changes = body.model_dump(exclude_unset=True)
    check_json(changes, what="body")
    if changes.get("round_size") == "auto":
        changes["round_size"] = None
    learner, secret = scorers.split(config, changes.get("learner"))
    if learner:
        changes["learner"] = learner
    with db.write() as session:
        changed = projects.change(session, person, project, changes, expected_version(if_match))
        scorers.keep(session, changed, secret)
        return shown(session, person, changed, response)


@router.delete("/projects/{project}", status_code=204)
def delete_project(project: str, person: Caller, db: Db) -> None:
    """Delete a project; `POST .../restore` brings it back within seven days."""
    with db.write() as session:
        deleting.delete(session, person, project)


@router.post("/projects/{project}/restore", response_model=ProjectOut)
def restore_project(project: Number, person: Caller, db: Db, response: Response) -> ProjectOut:
    """Bring a deleted project back."""
    with db.write() as session:
        return shown(session, person, deleting.restore(session, person, project), response)


@router.get("/projects/{project}/members", response_model=MembersOut)
def list_members(
    project: str, request: Request, person: Caller, db: Db, limit: Limit = 200, cursor: Cursor = None
) -> MembersOut:
    """Who works on the project with which role and slice (managers)."""
    behind = None if cursor is None else read_json(unseal(request, person, cursor).encode())
    with db.read() as session:
        rows = projects.members(session, person, project, limit + 1, behind)
        last = rows[limit - 1] if len(rows) > limit else None
        more = seal(request, person, write_json([last["user"], last["id"]])) if last else None
        return MembersOut(items=rows[:limit], next=more)


@router.post(
    "/projects/{project}/members",
    status_code=201,
    response_model=MembersOut,
    responses={200: {"model": MembersOut, "description": "The person was a member already"}},
)
def add_member(project: str, body: MemberIn, person: Caller, db: Db, response: Response) -> MembersOut:
    """Add a person by name, or change the role or slice (200)."""
    given = {"slice_": body.slice} if "slice" in body.model_fields_set else {}
    with db.write() as session:
        fresh = projects.set_member(session, person, project, body.user, body.role, **given)
        response.status_code = 201 if fresh else 200
        session.flush()
        return MembersOut(items=projects.members(session, person, project))


@router.patch("/projects/{project}/members/{user}", status_code=204)
def change_member(project: str, user: Number, body: MemberChange, person: Caller, db: Db) -> None:
    """Change a member's role, or the slice of the items that this person is given."""
    given = {"slice_": body.slice} if "slice" in body.model_fields_set else {}
    if body.role is None and not given:
        raise Invalid("role or slice is needed", fields={"role": "missing"})
    with db.write() as session:
        projects.set_member(session, person, project, user, body.role, **given)


@router.delete("/projects/{project}/members/{user}", status_code=204)
def remove_member(project: str, user: Number, person: Caller, db: Db) -> None:
    """Take a person out of the project; answers stay."""
    with db.write() as session:
        projects.remove_member(session, person, project, user)


@router.post("/projects/{project}/invitations", status_code=201, response_model=InvitationOut)
def invite(project: str, body: InvitationRequest, request: Request, person: Caller, db: Db) -> InvitationOut:
    """A link that lets people in; there is no mail server."""
    person.need("manage")
    with db.write() as session:
        limits = slices.checked(body.slice)
        code = accounts.invite(session, person, project, body.role, body.uses, body.expires_in / 3600, limits)
    return InvitationOut(url=f"{request.url.scheme}://{request.headers.get('host')}/invitations/{code}")


def shown(session: Session, person: Person, project: Project, response: Response | None = None) -> ProjectOut:
    """A project with its classes and the caller's role."""
    if response is not None:
        response.headers["ETag"] = f'"{project.version}"'
    asked, role = tasks.questions(session, project), projects.role_in(session, person, project)
    return ProjectOut(
        id=project.id,
        name=project.name,
        slug=project.slug,
        modality=project.modality,
        task=tasks.shown_task(asked),
        task_version=project.task_version,
        no_learner=tasks.silence(asked),
        classes=[class_out(each) for each in tasks.classes_of(session, project.id)],
        strategy=project.strategy,
        learner=scorers.seen_by(project, role),
        featurizer=project.featurizer,
        round_size=project.round_size or "auto",
        overlap=project.overlap,
        audit_share=project.audit_share,
        audit_use=project.audit_use,
        cost_exponent=project.cost_exponent,
        audit_choice=project.audit_choice,
        audit_estimate=project.audit_estimate,
        blind_share=project.blind_share,
        guidelines=project.guidelines,
        goal=project.goal,
        state=project.state,
        demo=project.demo,
        role=role,
        version=project.version,
        created_at=project.created_at,
        deleted_at=project.deleted_at,
        gone_at=deleting.gone_at(project),
    )
