"""The kinds of questions a project can ask, and how a project's task is written down."""

from collections.abc import Mapping

from app.core.plugins import entries
from app.task_types.base import ClassRef, Question, TaskType
from app.task_types.classification import Classification
from app.task_types.comparison import Comparison
from app.task_types.rating import Rating
from app.task_types.transcription import Transcription

OWN: tuple[TaskType, ...] = (Classification(), Rating(), Comparison(), Transcription())
TASK_TYPES: Mapping[str, TaskType] = entries("task_types", OWN)

__all__ = ["TASK_TYPES", "ClassRef", "Question", "TaskType"]
