"""The kinds of items a project can hold."""

from collections.abc import Mapping

from app.core.plugins import entries
from app.modalities.audio import AudioItem
from app.modalities.base import Modality
from app.modalities.image import ImageItem
from app.modalities.table import Table
from app.modalities.text import Text
from app.modalities.video import VideoItem

OWN: tuple[Modality, ...] = (Text(), ImageItem(), AudioItem(), VideoItem(), Table())
MODALITIES: Mapping[str, Modality] = entries("modalities", OWN)

__all__ = ["MODALITIES", "Modality"]
