"""How an item's content is shown over REST, the same on every route."""

from typing import Any


def item_view(modality: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload fields of an item: text as stored, an image with the address of its bytes."""
    if modality == "image" and isinstance(payload.get("media"), int):
        media = payload["media"]
        size = {key: payload[key] for key in ("name", "width", "height") if key in payload}
        return {"image": {"media": media, "url": f"/api/v1/media/{media}", **size}}
    return payload
