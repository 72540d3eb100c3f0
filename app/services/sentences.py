"""The sentences of the overview: what a lead should know, and why a figure is missing where it is."""

from typing import Any

from sqlalchemy.orm import Session

from app.db import Project, Round
from app.evaluation.intervals import in_words
from app.evaluation.saved import Saved
from app.loop.evaluate import FEWEST_AUDIT
from app.loop.named import Named
from app.services import simulations, unanswered

NONE_FIRST = "none of them comes first while the audit share is 0"


def accuracy_words(
    session: Session, project: Project, state: dict[str, Any], points: list[dict[str, Any]], last: Round | None = None
) -> str:
    """How good the model is, or why nobody can tell and what to do about it."""
    accuracy = state["audit"]["accuracy"]
    own = bool(state["items"]["test"])
    if state["no_learner"] is not None:
        return str(state["no_learner"])
    if accuracy is not None:
        of_own = bool(points) and points[-1]["stratum"] == "imported"
        ahead = 0 if of_own else how_made(last).get("ahead", 0)
        return in_words(accuracy, "test items" if of_own else "audit answers", ahead)
    judges = unanswered.judges(session, project.id, FEWEST_AUDIT)
    reason = ((last.metrics or {}) if last else {}).get("reason")
    if reason and judges >= FEWEST_AUDIT:
        return f"Cannot tell yet: {reason}; {FEWEST_AUDIT} are needed."
    if own or judges >= FEWEST_AUDIT:
        return "Cannot tell yet: the curve begins with the first round that has labels of two classes."
    if project.audit_share == 0:
        return "Nothing judges the model: the audit share is 0. Set one, or import rows with a label and split audit."
    return f"Cannot tell yet: {judges} of the {FEWEST_AUDIT} answered audit items that the curve begins with."


def how_made(last: Round | None) -> dict[str, Any]:
    """How the newest round's accuracy was estimated; empty where nothing is known of it."""
    return ((last.metrics or {}) if last else {}).get("how") or {}


def how_words(last: Round | None, share: float) -> str | None:
    """How the accuracy was estimated where it is more than counted, or why it is not; None where it is just counted.

    `share` is the audit share of now: where it is 0, no audit item comes ahead of others.
    """
    how, said = how_made(last), []
    if how.get("choice") == "active":
        silent = f", {how['unanswered']} of them without an answer" if how.get("unanswered") else ""
        said.append(
            f"Each answer is weighed by the chance with which its item was drawn: {how['drawn']:,} of "
            f"{how['audit_set']:,} audit items{silent}."
        )
    if how.get("speaks_of", 1.0) < 1:
        said.append(_spoken(how, share))
    if how.get("estimate") == "prediction_powered":
        heeded = (
            f"heeded by {100 * how['factor']:.0f} %" if how["factor"] else "which tells nothing about the answers here"
        )
        said.append(f"What the model expects of the other audit items corrects it, {heeded}.")
    if how.get("why"):
        said.append(f"{how['why'][0].upper()}{how['why'][1:]}.")
    return " ".join(said) or None


def _spoken(how: dict[str, Any], audit_share: float) -> str:
    """Of how much of the pool the accuracy speaks, and why its band is wider than that."""
    share = min(99, max(1, round(100 * how["speaks_of"])))
    why = []
    if how["unheard"]:
        first = f"{how.get('ahead', 0):,} of them come first now" if audit_share else NONE_FIRST
        next_ = f"; {first}" if how.get("ahead") else ""
        why.append(f"{how['unheard']:,} audit items came in too late or were passed over{next_}.")
    if how.get("taken_out"):
        why.append(
            f"{how['taken_out']:,} audit items were taken out before they were drawn: more audit answers will tell "
            "of those that are left."
        )
    said = " ".join(why) or "The others came in with another audit share."
    return (
        f"The answers speak of {share} % of the items; the band reckons with all others being wrong, or right. {said}"
    )


def unanswered_words(last: Round | None) -> str | None:
    """Audit items without an answer, and the accuracy that they might make, unless answers are weighed by draws."""
    metrics = (last.metrics or {}) if last else {}
    judged = metrics.get("audit") or {}
    counted = (judged.get("how") or {}).get("choice") == "random"
    return unanswered.words(metrics.get("unanswered"), judged.get("accuracy") if counted else None)


def error_words(last: Round | None) -> str | None:
    """How far a rating's suggestions lie from the answers; None where the driving question is no rating."""
    found = ((last.metrics or {}) if last else {}).get("mean_absolute_error")
    if found is None:
        return None
    return f"Off by {found['value']:.2g} on the mean (between {found['low']:.2g} and {found['high']:.2g})"


def saved_words(last: Round | None) -> str | None:
    """Whether choosing saves labels, with its interval, or that nobody can tell yet; None without audit answers.

    That it cost labels is said only where audit answers were always kept apart: a choice that knows them asks nothing
    near them, so that on them its learner looks worse than it is.
    """
    metrics = (last.metrics or {}) if last else {}
    found = Saved.from_json(metrics.get("saved"))
    if metrics.get("audit") is None or last is None:
        return None
    if (metrics.get("how") or {}).get("choice") == "active":
        return "Audit items are chosen, so no random answers say whether choosing saves labels."
    if found.labels is None:
        return f"Cannot tell yet whether choosing saves labels: {_nothing_told(found)}."
    level = (
        f"what {found.labels:,} random labels teach (round {found.round}; all such intervals hold together with 90 %)"
    )
    low, high = found.low, found.high or 0
    if low is not None and low > 0:
        saved = f"{low:,} to {high:,} labels" if high < found.labels else f"{low:,} labels or more"
        return f"Choosing saved {saved} on the way to {level}."
    if high <= 0 and not found.apart:
        return "Cannot tell yet whether choosing saves labels: on these audit answers it did not."
    if high <= 0:
        cost = f"{-high:,} label{'' if high == -1 else 's'} or more" if high else "labels"
        return f"Choosing cost {cost} on the way to {level}."
    between = _lost_to_saved(low, high if high < found.labels else None)
    return f"Cannot tell yet whether choosing saves labels: {between} on the way to {level}."


def _nothing_told(found: Saved) -> str:
    """Why nothing is known of labels saved: no look was taken, or those that were told nothing."""
    if not found.judged:
        return "too few audit answers compare it with random ones"
    at = f"at {found.judged:,} audit answers"
    looks = f"a look {at}" if found.looks == 1 else f"{found.looks:,} looks, the last {at},"
    return f"{looks} could not tell chosen labels from random ones; the next is at {found.next_at:,}"


def _lost_to_saved(low: int | None, high: int | None) -> str:
    """An interval around nought; None where nothing is known on that side."""
    if low is None:
        return f"at most {high:,} saved"
    worst = "none" if low == 0 else f"{-low:,} lost"
    if high is None:
        return "none lost" if low == 0 else f"at most {worst}"
    return f"{worst} to {high:,} saved"


def strategy_words(session: Session, project: Project) -> str | None:
    """Which simulation the strategy comes from, and how to undo that; None for a strategy that people chose."""
    found = simulations.in_force(session, project)
    if found is None:
        return None
    number, moment = found
    named = Named.of(project.strategy).title
    return (
        f"{named} was chosen by simulation {number} on {moment:%d %B}: choose Automatic in the settings to undo that."
    )


def goal_words(state: dict[str, Any]) -> str:
    """The progress against the goal in a sentence, always with the number of labels."""
    said = [part["words"] for part in state["goal_parts"]]
    counted = any(part["name"] == "labels" for part in state["goal_parts"])
    return "; ".join(said if counted else [f"{state['items']['answered']:,} labels", *said])
