"""Scorers over REST: tried out before they are relied on, and their secret."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Config, Db
from app.core.text import check_json
from app.services import scorers

router = APIRouter(tags=["loop"], route_class=StrictRoute)
EXAMPLE = {"name": "http", "url": "https://example.org/scorer", "secret": "16 characters or more"}


class TestIn(Body):
    """A scorer that is not stored yet; without one the project's own is tested."""

    learner: dict[str, Any] | None = Field(None, examples=[EXAMPLE])


class EarlyTestIn(Body):
    """A scorer for a project that is not made yet, with items and classes as they will be."""

    learner: dict[str, Any] = Field(examples=[EXAMPLE])
    items: list[dict[str, Any]] = Field(min_length=1, max_length=scorers.TESTED, examples=[[{"text": "..."}]])
    classes: list[str] = Field(min_length=1, max_length=scorers.MOST_CLASSES, examples=[["cat", "dog"]])
    multiple: bool = False


class TestedItem(BaseModel):
    """What the scorer said of one item, most probable class first; null where it said nothing."""

    key: str
    probabilities: dict[str, float] | None


class TestedOut(BaseModel):
    """How a test went: `fault` in words, or the answer. `items` is empty where the scorer waits to be taught."""

    model_config = ConfigDict(from_attributes=True)

    seconds: float
    fault: str | None
    trains: bool | None
    version: str | None
    features: int
    items: list[TestedItem]


class SecretOut(BaseModel):
    """A new secret, shown this once."""

    secret: str


@router.post("/scorer/test", response_model=TestedOut)
def test_scorer(body: EarlyTestIn, person: Caller, config: Config) -> TestedOut:
    """Send up to three texts or table rows to a scorer for a project that is not made yet; nothing is stored."""
    check_json(body.learner, what="learner")
    given = (body.learner, body.items, body.classes, body.multiple)
    return TestedOut.model_validate(scorers.test_before(config, person, *given))


@router.post("/projects/{project}/scorer/test", response_model=TestedOut)
def test_project_scorer(project: str, body: TestIn, person: Caller, config: Config, db: Db) -> TestedOut:
    """Send three of the project's items to its scorer, or to one that is not stored yet (managers)."""
    check_json(body.learner, what="learner")
    return TestedOut.model_validate(scorers.test(db, config, person, project, body.learner))


@router.post("/projects/{project}/scorer/secret", response_model=SecretOut)
def renew_scorer_secret(project: str, person: Caller, db: Db) -> SecretOut:
    """Make a new secret that signs what the scorer is asked; it is in this answer and nowhere else (managers)."""
    with db.write() as session:
        return SecretOut(secret=scorers.renew(session, person, project))
