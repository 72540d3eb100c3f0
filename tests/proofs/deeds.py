"""What people, workers and the machine's owner do, each with what the model says must come of it."""

import json
from typing import Any
from uuid import UUID, uuid5

from hypothesis.stateful import RuleBasedStateMachine

from tests.conftest import Speaker
from tests.proofs.model import TERM, Lease, Reference, Version
from tests.proofs.world import FENCED, NEWEST, World

NAMESPACE = UUID("6f1c3a86-7d0e-4e5c-9a4d-5b1f20c6a111")


class Deeds(RuleBasedStateMachine):
    """One example: a project of its own on the world's database."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.model = Reference(1)
        self.project = 0
        self.sent: list[tuple[int, str, str | None]] = []
        world.examples += 1

    def teardown(self) -> None:
        self.world.forget_jobs()

    @property
    def boss(self) -> Speaker:
        return self.world.people["boss"]

    def keeps(self, number: int) -> None:
        lease = self.lease(number)
        answer = self.of(lease).post(f"/leases/{lease.id}/renew")
        self.came_in(lease, answer) and self.same(answer, self.model.renew(lease))

    def gives_back(self, number: int) -> None:
        lease = self.lease(number)
        answer = self.of(lease).delete(f"/leases/{lease.id}")
        if self.came_in(lease, answer):
            self.same(answer, 204)
            self.model.release(lease)

    def skips(self, number: int) -> None:
        lease = self.lease(number)
        answer = self.of(lease).post(f"/leases/{lease.id}/skip", json={})
        self.came_in(lease, answer) and self.same(answer, self.model.skip(lease))

    def sends(self, lease: int, label: str, keyed: bool) -> None:
        key = str(uuid5(NAMESPACE, f"{self.project}-{len(self.sent)}")) if keyed else None
        self.sent.append((lease, label, key))
        self.submits(*self.sent[-1])

    def imports(self, count: int) -> None:
        start = len(self.model.items)
        report = self.push([(f"key-{start + each}", 0) for each in range(count)])
        assert report["created"] == count
        rows = self.world.rows("SELECT id, key FROM items WHERE project_id = :project", project=self.project)
        for row in rows:
            self.model.add(row.id, row.key)

    def imports_the_same_again(self) -> None:
        here = [each for each in self.model.items.values() if not each.deleted]
        report = self.push([(each.key, each.content) for each in here])
        assert (report["created"], report["updated"], report["unchanged"]) == (0, 0, len(here))

    def replaces(self, number: int) -> None:
        here = [each for each in self.model.items.values() if not each.deleted]
        item = here[number % len(here)]
        report = self.push([(item.key, item.content + 1)], on_change="replace")
        assert report["updated"] == 1
        self.model.replace(item)

    def deletes(self, number: int) -> None:
        here = [each for each in self.model.items.values() if not each.deleted]
        if len(here) > 1:
            item = here[number % len(here)]
            self.same(self.boss.delete(f"/items/{item.id}"), 204)
            item.deleted = True

    def joins(self, who: str) -> None:
        answer = self.boss.post(f"/projects/{self.project}/members", json={"user": who, "role": "annotator"})
        self.same(answer, 200 if who in self.model.roles else 201)
        self.model.roles[who] = "annotator"

    def leaves(self, who: str) -> None:
        answer = self.boss.delete(f"/projects/{self.project}/members/{self.world.ids[who]}")
        self.same(answer, 204 if who in self.model.roles else 404)
        self.model.roles.pop(who, None)
        self.model.remove(who)

    def is_switched_off_or_on(self, who: str, active: bool) -> None:
        self.same(self.boss.patch(f"/users/{self.world.ids[who]}", json={"active": active}), 200)
        self.model.inactive.discard(who) if active else self.model.inactive.add(who)
        if not active:
            self.model.remove(who)

    def advance(self, seconds: int) -> None:
        self.world.advance(seconds)
        self.model.now += seconds

    def a_worker_dies(self, checkpoint: int) -> None:
        self.world.dies_at(checkpoint)

    def a_worker_is_overtaken(self) -> None:
        slow = self.world.claimed()
        if slow is not None:
            self.advance(1000)
            self.world.worker().run_waiting()
            before = self.world.rows(FENCED, project=self.project)
            self.world.worker()._run(slow)
            assert self.world.rows(FENCED, project=self.project) == before

    def exports(self) -> None:
        answer = self.boss.get(f"/projects/{self.project}/export", params={"format": "jsonl", "view": "annotations"})
        rows = [json.loads(line) for line in answer.text.splitlines()]
        model = self.model
        expected = [
            (each.id, each.label)
            for each in sorted((e for i in model.items for e in model.standing(i)), key=lambda e: e.id)
            if (each.counted or each.decisive) and not model.items[each.item].deleted
        ]
        assert [(row["id"], row["label"]["class"]) for row in rows] == expected

    def reads_the_feed(self) -> None:
        answer = self.boss.get(f"/projects/{self.project}/annotations", params={"after": 0, "limit": 200})
        assert [each["seq"] for each in answer.json()["items"]] == [each.id for each in self.model.versions][:200]

    def numbers(self, status: dict[str, Any]) -> None:
        """What is counted is a recount."""
        model = self.model
        here = [each.id for each in model.items.values() if not each.deleted]
        standing = [model.current(each.answer) for each in model.versions if each.number == 1]
        counted = sum(each.counted and not each.retracted for each in standing)
        skipped = {each.item for each in model.leases.values() if each.state == "skipped"}
        numbers = status["items"]
        assert numbers["total"] == len(here)
        assert numbers["answered"] == sum(model.done(each) for each in here)
        assert numbers["open"] == len(here) - numbers["answered"]
        assert numbers["skipped"] == len(skipped)
        assert (status["annotations"], status["answers"]) == (counted, counted)

    def submits(self, lease_id: int, label: str, key: str | None) -> None:
        lease, model = self.model.leases[lease_id], self.model
        body = {"lease": lease_id, "label": {"class": label}, "seconds_spent": 1}
        answer = self.of(lease).post("/annotations", json=body, headers={"Idempotency-Key": key} if key else {})
        if not self.came_in(lease, answer):
            return
        status, stored = model.submit(lease, label, key)
        self.same(answer, status)
        if status == 201 and stored is not None:
            assert answer.json()["id"] == stored.id
        elif status == 201:
            made = model.store(lease, answer.json()["id"], label, key)
            assert answer.json()["counted"] == made.counted

    def is_back(self, lease: Lease, fresh: dict[str, Any] | None) -> None:
        """A person's answer or skip is taken back: what that leaves."""
        model, before = self.model, self.model.answer_of(lease)
        if before is not None:
            newest = self.world.rows(NEWEST, project=self.project)[0][0]
            model.append(before, newest, lease.person, retracted=True)
        if lease.state == "skipped":
            model.items[lease.item].skips -= 1
        lease.state = "released"
        assert (fresh is not None) == model.may_hold(lease)
        if fresh is not None:
            revision, ends = model.items[lease.item].revision, model.now + TERM
            model.leases[fresh["id"]] = Lease(fresh["id"], lease.item, lease.slot, lease.person, ends, revision)

    def changes(self, **settings: Any) -> None:
        """Change the project's settings."""
        tag = self.boss.get(f"/projects/{self.project}").headers["ETag"]
        self.same(self.boss.patch(f"/projects/{self.project}", json=settings, headers={"If-Match": tag}), 200)

    def push(self, rows: list[tuple[str, int]], **query: Any) -> dict[str, Any]:
        """Import items by key and content."""
        pushed = [
            {"key": key, "text": f"{key} says {content}", "features": [float(len(key)), float(hash_of(key, content))]}
            for key, content in rows
        ]
        return self.boss.push(self.project, pushed, **query)

    def live(self) -> list[Lease]:
        """Leases that are held, as far as is known without a request."""
        return [each for each in self.model.leases.values() if each.state == "live"]

    def lease(self, number: int) -> Lease:
        """One of the leases, newest first."""
        every = list(self.model.leases.values())
        return every[-1 - number % len(every)]

    def answer(self, number: int) -> Version:
        """The newest version of one of the answers."""
        firsts = [each for each in self.model.versions if each.number == 1]
        return self.model.current(firsts[-1 - number % len(firsts)].answer)

    def of(self, lease: Lease) -> Speaker:
        """Whose lease it is."""
        return self.world.people[lease.person]

    def came_in(self, lease: Lease, answer: Any) -> bool:
        """Whether the lease's person is let in at all; else the answer must be that nobody is."""
        gate = self.model.may_come_in(lease.person)
        if gate != 200:
            self.same(answer, gate)
        return gate == 200

    def same(self, answer: Any, status: int) -> None:
        """The answer has this status."""
        assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text}"


def hash_of(key: str, content: int) -> int:
    """A small number that differs from item to item."""
    return sum(map(ord, key)) * 31 % 97 + content
