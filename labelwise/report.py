"""What became of pushed rows."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Report:
    """What became of pushed rows."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected_count: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)

    def plus(self, other: "Report", *, lines_before: int = 0) -> "Report":
        """Both together; `lines_before` is added to the other's line numbers."""
        moved = [{**row, "line": row["line"] + lines_before} for row in other.rejected]
        return Report(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.rejected_count + other.rejected_count,
            self.rejected + moved,
        )
