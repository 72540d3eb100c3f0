"""What is served, decided by keyed draws: the server and the simulation share these functions and so the order."""

from hashlib import blake2b

AUDIT_WARM_UP_FROM = 20  # slots of the smallest first round: until it ends no model is there to be judged
AUDIT_WARM_UP = 60  # audit answers until which the audit share is raised
AUDIT_WARM_UP_SHARE = 0.3
GUARDED_SHARE = 0.5  # of the slots, while the guard is up
SHORTEST_QUEUE = 200
MOST_MEANWHILE = 2_500  # answers, and items in people's hands, that an order's length follows, at most


def audit_reserved(project_seed: int, key: str, share: float) -> bool:
    """Whether an item belongs to the audit set, drawn once from (project seed, key); true for `share` of all keys."""
    return audit_place(project_seed, key) < share


def audit_place(project_seed: int, key: str) -> float:
    """The number in [0, 1) by which an item is an audit item: a higher share takes what a lower one takes, and more."""
    return _uniform(project_seed, "audit", key)


def draw(project_seed: int, key: str) -> int:
    """A uniform 63-bit number of an item: its place in the audit order and in the seeded random order."""
    return _hash(project_seed, "draw", key) >> 1


def slot_kind(
    project_seed: int, slots_served: int, audit_answers: int, audit_share: float, *, guarded: bool = False
) -> str:
    """Whether the next slot is served from the audit order or from the query order.

    The share is as set in the first 20 slots, 0.3 until 60 audit answers are in, then as set again, and 0.5 at least
    while the guard is up; without an audit share every slot is a query.
    """
    if audit_share <= 0:
        return "query"
    warm_up = slots_served >= AUDIT_WARM_UP_FROM and audit_answers < AUDIT_WARM_UP
    share = max(audit_share, AUDIT_WARM_UP_SHARE) if warm_up else audit_share
    share = max(share, GUARDED_SHARE) if guarded else share
    return "audit" if _uniform(project_seed, "slot", str(slots_served)) < share else "query"


def is_blind(project_seed: int, key: str, annotator: int, blind_share: float) -> bool:
    """Whether a queried item is shown without suggestion and reason, so that anchoring can be measured."""
    return _uniform(project_seed, f"blind {annotator}", key) < blind_share


def queue_length(round_size: int, live_leases: int, answered_meanwhile: int = 0) -> int:
    """How long an order a round publishes, so that nobody runs dry before the next one.

    `answered_meanwhile`: answers since the labels of the round before were read, which is the pace of the people
    over one turn; where rounds are slow it says more than their number does.
    """
    held, answered = min(live_leases, MOST_MEANWHILE), min(answered_meanwhile, MOST_MEANWHILE)
    return max(SHORTEST_QUEUE, 5 * round_size, 3 * held, 2 * answered)


def _uniform(seed: int, purpose: str, key: str) -> float:
    return _hash(seed, purpose, key) / 2**64


def _hash(seed: int, purpose: str, key: str) -> int:
    keyed = blake2b(key.encode(), digest_size=8, key=seed.to_bytes(8, "big", signed=True), person=purpose.encode()[:16])
    return int.from_bytes(keyed.digest(), "big")
