"""How good a round's model is by the items that judge it: pure of the clock, so that a replay measures the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.core.arrays import Indices
from app.db import Database
from app.evaluation.guard import Guard
from app.evaluation.saved import Saved
from app.loop import counterfactual
from app.loop.auditing import Answers
from app.loop.evaluate import Peek, evaluate
from app.loop.guarding import Twin, guarded
from app.loop.propose import Labelled, Progress, Proposal
from app.services import opening, slicing
from app.services.turn_state import Turn, labelled_rows

SPOKEN = ("share", "unknown", "unheard", "ahead")  # of what the answers speak, as `AuditSet` has it


@dataclass(frozen=True)
class Terms:
    """What the rounds before left, and how often they looked."""

    peek: Peek
    guard: Guard
    saved: Saved

    def to_json(self) -> dict[str, Any]:
        """As a round's record keeps it; the guard stands in its recipe.

        `drawn`: the audit items are a uniform sample. `counted`: their estimate rests on the answers alone. `spoken`:
        of which share of the pool, where not all answers judge.
        """
        audits = self.peek.audits
        return {
            "spoken": None if audits.told is None else self._spoken(audits.told),
            "chooses": audits.chooses,
            "look": self.peek.look,
            "population": self.peek.population,
            "saved": self.saved.to_json(),
            "drawn": not audits.chosen,
            "counted": audits.draws is None and not audits.powered,
        }

    def _spoken(self, told: Indices) -> dict[str, Any]:
        """Which answers judge, and what they speak of."""
        return {name: getattr(self.peek.audits, name) for name in SPOKEN} | {"told": [int(each) for each in told]}


@dataclass(frozen=True)
class Measured:
    """The metrics, without the advice whether to go on; what was said of the judging items; the labelled rows."""

    metrics: dict[str, Any]
    judged: Mapping[str, Answers] = field(default_factory=dict)
    labelled: Labelled | None = None


def unmeasured(terms: Terms) -> Measured:
    """Of a round without a model, or whose evaluation failed: what was known before it."""
    return Measured(
        {"looks": terms.peek.look - 1, "guard": terms.guard.to_json(), "saved": terms.saved.to_json(), "slices": None}
    )


def measure(db: Database, turn: Turn, proposal: Proposal, terms: Terms, progress: Progress) -> Measured:
    """Judge the round's model; no transaction is open while learners are fitted. Costs some thirty fits.

    Raises:
        ValueError, ArithmeticError, LinAlgError: it cannot be judged.
    """
    if proposal.model is None:
        return unmeasured(terms)
    tests = [item for item in turn.labels.items if item.imported_test]
    heldout = judging_rows(turn, labelled_rows(turn, tests)) if tests else None
    labelled = judging_rows(turn, labelled_rows(turn, opening.taught(turn.labels.items)))
    found = evaluate(labelled, heldout, turn.plan, proposal.model, progress, terms.peek)
    guard, saved = _beside_chance(found.compared, labelled, turn, terms, progress)
    # Chosen audit items are no uniform sample: how they fall into slices says nothing of the pool.
    alike = {name: each for name, each in found.judged.items() if name == "imported" or not terms.peek.audits.chosen}
    with db.read() as session:
        slices = slicing.worst_slices(session, turn.project_id, alike, turn.plan.multiple, terms.peek.look)
    looks = terms.peek.look if found.looked else terms.peek.look - 1
    metrics = found.to_json() | {"looks": looks, "guard": guard.to_json(), "saved": saved.to_json(), "slices": slices}
    return Measured(metrics, found.judged, labelled)


def _beside_chance(
    compared: Twin | None, labelled: Labelled, turn: Turn, terms: Terms, progress: Progress
) -> tuple[Guard, Saved]:
    """The guard, and what is known of labels saved: without random answers the one is down, the other what it was."""
    saved = terms.saved.asked_of(turn.class_ids, turn.labels.newest_annotation, apart=turn.plan.apart)
    if terms.peek.audits.chosen:
        return Guard(), saved
    saved = counterfactual.look(saved, labelled, turn.plan, turn.number, progress)
    return guarded(compared, turn.plan, terms.guard), saved


def judging_rows(turn: Turn, labelled: Labelled) -> Labelled:
    """The same rows; of an outside model those that it spoke of, with what it said."""
    if turn.version is None:
        return labelled
    found, probabilities = turn.version.given.of(labelled.ids)
    kept = labelled.take(found)
    return replace(kept, block=replace(kept.block, given=probabilities))
