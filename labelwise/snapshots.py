"""Data sets that stay as they were."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from labelwise.labels import Labels
from labelwise.speaking import Speaking


class Snapshot:
    """A named set of items with labels and splits; `card` is what the service says of it, `sha256` is of its rows."""

    def __init__(self, client: Speaking, project: str, card: dict[str, Any]) -> None:
        self._client = client
        self._path = f"{project}/snapshots/{card['name']}"
        self.card = card
        self.name: str = card["name"]
        self.sha256: str | None = card["sha256"]

    def export(self, *, format: str = "jsonl", split: str | None = None) -> Iterator[bytes]:
        """The bytes of all rows or of one split; all of them as JSONL have the snapshot's SHA-256."""
        asked = urlencode({"format": format} | ({"split": split} if split else {}))
        return self._client.stream(f"{self._path}/export?{asked}")

    def rows(self, split: str | None = None) -> Labels:
        """One dict an item."""
        return Labels(self.export(split=split))

    def compare(self, other: str) -> dict[str, Any]:
        """What this one has (`added`), lacks (`removed`) and labels otherwise (`changed`) than the one of that name."""
        found: dict[str, Any] = self._client.call("GET", f"{self._path}/diff", params={"with": other})
        return found

    def delete(self) -> None:
        """Delete it for good."""
        self._client.call("DELETE", self._path)
