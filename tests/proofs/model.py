"""What the product promises about items, leases and answers, once more in plain Python: dicts and a handful of rules.

Nothing here is shared with the product, so that a mistake must be made twice to go unseen. The rules are those of the
contract: leases end in the next request for leases and not before, an answer counts while its slot is free, a
correction is a version, a retraction is one too, and an item is done once its slots are answered or a manager's word
stands.
"""

from dataclasses import dataclass, field

TERM = 900  # seconds of a lease
SKIPS_UNTIL_A_LOOK = 3
HOLDS = ("live", "answered")
CONCERNS = ("live", "answered", "skipped")


@dataclass
class Item:
    """One item."""

    id: int
    key: str
    content: int = 0  # changes with an import that replaces it
    revision: int = 1
    deleted: bool = False
    skips: int = 0


@dataclass
class Lease:
    """A slot of an item in somebody's hands until a moment."""

    id: int
    item: int
    slot: int
    person: str
    ends: int
    revision: int  # of the content that was shown
    state: str = "live"


@dataclass
class Version:
    """One version of an answer, in the order of the feed."""

    id: int
    answer: int  # the id of its first version
    number: int
    item: int
    revision: int
    lease: int
    person: str  # who wrote this version
    label: str
    counted: bool
    retracted: bool = False
    decisive: bool = False
    request: str | None = None


@dataclass
class Reference:
    """A project as it has to be."""

    overlap: int
    widest: int = 3  # the overlap that was the highest so far
    now: int = 0
    state: str = "open"
    items: dict[int, Item] = field(default_factory=dict)
    leases: dict[int, Lease] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)  # of members
    inactive: set[str] = field(default_factory=set)

    def add(self, item: int, key: str) -> None:
        """An item that was imported; nothing where it is known."""
        self.items.setdefault(item, Item(item, key))

    def may_come_in(self, person: str) -> int:
        """The status that a person gets anywhere in the project, 200 for a member."""
        if person in self.inactive:
            return 401
        return 200 if person in self.roles else 404

    def holders(self, item: int) -> list[Lease]:
        """Leases that hold a slot of an item."""
        return [each for each in self.leases.values() if each.item == item and each.state in HOLDS]

    def concerns(self, item: int, person: str) -> bool:
        """Whether a person has the item, has answered it or has skipped it."""
        return any(
            each.item == item and each.person == person and each.state in CONCERNS for each in self.leases.values()
        )

    def standing(self, item: int) -> list[Version]:
        """The current answers to the content that an item has, without those taken back."""
        newest = {each.answer: each for each in self.versions if each.item == item}
        revision = self.items[item].revision
        return [each for each in newest.values() if not each.retracted and each.revision == revision]

    def current(self, answer: int) -> Version:
        """The newest version of an answer."""
        return [each for each in self.versions if each.answer == answer][-1]

    def done(self, item: int) -> bool:
        """Whether nobody is asked about an item any more."""
        standing = self.standing(item)
        return sum(each.counted for each in standing) >= self.overlap or any(each.decisive for each in standing)

    def expire(self) -> None:
        """Leases whose moment has come end; written by the next request for leases."""
        for each in self.leases.values():
            if each.state == "live" and each.ends <= self.now:
                each.state = "expired"

    def mine(self, person: str) -> list[Lease]:
        """Live leases of a person that are shown to him, oldest first."""
        found = [each for each in self.leases.values() if each.person == person and each.state == "live"]
        return sorted((each for each in found if not self.items[each.item].deleted), key=lambda each: each.id)

    def eligible(self, person: str) -> set[int]:
        """Items that a person may be given."""
        return {
            item.id
            for item in self.items.values()
            if not item.deleted
            and not self.done(item.id)
            and item.skips < SKIPS_UNTIL_A_LOOK
            and not self.concerns(item.id, person)
            and len(self.holders(item.id)) < self.overlap
        }

    def free_slot(self, item: int) -> int:
        """The lowest slot that nobody holds."""
        held = {each.slot for each in self.holders(item)}
        return next(slot for slot in range(self.overlap + 1) if slot not in held)

    def give(self, person: str, lease: int, item: int) -> None:
        """A new lease."""
        shown = self.items[item].revision
        self.leases[lease] = Lease(lease, item, self.free_slot(item), person, self.now + TERM, shown)

    def may_hold(self, lease: Lease) -> bool:
        """Whether a lease that ended could hold its slot again."""
        others = [each for each in self.leases.values() if each.item == lease.item and each.id != lease.id]
        taken = any(each.state in HOLDS and each.slot == lease.slot for each in others)
        elsewhere = any(each.state in CONCERNS and each.person == lease.person for each in others)
        return not taken and not elsewhere

    def renew(self, lease: Lease) -> int:
        """The status of a renewal; 200 moves the end."""
        if lease.state not in ("live", "expired") or not self.may_hold(lease):
            return 409
        lease.state, lease.ends = "live", self.now + TERM
        return 200

    def release(self, lease: Lease) -> None:
        """A lease that is given back."""
        if lease.state == "live":
            lease.state = "released"

    def skip(self, lease: Lease) -> int:
        """The status of a skip; 204 counts it on the item, once."""
        if lease.state == "skipped":
            return 204
        others = [each for each in self.leases.values() if each.item == lease.item and each.id != lease.id]
        if lease.state == "answered" or any(e.person == lease.person and e.state in CONCERNS for e in others):
            return 409
        lease.state = "skipped"
        self.items[lease.item].skips += 1
        return 204

    def answer_of(self, lease: Lease) -> Version | None:
        """The current answer to a lease, where it is the holder's own and stands."""
        found = [each for each in self.versions if each.lease == lease.id]
        last = self.current(found[-1].answer) if found else None
        return None if last is None or last.retracted else last

    def submit(self, lease: Lease, label: str, request: str | None) -> tuple[int, Version | None]:
        """The status of an answer, and the stored version that it gets where nothing new is stored."""
        sent = [each for each in self.versions if each.request == request and each.person == lease.person]
        if request is not None and sent:
            same = sent[0].lease == lease.id and sent[0].label == label
            return (201, sent[0]) if same else (422, None)
        if self.items[lease.item].deleted or self.state == "closed":
            return 410 if self.items[lease.item].deleted else 409, None
        before = self.answer_of(lease)
        if before is not None:
            same = before.person == lease.person and before.label == label
            return (201, before) if same else (409, None)
        return 201, None

    def store(self, lease: Lease, version: int, label: str, request: str | None) -> Version:
        """A new answer; it counts where its slot is its own or free."""
        current = lease.revision == self.items[lease.item].revision
        counted = lease.state == "live" or (current and self.may_hold(lease))
        if counted:
            if lease.state == "skipped":
                self.items[lease.item].skips -= 1
            lease.state = "answered"
        made = Version(version, version, 1, lease.item, lease.revision, lease.id, lease.person, label, counted)
        made.request = request
        self.versions.append(made)
        return made

    def append(self, current: Version, version: int, person: str, **changes: object) -> Version:
        """The next version of an answer."""
        values = {name: getattr(current, name) for name in ("item", "revision", "lease", "label", "counted")}
        values |= {"retracted": current.retracted, "decisive": current.decisive} | changes
        made = Version(version, current.answer, current.number + 1, person=person, **values)  # type: ignore[arg-type]
        self.versions.append(made)
        return made

    def take_back(self, lease: Lease) -> tuple[int, str]:
        """The status of taking an answer or a skip back, and what comes of it: `keep`, `nothing`, `elsewhere`, `back`.

        `keep`: the lease is live; `elsewhere`: another lease of the person holds the item.
        """
        before = self.answer_of(lease)
        if self.items[lease.item].deleted:
            return 410, "nothing"
        if lease.state == "live":
            return 200, "keep"
        if before is not None and before.person != lease.person:
            return 409, "nothing"
        if before is None and lease.state != "skipped":
            held = [each for each in self.mine(lease.person) if each.item == lease.item]
            return (200, "elsewhere") if held else (404, "nothing")
        return 200, "back"

    def replace(self, item: Item) -> None:
        """Another content: who had to do with the old one is asked anew."""
        item.content, item.revision, item.skips = item.content + 1, item.revision + 1, 0
        for each in self.leases.values():
            if each.item == item.id and each.state in CONCERNS:
                each.state = "released"

    def remove(self, person: str) -> None:
        """Who is out of the project, or out of the service, holds nothing any more."""
        for each in self.leases.values():
            if each.person == person:
                self.release(each)
