"""Parameters of strategies: declared on the dataclass with their ranges, checked when they are set."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import Field, field, fields
from typing import Any

from app.core.errors import Invalid


def parameter(
    default: Any, lowest: float = 0.0, highest: float = math.inf, *, says: str = "", choices: Sequence[str] = ()
) -> Any:
    """A dataclass field with its range or choices, and what it means in some words."""
    return field(default=default, metadata={"range": (lowest, highest), "says": says, "choices": tuple(choices)})


def described(kind: type[Any]) -> list[dict[str, Any]]:
    """The parameters of a strategy for a form: name, default, what it means, and its range or choices."""
    return [
        {
            "name": each.name,
            "default": each.default,
            "says": each.metadata.get("says", ""),
            "choices": list(each.metadata.get("choices", ())),
            "range": [edge if math.isfinite(edge) else None for edge in each.metadata.get("range", (0.0, math.inf))],
            "whole": isinstance(each.default, int) and not isinstance(each.default, bool),
        }
        for each in fields(kind)
    ]


def check_parameters(name: str, kind: type[Any], given: Mapping[str, Any]) -> None:
    """Check values against the fields of a strategy.

    Raises:
        Invalid: a parameter that it does not have, or a value of another type or outside of its range.
    """
    known = {each.name: each for each in fields(kind)}
    for parameter, value in given.items():
        if parameter not in known:
            raise Invalid(f"strategy {name} has no parameter {parameter!r}")
        if fault := _fault(known[parameter], value):
            raise Invalid(f"strategy {name}: {parameter} {fault}")


def _fault(known: "Field[Any]", value: Any) -> str:
    if isinstance(known.default, bool):
        return "" if isinstance(value, bool) else "is true or false"
    if isinstance(known.default, str):
        return _word_fault(known.metadata.get("choices", ()), value)
    return _number_fault(known, value)


def _word_fault(choices: Sequence[str], value: Any) -> str:
    if not isinstance(value, str):
        return "is a word"
    return f"is one of {', '.join(choices)}" if choices and value not in choices else ""


def _number_fault(known: "Field[Any]", value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "is a number"
    lowest, highest = known.metadata.get("range", (0.0, math.inf))
    if not math.isfinite(value) or not lowest <= value <= highest:
        return _range_words(lowest, highest)
    if isinstance(known.default, int) and not isinstance(value, int):
        return "is a whole number"
    return ""


def _range_words(lowest: float, highest: float) -> str:
    if highest == math.inf:
        return "is finite and not below nought" if lowest == 0 else f"is finite and at least {lowest:g}"
    return f"is finite and from {lowest:g} to {highest:g}"
