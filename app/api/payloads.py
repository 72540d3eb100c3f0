"""How an item's content is shown over REST, the same on every route."""

from typing import Any

from app.services.media import file_in


def item_view(modality: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload fields of an item: text as stored, a file with the address of its bytes, here or still outside."""
    found = file_in(payload)
    if found is None or found[0] != modality:
        return payload
    field, held = found
    if not isinstance(held.get("media"), int):
        return {field: {"address": held.get("address")}}
    size = {key: held[key] for key in ("name", "width", "height", "seconds", "frames_per_second") if key in held}
    return {field: {"media": held["media"], "url": f"/api/v1/media/{held['media']}", **size}}
