"""The contract of modalities: check a payload at the door and say how it is shown and turned into vectors."""

from typing import Any, ClassVar, Protocol


class Modality(Protocol):
    """One kind of item."""

    name: ClassVar[str]
    field: ClassVar[str]  # the item's payload field in the API: "text", "image", "row"
    viewer: ClassVar[str]  # the browser's custom element
    featurizers: ClassVar[tuple[str, ...]]  # by name, the default first

    def check(self, payload: Any) -> Any:
        """Return the payload as it is stored, or raise InvalidPayload with a sentence that names the fault."""
        ...

    def fingerprint(self, payload: Any) -> str:
        """Hex digest of the normalised content: equal for copies and for near-identical text."""
        ...
