"""The filter of a list, read from its address: its fields are the parameters that the route itself does not name."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends, Request

from app.core import filters
from app.core.filters import Filter


def filter_of(request: Request) -> Filter:
    """What the address asks for; the strict route has noted which parameters are the route's own."""
    return filters.parse(request.url.query, but=request.state.own_parameters)


Filtering = Annotated[Filter, Depends(filter_of)]

WORDS = {
    "status": "What became of the item; several mean any of them",
    "state": "The stored state",
    "split": "The pool, or the client's own test set",
    "key": "Items of these keys",
    "q": "Words that all occur in the key or the content, each whole or its beginning of two letters or more",
    "class": "Items with an answer that counts and names this class; a manager's alone where there is one",
    "annotator": "Items that this person answered",
    "answered_after": "Items that somebody answered at or after a day of the project's zone, or a moment with its zone",
    "answered_before": "Items that somebody answered before it",
    "kind": "Items with an answer that counts and was asked for this reason (managers)",
    "disputed": "Items whose label is a tie",
    "doubtful": "Items whose label the current round, which judged it without that label, takes for another class",
    "drifted": "Items that came in lately and look most unlike the earlier ones, while that is so (100 at most)",
    "queued": "Items that wait in the order that is served",
    "learned": "Items from whose answers the round of this number learned",
    "taught": "Items that the second of two rounds learned from and the first did not, as `taught=3:7`",
    "judged": "Items that judged a round: `7`, `7:right`, `7:wrong`, `7:1:2`, class 1 taken for class 2, "
    "`7:sure:3`, said with 30 to 40 %, or `7:from:1:0.6`, class 1 with 0.6 or more (managers)",
    "broken": "Items that a round was right about, and wrong once they were disturbed, as `7:typos` (managers)",
    "gained": "Items that the second of two rounds alone was right about, as `gained=3:7` (managers)",
    "lost": "Items that the first of two rounds alone was right about (managers)",
    "moved": "Items of the fixed sample taken for another class: `3:7`, or `3:7:1:2` from class 1 to class 2",
    "missing": "Items whose metadata lack this name",
    "text.length": "Comparison, as `text.length:<40`: characters of the text",
    "predicted.class": "Items that the current round takes for this class, labelled ones without their own label",
    "predicted.probability": "Comparison, as `predicted.probability:<0.6`: how sure the current round is",
    "metadata.<name>": "Equal to this; numbers are compared too, as `metadata.year:>=1990`",
}


def described(names: Iterable[str]) -> dict[str, Any]:
    """What OpenAPI says of the parts of a filter that a route takes."""
    return {"parameters": [each for each in DESCRIBED["parameters"] if each["name"] in set(names)]}


DESCRIBED: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": words,
            "schema": {
                "type": "array",
                "items": {
                    "type": "string",
                    **({"enum": list(filters.CHOICES[name])} if name in filters.CHOICES else {}),
                },
            },
        }
        for name, words in WORDS.items()
    ]
}
