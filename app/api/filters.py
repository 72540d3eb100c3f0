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
