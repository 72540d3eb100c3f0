"""Strategies by name and parameters, as people write them where several are compared."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import Invalid
from app.strategies import AUTO, make_strategy

BASELINE = "random"


@dataclass(frozen=True)
class Named:
    """A strategy with its parameters, and the title that tells it from the others: `margin`, `k_means:clusters=8`."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name, and each parameter that was set."""
        return ":".join([self.name, *(f"{key}={value}" for key, value in sorted(self.parameters.items()))])

    @classmethod
    def of(cls, given: dict[str, Any]) -> "Named":
        """From the form of a project's settings, `{"name": "margin"}`; raises Invalid as `make_strategy` does."""
        parameters = {key: value for key, value in given.items() if key != "name"}
        found = cls(str(given.get("name", AUTO)), parameters)
        make_strategy(found.name, parameters)
        return found

    @classmethod
    def parse(cls, text: str) -> "Named":
        """From the command line's form, `k_means:clusters=8`; raises Invalid for what there is not."""
        name, *parts = text.strip().split(":")
        given: dict[str, Any] = {"name": name}
        for part in parts:
            key, found, value = part.partition("=")
            if not found:
                raise Invalid(f"a parameter is written as {name}:{key}=VALUE")
            given[key] = _value(value)
        return cls.of(given)

    def settings(self) -> dict[str, Any]:
        """As a project's settings hold it."""
        return {"name": self.name, **self.parameters}


def _value(text: str) -> Any:
    """A number or true and false where the text is one, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def with_baseline(strategies: Iterable[Named]) -> list[Named]:
    """Each strategy once, with random among them, which all are measured against."""
    return list({each.title: each for each in (*strategies, Named(BASELINE))}.values())
