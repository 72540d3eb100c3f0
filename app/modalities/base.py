"""The contract of modalities: check a payload at the door and say how it is shown and turned into vectors."""

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from app.core.errors import InvalidPayload


@dataclass(frozen=True)
class FileInfo:
    """What is known of a file; `width` and `height` in pixels, `seconds` of a clip, its pictures a second."""

    type: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    frames_per_second: float | None = None


class Modality(Protocol):
    """One kind of item."""

    name: ClassVar[str]
    field: ClassVar[str]  # the item's payload field in the API: "text", "image", "row"
    viewer: ClassVar[str]  # the browser's custom element
    media: ClassVar[str | None]  # how the types of its files begin, "image/"; None where the content is in the row
    featurizers: ClassVar[tuple[str, ...]]  # by name, the default first

    def check(self, payload: Any) -> Any:
        """Return the payload as it is stored, or raise InvalidPayload with a sentence that names the fault."""
        ...

    def fingerprint(self, payload: Any) -> str:
        """Hex digest of the normalised content: equal for copies and for near-identical text."""
        ...


class StoredFileItem:
    """What modalities of stored files share: `{"media": id, "sha256": ..., "name": ...}` and what the file is like.

    `{"address": ...}` alone is a file that is still to be fetched.
    """

    name: ClassVar[str]

    def check(self, payload: Any) -> Any:
        """The stored form; raises InvalidPayload when the file was not looked up."""
        if isinstance(payload, dict) and isinstance(payload.get("sha256", payload.get("address")), str):
            return payload
        raise InvalidPayload(f"{self.name} names a stored file: upload it to /media first")

    def fingerprint(self, payload: Any) -> str:
        """Equal for files of the same bytes, and for the same address before its file is here."""
        if "sha256" in payload:
            return str(payload["sha256"])[:32]
        return hashlib.blake2b(payload["address"].encode(), digest_size=16).hexdigest()
