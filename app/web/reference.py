"""The reference of the REST interface as a page, written from the same description that programs read."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from markupsafe import Markup

from app.api.deps import MaybeCaller
from app.api.health import may_look
from app.api.openapi import operations
from app.web.pages import PageRoute, page

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Depends(may_look)])


@router.get("/docs")
def reference(request: Request, person: MaybeCaller) -> Response:
    """Every route with its parameters, body and answers."""
    description = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for method, path, operation in operations(description):
        shown = _shown(method, path, operation, description)
        groups.setdefault(operation.get("tags", ["other"])[0], []).append(shown)
    return page(request, "reference.html", person, code=_code, groups=groups, version=description["info"]["version"])


def _code(text: str) -> Markup:
    """A sentence whose parts between backticks are code."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


def _shown(method: str, path: str, operation: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get("application/json", {}).get("schema", {})
    answers = [
        {"status": status, "words": answer["description"]}
        for status, answer in operation["responses"].items()
        if answer.get("description") != "Validation Error"
    ]
    return {
        "id": f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""),
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "text": operation["description"],
        "parameters": [_parameter(each) for each in operation.get("parameters", ())],
        "kinds": list(content),
        "fields": _fields(_resolved(body.get("items", body), description)),
        "answers": answers,
    }


def _parameter(given: dict[str, Any]) -> dict[str, Any]:
    schema = given.get("schema", {})
    return {
        "name": given["name"],
        "where": given["in"],
        "required": given.get("required", False),
        "kind": _kind(schema),
        "words": given.get("description", ""),
    }


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "required": name in required,
            "kind": _kind(each),
            "words": each.get("description", ""),
        }
        for name, each in schema.get("properties", {}).items()
    ]


def _resolved(schema: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    found: dict[str, Any] = description["components"]["schemas"][name] if name else schema
    return found


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words: its type, bounds and default."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        kinds = " or ".join(_kind(each) for each in schema["anyOf"] if each.get("type") != "null")
    elif "enum" in schema:
        kinds = ", ".join(str(each) for each in schema["enum"])
    else:
        kinds = str(schema.get("format") or schema.get("type") or "any")
    if kinds == "array":
        kinds = f"list of {_kind(schema.get('items', {}))}"
    bounds = [f"{words} {schema[name]:,g}" for name, words in BOUNDS if name in schema]
    default = schema.get("default")
    given = [f"{default} unless given"] if default not in (None, "") else []
    return ", ".join([kinds, *bounds, *given])


BOUNDS = (
    ("minimum", "from"),
    ("exclusiveMinimum", "above"),
    ("maximum", "to"),
    ("exclusiveMaximum", "below"),
    ("maxLength", "at most this long:"),
)
