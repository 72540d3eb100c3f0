"""How an item's content is shown over REST, the same on every route."""

from typing import Any


def item_view(modality: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload fields of an item: text as stored, an image with the address of its bytes, here or still outside."""
    image = payload.get("image")
    if modality == "image" and isinstance(image, dict) and isinstance(image.get("media"), int):
        size = {key: image[key] for key in ("name", "width", "height") if key in image}
        return {"image": {"media": image["media"], "url": f"/api/v1/media/{image['media']}", **size}}
    if modality == "image" and isinstance(image, dict):
        return {"image": {"address": image.get("address")}}
    return payload
