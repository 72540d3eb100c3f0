"""Files in buckets over REST: which there are, which project may read which, and items of a folder's files."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.loop import StartedOut
from app.core import places
from app.services import buckets, collecting
from app.services.access import project_for

router = APIRouter(tags=["items"], route_class=StrictRoute)
Name = Annotated[str, Path(max_length=64, pattern=f"^{places.NAME.pattern}$")]


class BucketOut(BaseModel):
    """A bucket that the operator has named: its kind, and the ids of the projects that may read it."""

    name: str
    kind: str
    projects: list[int]


class BucketsOut(BaseModel):
    """Every named bucket."""

    items: list[BucketOut]


class BucketNamesOut(BaseModel):
    """The names of buckets that a project may read."""

    buckets: list[str]


class CollectIn(Body):
    """Which files become items: those below a folder of a bucket."""

    bucket: str = Field(min_length=1, max_length=64, examples=["pets"])
    prefix: str = Field("", max_length=places.PATH_BYTES, examples=["photos/2026/"])
    labels: Literal["folders"] | None = None
    copy_: bool = Field(False, alias="copy", description="Store the files here; they are read in place otherwise")
    on_change: Literal["reject", "replace"] = "reject"


@router.get("/buckets", response_model=BucketsOut)
def list_buckets(person: Caller, config: Config, db: Db) -> BucketsOut:
    """Every bucket that the operator has named, with the projects that may read it (admins)."""
    with db.read() as session:
        return BucketsOut(items=[BucketOut(**each) for each in buckets.listed(session, config, person)])


@router.get("/projects/{project}/buckets", response_model=BucketNamesOut)
def list_project_buckets(project: str, person: Caller, config: Config, db: Db) -> BucketNamesOut:
    """The buckets that the project may read (managers)."""
    with db.read() as session:
        return BucketNamesOut(buckets=buckets.of_project(session, config, person, project))


@router.put("/projects/{project}/buckets/{bucket}", status_code=204)
def grant_bucket(project: str, bucket: Name, person: Caller, config: Config, db: Db) -> None:
    """Let the project read a bucket (admins)."""
    with db.write() as session:
        buckets.grant(session, config, person, project, bucket)


@router.delete("/projects/{project}/buckets/{bucket}", status_code=204)
def revoke_bucket(project: str, bucket: Name, person: Caller, db: Db) -> None:
    """Let the project read a bucket no more; its items stay, their files are not shown (admins)."""
    with db.write() as session:
        buckets.revoke(session, person, project, bucket)


@router.post("/projects/{project}/media/bucket", status_code=202, response_model=StartedOut)
def collect_files(project: str, body: CollectIn, person: Caller, config: Config, db: Db) -> dict[str, Any]:
    """Make an item of every file below a folder of a bucket, keyed by its path; read in place, or copied (managers).

    The job's result says how many were created, updated, unchanged and rejected, with the reasons.
    """
    given = body.model_dump(by_alias=True)
    with db.write() as session:
        project_id = project_for(session, person, project, "manager").id
        granted = buckets.granted(session, config, project_id)
        job = collecting.start(session, granted, person, project, given)
    return {"job": {"id": job, "state": "waiting", "progress": None, "reason": None}}
