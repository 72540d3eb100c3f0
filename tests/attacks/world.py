"""A project with one of everything in it, for routes that ask for one."""

import io
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from PIL import Image

from tests.attacks.site import Site


@dataclass
class World:
    """Ids by the names that the addresses of routes have for them."""

    site: Site
    ids: dict[str, Any] = field(default_factory=dict)

    def path(self, path: str) -> str:
        """The address with this world's ids in it."""
        own = dict(self.ids)
        if "/users/" in path and "/members/" not in path:
            own["user"] = self.ids["somebody"]
        if "/rounds/" in path:
            own["number"] = 1
        return path.format(**own)

    @property
    def project(self) -> int:
        """The project."""
        found: int = self.ids["project"]
        return found


def make(site: Site) -> World:
    """A project of M with R, U1 and U2 in it, items, an answer, a lease, a note, a webhook and so on."""
    project = site.new_project(site.M, 6, round_size=10_000)
    site.join(site.M, project, site.R, "reviewer")
    for person in (site.U1, site.U2):
        site.join(site.M, project, person)
    answered, held = site.lease(site.U1, project, 2)
    annotation = site.answer(site.U1, answered).json()["id"]
    item = answered["item"]["id"]
    note = site.U1.post(f"/items/{item}/flags", json={"note": "is this a cat?"})
    hook = site.M.post(
        f"/projects/{project}/webhooks",
        json={"url": "https://1.1.1.1/hook", "events": ["goal.reached"]},
    )
    snapshot = site.M.post(f"/projects/{project}/snapshots", json={"name": "first"})
    token = site.M.post("/tokens", json={"name": "to be deleted", "scopes": ["read"]})
    somebody = site.A.post("/users", json={"name": f"somebody-{uuid4()}", "password": "correct horse battery"})
    third = site.M.post(f"/projects/{project}/classes", json={"name": "cow"})
    for made in (note, hook, token, somebody, third):
        assert made.status_code == 201, made.text
    assert snapshot.status_code == 202, snapshot.text
    return World(
        site,
        {
            "project": project,
            "ref": project,
            "item": item,
            "annotation": annotation,
            "lease": held["id"],
            "answered_lease": answered["id"],
            "flag": note.json()["id"],
            "webhook": hook.json()["id"],
            "name": "first",
            "token": token.json()["id"],
            "somebody": somebody.json()["id"],
            "user": site.U2.id,
            "job": snapshot.json()["job"]["id"],
            "number": third.json()["id"],
            "version": 1,
            "media_id": picture(site),
            "bucket": "none",
            "simulation": 1,
            "other": 1,
            "code": "guessed",
        },
    )


def picture(site: Site) -> int:
    """The id of a picture in a project of M's with R, U1 and U2."""
    project = site.new_project(site.M, 0, name="Pictures", modality="image")
    site.join(site.M, project, site.R, "reviewer")
    for person in (site.U1, site.U2):
        site.join(site.M, project, person)
    made = site.M.post(f"/projects/{project}/media", files={"files": ("dot.png", png())})
    assert made.status_code == 201, made.text
    found: int = made.json()["media"][0]["id"]
    return found


def png(side: int = 8) -> bytes:
    """A small picture."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), (200, 30, 30)).save(out, "PNG")
    return out.getvalue()
