"""What two rounds said of the same items, put side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from app.db import Project, RoundRecord
from app.services import tasks
from app.services.records import STRATA


@dataclass(frozen=True)
class Said:
    """What a round took an item for and what was answered, as ids of classes (lists where several may hold)."""

    said: Any
    answer: Any  # None: the answers are a tie
    chances: Mapping[int, float] | None = None  # of the classes that are likely; None where they are not kept

    @property
    def right(self) -> bool | None:
        """None of a tie."""
        return None if self.answer is None else bool(self.said == self.answer)


@dataclass(frozen=True)
class Pair:
    """An item that both rounds spoke of: what the first and the second said, and the answer that the second knew."""

    item: int
    first: Any
    second: Any
    answer: Any = None


@dataclass(frozen=True)
class Common:
    """The items that judged both rounds. `ties` have no answer that is ahead, `corrected` another one than before."""

    stratum: str | None = None
    pairs: list[Pair] = field(default_factory=list)
    ties: int = 0
    corrected: int = 0

    @property
    def gained(self) -> list[Pair]:
        """Those that only the second round was right about."""
        return [each for each in self.pairs if each.first != each.answer == each.second]

    @property
    def lost(self) -> list[Pair]:
        """Those that only the first round was right about."""
        return [each for each in self.pairs if each.first == each.answer != each.second]


def headline(record: RoundRecord) -> dict[int, Said]:
    """What a round said by item, of the stratum that its accuracy is of; empty where nothing judged it."""
    judged = record.judged or {}
    for name in reversed(STRATA):  # the client's own test set comes first, as in the metrics
        if name in judged:
            return _said(judged[name], {})
    return {}


def judging(record: RoundRecord, merged: Mapping[int, int]) -> tuple[str, dict[int, Said]] | None:
    """The stratum that a round's slices are of, and what it said by item; None where no uniform sample judged it."""
    judged = record.judged or {}
    stratum = next((name for name in reversed(STRATA) if _judges(judged, name)), None)
    return None if stratum is None else (stratum, _said(judged[stratum], merged))


def common(first: RoundRecord, second: RoundRecord, merged: Mapping[int, int]) -> Common:
    """The items that judged both rounds, by the answers that the second one knew; `merged` classes count as one.

    The client's own test set where it judged both, else the audit answers, where chance drew them for both: chosen ones
    are no uniform sample. Cost: O(judged items).
    """
    both = [each.judged or {} for each in (first, second)]
    stratum = next((name for name in reversed(STRATA) if all(_judges(each, name) for each in both)), None)
    if stratum is None:
        return Common()
    before, after = (_said(each[stratum], merged) for each in both)
    shared = sorted(before.keys() & after.keys())
    ties = [item for item in shared if after[item].answer is None]
    corrected = sum(before[item].answer != after[item].answer for item in shared)
    pairs = [
        Pair(item, before[item].said, after[item].said, after[item].answer)
        for item in shared
        if after[item].answer is not None
    ]
    return Common(stratum, pairs, len(ties), corrected)


def _judges(judged: Mapping[str, Any], stratum: str) -> bool:
    """Whether a round's stratum is a uniform sample that judged it."""
    return stratum in judged and (stratum == "imported" or bool(judged["drawn"]))


def moves(first: Mapping[str, Any], second: Mapping[str, Any], merged: Mapping[int, int]) -> list[Pair]:
    """The items of both samples that were taken for something else by the second round."""
    before, after = ({item: _now(said, merged) for item, said in _rows(each)} for each in (first, second))
    shared = sorted(before.keys() & after.keys())
    return [Pair(item, before[item], after[item]) for item in shared if before[item] != after[item]]


def sampled_by_both(first: Mapping[str, Any], second: Mapping[str, Any]) -> int:
    """How many items both samples have."""
    return len(set(first["items"]) & set(second["items"]))


def merged_now(session: Session, project: Project) -> Mapping[int, int]:
    """Classes of the driving question that are read as others by now."""
    return tasks.driving(tasks.questions(session, project)).merged


def _said(rows: Mapping[str, Any], merged: Mapping[int, int]) -> dict[int, Said]:
    chances = rows.get("chances", [None] * len(rows["items"]))
    parts = zip(rows["items"], rows["said"], rows["answers"], chances, strict=True)
    return {
        item: Said(_now(said, merged), _now(answer, merged), None if likely is None else dict(likely))
        for item, said, answer, likely in parts
    }


def _rows(sample: Mapping[str, Any]) -> Any:
    return zip(sample["items"], sample["said"], strict=True)


def _now(said: Any, merged: Mapping[int, int]) -> Any:
    """A class, or a list of them, as it is read now."""
    if isinstance(said, list):
        return sorted({merged.get(each, each) for each in said})
    return None if said is None else merged.get(said, said)
