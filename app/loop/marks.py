"""How runs are told apart in the names of their files: readable where it can be, by a hash where letters are lost."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from app.loop.named import Named

LONGEST_TITLE = 80  # of a strategy, in letters


def learner_mark(name: str, parameters: Mapping[str, Any]) -> str:
    """The learner as a part of a file's name, with a hash of its parameters where it has any."""
    return f"{name}+{_digest(parameters)}" if parameters else name


def title_of(named: Named) -> str:
    """The strategy's title as a part of a file's name; with a hash where letters were lost on the way to it."""
    title = named.title
    plain = "".join(letter if letter.isalnum() or letter in "._=" else "+" for letter in title)
    told = plain.replace("+", ":") == title and title.count(":") == len(named.parameters)
    return plain if told and len(plain) <= LONGEST_TITLE else f"{plain[:LONGEST_TITLE]}+{_digest(named.settings())}"


def _digest(given: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(dict(given), sort_keys=True).encode()).hexdigest()[:10]
