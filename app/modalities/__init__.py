"""The kinds of items a project can hold."""

from collections.abc import Mapping

from app.modalities.base import Modality
from app.modalities.image import ImageItem
from app.modalities.table import Table
from app.modalities.text import Text

MODALITIES: Mapping[str, Modality] = {each.name: each for each in (Text(), ImageItem(), Table())}

__all__ = ["MODALITIES", "Modality"]
