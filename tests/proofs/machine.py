"""The rules: what people, workers and the machine's owner do, each with what the model says must come of it."""

import json
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.conftest import Speaker
from tests.proofs.model import TERM, Lease, Reference, Version
from tests.proofs.world import FENCED, NEWEST, PEOPLE, World

people = st.sampled_from(PEOPLE)
others = st.sampled_from(PEOPLE[1:])
labels = st.sampled_from(("cat", "dog"))
which = st.integers(0, 30)  # one of those there are, newest first
leased = precondition(lambda machine: machine.model.leases)
held = precondition(lambda machine: machine.live())
answered = precondition(lambda machine: machine.model.versions)
sent = precondition(lambda machine: machine.sent)
NAMESPACE = UUID("6f1c3a86-7d0e-4e5c-9a4d-5b1f20c6a111")


class Machine(RuleBasedStateMachine):
    """One example: a project of its own on the world's database."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.model = Reference(1)
        self.project = 0
        self.sent: list[tuple[int, str, str | None]] = []
        world.examples += 1

    @initialize(overlap=st.integers(1, 3), items=st.integers(1, 8))
    def begin(self, overlap: int, items: int) -> None:
        made = self.boss.project(overlap=overlap, round_size=3, audit_share=0.2, blind_share=0.3)
        self.project = made["id"]
        self.model = Reference(overlap, widest=overlap, roles={"boss": "manager"})
        for name in ("ann", "ben", "cem"):
            self.joins(name)
        self.imports(items)

    def teardown(self) -> None:
        self.world.forget_jobs()

    @property
    def boss(self) -> Speaker:
        return self.world.people["boss"]

    @rule(who=people, count=st.integers(1, 4))
    def asks_for_items(self, who: str, count: int) -> None:
        model = self.model
        answer = self.world.people[who].post(f"/projects/{self.project}/leases", json={"count": count})
        assert answer.status_code == model.may_come_in(who), answer.text
        if answer.status_code != 200:
            return
        model.expire()
        mine = [each.id for each in model.mine(who)[:count]]
        given = [(each["id"], each["item"]["id"]) for each in answer.json()["leases"]]
        assert [lease for lease, _ in given[: len(mine)]] == mine, "a reload gives the same items"
        fresh = given[len(mine) :]
        eligible = model.eligible(who) if model.state == "open" else set()
        assert len(fresh) == min(count - len(mine), len(eligible)), "somebody starves beside items, or gets too many"
        for lease, item in fresh:
            assert item in model.eligible(who)
            model.give(who, lease, item)
        if not given:
            assert answer.json()["state"] == {"open": "exhausted"}.get(model.state, model.state)

    @rule(who=people, given=st.lists(labels, min_size=1, max_size=4))
    def works(self, who: str, given: list[str]) -> None:
        """What people do most of the time: they ask for items and answer them."""
        self.asks_for_items(who, len(given))
        for label, lease in zip(given, self.model.mine(who) if who in self.model.roles else [], strict=False):
            self.sends(lease.id, label, keyed=len(self.sent) % 2 == 0)

    @leased
    @rule(number=which, how=st.sampled_from(("keeps", "gives_back", "skips", "skips")))
    def handles_an_item(self, number: int, how: str) -> None:
        {"keeps": self.keeps, "gives_back": self.gives_back, "skips": self.skips}[how](number)

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

    @leased
    @rule(number=which, label=labels, keyed=st.booleans())
    def answers(self, number: int, label: str, keyed: bool) -> None:
        self.sends(self.lease(number).id, label, keyed)

    @held
    @rule(number=which, label=labels, keyed=st.booleans())
    def answers_what_is_held(self, number: int, label: str, keyed: bool) -> None:
        live = self.live()
        self.sends(live[-1 - number % len(live)].id, label, keyed)

    def sends(self, lease: int, label: str, keyed: bool) -> None:
        key = str(uuid5(NAMESPACE, f"{self.project}-{len(self.sent)}")) if keyed else None
        self.sent.append((lease, label, key))
        self.submits(*self.sent[-1])

    @sent
    @rule(number=which)
    def sends_an_answer_once_more(self, number: int) -> None:
        self.submits(*self.sent[-1 - number % len(self.sent)])

    @sent
    @leased
    @rule(number=which, lease=which, label=labels)
    def sends_something_else_under_an_old_key(self, number: int, lease: int, label: str) -> None:
        self.submits(self.lease(lease).id, label, self.sent[-1 - number % len(self.sent)][2])

    @leased
    @rule(number=which)
    def takes_back(self, number: int) -> None:
        lease, model = self.lease(number), self.model
        answer = self.of(lease).delete(f"/leases/{lease.id}/annotation")
        if not self.came_in(lease, answer):
            return
        status, what = model.take_back(lease)
        self.same(answer, status)
        if what == "keep":
            assert answer.json()["id"] == lease.id
        elif what == "elsewhere":
            assert model.leases[answer.json()["id"]].state == "live"
        elif what == "back":
            self.is_back(lease, answer.json())

    @answered
    @rule(
        number=which,
        who=st.sampled_from((*PEOPLE, *[None] * 10)),
        label=labels,
        seen=st.sampled_from((*[0] * 8, 1, None)),
    )
    def corrects(self, number: int, who: str | None, label: str, seen: int | None) -> None:
        """By whose answer it is, most of the time."""
        model, current = self.model, self.answer(number)
        who = who or current.person
        tag = {} if seen is None else {"If-Match": f'"{current.number + seen}"'}
        body = {"label": {"class": label}}
        answer = self.world.people[who].put(f"/annotations/{current.id}", json=body, headers=tag)
        if who in model.inactive or seen is None:
            self.same(answer, 401 if who in model.inactive else 428)
        elif who not in model.roles:
            self.same(answer, 404)
        elif who != "boss" and current.person != who:
            self.same(answer, 403)
        elif who != "boss" and model.state != "open":
            self.same(answer, 409)
        elif seen or current.retracted:
            self.same(answer, 412)
        else:
            self.same(answer, 200)
            model.append(current, answer.json()["id"], who, label=label, decisive=who == "boss")

    @answered
    @rule(number=which, seen=st.sampled_from((0, 0, 0, 1)))
    def retracts(self, number: int, seen: int) -> None:
        current = self.answer(number)
        tag = {"If-Match": f'"{current.number + seen}"'}
        answer = self.boss.delete(f"/annotations/{current.id}", headers=tag)
        if seen or current.retracted:
            self.same(answer, 412)
            return
        self.same(answer, 200)
        self.model.append(current, answer.json()["id"], "boss", retracted=True)
        lease = self.model.leases[current.lease]
        if lease.state == "answered":
            lease.state = "released"

    @leased
    @rule(number=which, who=people)
    def nobody_touches_a_lease_of_somebody_else(self, number: int, who: str) -> None:
        lease = self.lease(number)
        if who == lease.person:
            return
        speaker = self.world.people[who]
        body = {"lease": lease.id, "label": {"class": "cat"}, "seconds_spent": 1}
        answers = [
            speaker.post("/annotations", json=body),
            speaker.post(f"/leases/{lease.id}/renew"),
            speaker.post(f"/leases/{lease.id}/skip", json={}),
            speaker.delete(f"/leases/{lease.id}"),
            speaker.delete(f"/leases/{lease.id}/annotation"),
        ]
        assert {each.status_code for each in answers} == {401 if who in self.model.inactive else 404}

    @rule(
        number=which,
        how=st.sampled_from(("imports", "imports", "imports_the_same_again", "replaces", "replaces", "deletes")),
    )
    def the_pool_changes(self, number: int, how: str) -> None:
        deeds = {"imports": self.imports, "replaces": self.replaces, "deletes": self.deletes}
        deeds[how](1 + number % 3 if how == "imports" else number) if how in deeds else self.imports_the_same_again()

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

    @rule(state=st.sampled_from(("paused", "closed")))
    def opens_or_closes(self, state: str) -> None:
        """What is shut is opened by the next one of these."""
        state = state if self.model.state == "open" else "open"
        self.changes(state=state)
        self.model.state = state

    @rule(who=others, how=st.sampled_from(("leaves", "is_switched_off")))
    def comes_or_goes(self, who: str, how: str) -> None:
        """Who is out comes in again by the next one of these."""
        if who not in self.model.roles:
            self.joins(who)
        elif who in self.model.inactive:
            self.is_switched_off_or_on(who, active=True)
        elif how == "leaves":
            self.leaves(who)
        else:
            self.is_switched_off_or_on(who, active=False)

    @rule(who=others)
    def is_told_what_is_so_already(self, who: str) -> None:
        model = self.model
        self.joins(who) if who in model.roles else self.leaves(who)
        self.is_switched_off_or_on(who, active=who not in model.inactive)

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

    @rule(seconds=st.sampled_from((70, 1000)))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(seconds)
        self.model.now += seconds

    @rule(
        how=st.sampled_from(("works", "works", "dies", "is_overtaken")),
        asked=st.booleans(),
        checkpoint=st.integers(0, 4),
    )
    def a_worker(self, how: str, asked: bool, checkpoint: int) -> None:
        if asked:
            assert self.boss.post(f"/projects/{self.project}/rounds").status_code in (202, 409)
        if how == "works":
            self.world.worker().run_one()
        elif how == "dies":
            self.a_worker_dies(checkpoint)
        else:
            self.a_worker_is_overtaken()

    def a_worker_dies(self, checkpoint: int) -> None:
        self.world.dies_at(checkpoint)

    def a_worker_is_overtaken(self) -> None:
        slow = self.world.claimed()
        if slow is not None:
            self.time_passes(1000)
            self.world.worker().run_waiting()
            before = self.world.rows(FENCED, project=self.project)
            self.world.worker()._run(slow)
            assert self.world.rows(FENCED, project=self.project) == before

    @rule()
    def the_server_dies(self) -> None:
        self.world.restart()

    @rule()
    def reads(self) -> None:
        self.exports()
        self.reads_the_feed()
        self.numbers(self.boss.get(f"/projects/{self.project}/status").json())

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

    @invariant()
    def every_row_is_what_the_model_says(self) -> None:
        if self.project:
            self.world.steps += 1
            self.world.check(self.project, self.model)
            self.world.check_rounds(self.project)
            self.numbers(self.world.numbers(self.project))

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
