"""Checks of a featurizer's parameters, at the moment when it is made."""

import math
from typing import Any

from app.core.errors import Invalid


def check_integer(name: str, value: Any, low: int, high: int) -> None:
    """Raise Invalid unless the value is a whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Invalid(
            f"featurizer.{name} is a whole number from {low} to {high:,}", fields={f"featurizer.{name}": "range"}
        )


def check_number(name: str, value: Any, low: float, high: float) -> None:
    """Raise Invalid unless the value is a finite number from `low` to `high`."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise Invalid(f"featurizer.{name} is a number from {low:g} to {high:g}", fields={f"featurizer.{name}": "range"})


def check_boolean(name: str, value: Any) -> None:
    """Raise Invalid unless the value is true or false."""
    if not isinstance(value, bool):
        raise Invalid(f"featurizer.{name} is true or false", fields={f"featurizer.{name}": "true or false"})
