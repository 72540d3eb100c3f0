"""The rules: which deeds are done, how often, and what holds after each."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.proofs.deeds import Deeds
from tests.proofs.model import Reference
from tests.proofs.world import PEOPLE

people = st.sampled_from(PEOPLE)
others = st.sampled_from(PEOPLE[1:])
labels = st.sampled_from(("cat", "dog"))
which = st.integers(0, 30)  # one of those there are, newest first
leased = precondition(lambda machine: machine.model.leases)
held = precondition(lambda machine: machine.live())
answered = precondition(lambda machine: machine.model.versions)
sent = precondition(lambda machine: machine.sent)


class Machine(Deeds):
    """Work most of the time; people, items and workers come and go beside it."""

    @initialize(overlap=st.integers(1, 3), items=st.integers(1, 8))
    def begin(self, overlap: int, items: int) -> None:
        made = self.boss.project(overlap=overlap, round_size=3, audit_share=0.2, blind_share=0.3)
        self.project = made["id"]
        self.model = Reference(overlap, widest=overlap, roles={"boss": "manager"})
        for name in ("ann", "ben", "cem"):
            self.joins(name)
        self.imports(items)

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

    @leased
    @rule(number=which, label=labels, keyed=st.booleans())
    def answers(self, number: int, label: str, keyed: bool) -> None:
        self.sends(self.lease(number).id, label, keyed)

    @held
    @rule(number=which, label=labels, keyed=st.booleans())
    def answers_what_is_held(self, number: int, label: str, keyed: bool) -> None:
        live = self.live()
        self.sends(live[-1 - number % len(live)].id, label, keyed)

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

    @rule(seconds=st.sampled_from((70, 1000)))
    def time_passes(self, seconds: int) -> None:
        self.advance(seconds)

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

    @rule()
    def the_server_dies(self) -> None:
        self.world.restart()

    @rule()
    def reads(self) -> None:
        self.exports()
        self.reads_the_feed()
        self.numbers(self.boss.get(f"/projects/{self.project}/status").json())

    @invariant()
    def every_row_is_what_the_model_says(self) -> None:
        if self.project:
            self.world.steps += 1
            self.world.check(self.project, self.model)
            self.world.check_rounds(self.project)
            self.numbers(self.world.numbers(self.project))
