"""The OpenAPI description of this service, with what the framework cannot know: refusals, sign-in, keyed requests."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

METHODS = ("get", "post", "put", "patch", "delete")
GUARDED = "/api/v1/"
OPEN = (  # to strangers, to post to
    "/api/v1/session",
    "/api/v1/setup/{code}",
    "/api/v1/invitations/{code}/accept",
    "/api/v1/password/{code}",
)
ERROR: dict[str, Any] = {
    "type": "object",
    "description": "Every refusal. Some hold more, as the label that was not taken.",
    "required": ["error", "detail", "request_id"],
    "properties": {
        "error": {"type": "string", "description": "Its name, for programs", "examples": ["AlreadyAnswered"]},
        "detail": {"type": "string", "description": "One sentence that says what to do"},
        "fields": {"type": "object", "description": "What is wrong where", "additionalProperties": True},
        "request_id": {"type": ["string", "null"], "description": "Stands in the server's log too"},
    },
    "additionalProperties": True,
}
DONE = {"200": "The answer", "201": "It is stored", "202": "A job does it", "204": "It is done"}
REFUSALS = {
    "400": "The body is not what its content type says",
    "401": "Nobody is signed in, or the token is not valid",
    "403": "The role or the token's scope is too low",
    "404": "There is no such thing, or it is not yours",
    "409": "It does not fit what is stored by now",
    "410": "The item was deleted, or the list is another one by now",
    "412": "It was changed in the meantime: read it again",
    "413": "The body is too large",
    "415": "This content type is not taken here",
    "422": "A field or parameter is unknown or not allowed",
    "428": "Send `If-Match` with the ETag of the version that you changed",
    "429": "Slow down",
    "503": "The service is busy or its disk is full; `Retry-After` says when to try again",
    "507": "What may be stored here is stored: `LABELWISE_MEDIA_BYTES`",
}
OWN_REFUSALS: dict[tuple[str, str], frozenset[str]] = {
    ("post", "/projects"): frozenset({"404"}),  # of the one that is to be copied
    ("post", "/tokens"): frozenset({"404"}),  # of the project that it is to be bound to
    ("post", "/annotations"): frozenset({"404", "410"}),
    ("delete", "/leases/{lease}/annotation"): frozenset({"410"}),
    ("get", "/projects/{project}/queue"): frozenset({"410"}),
    ("get", "/projects/{project}/rounds/{number}/compare/{other}"): frozenset({"409"}),
    ("get", "/projects/{project}/rounds/{number}/slices"): frozenset({"409"}),
    ("get", "/projects/{project}/rounds/{number}/compare-predictions/{version}"): frozenset({"409"}),
    ("get", "/projects/{project}/learner-comparisons/{job}"): frozenset({"409"}),  # it is not done
    ("post", "/projects/{project}/media"): frozenset({"507"}),
    ("post", "/session"): frozenset({"429"}),
    ("post", "/session/password"): frozenset({"429"}),
    ("post", "/setup/{code}"): frozenset({"429"}),
    ("post", "/password/{code}"): frozenset({"429"}),
    ("post", "/invitations/{code}/accept"): frozenset({"429"}),
}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A UUID: within 48 hours the same key and body get the first answer again, another body is 422",
    "schema": {"type": "string", "format": "uuid"},
}
SIGN_IN = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token; scopes `read`, `label`, `import`, `manage`"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "labelwise",
        "description": "A browser's session, `__Host-labelwise` on https; what changes something carries X-CSRF-Token",
    },
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of every route; made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schemas = made["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):  # ours have one shape
            schemas.pop(name, None)
        schemas["Error"] = ERROR
        made["components"]["securitySchemes"] = SIGN_IN
        for method, path, operation in operations(made):
            _complete(method, path, operation)
        app.openapi_schema = made
    return app.openapi_schema


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every route."""
    for path, item in description["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def _complete(method: str, path: str, operation: dict[str, Any]) -> None:
    first, _, rest = operation.get("description", operation["summary"]).partition("\n")
    operation["summary"], operation["description"] = first.strip(), rest.strip()
    if not path.startswith(GUARDED):
        return
    for status, words in DONE.items():
        if operation["responses"].get(status, {}).get("description") == "Successful Response":
            operation["responses"][status]["description"] = words
    is_open = method == "post" and path in OPEN
    operation["security"] = [] if is_open else [{name: []} for name in SIGN_IN]
    if _takes_key(method, path, operation):
        operation.setdefault("parameters", []).append(KEY)
    for status in _statuses(method, path, operation):
        operation["responses"][status] = {
            "description": REFUSALS[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _statuses(method: str, path: str, operation: dict[str, Any]) -> set[str]:
    """The refusals that a route can answer with."""
    found: set[str] = {"401", "403", "422", "503"}
    if "{" in path:
        found.add("404")
    if method != "get" or "/snapshots/{name}/" in path:  # one that is not ready is not sent
        found |= {"409"}
    if "requestBody" in operation:
        found |= {"400", "413", "415"}
    if any(each["name"].lower() == "if-match" for each in operation.get("parameters", ())):
        found |= {"412", "428"}
    found |= OWN_REFUSALS.get((method, path.removeprefix("/api/v1")), frozenset())
    return found - (set(operation["responses"]) - {"422"})  # the framework's own 422 has another shape


def _takes_key(method: str, path: str, operation: dict[str, Any]) -> bool:
    """Whether a repeated request with one key is answered once; see `StrictRoute`."""
    named = any(each["name"].lower() == "idempotency-key" for each in operation.get("parameters", ()))
    body = operation.get("requestBody", {}).get("content", {})
    made = operation["responses"].keys()
    by_job = "202" in made and ("200" not in made or path.endswith("/select"))
    creates = ("201" in made or by_job) and (not body or "application/json" in body)
    return method == "post" and not named and creates
