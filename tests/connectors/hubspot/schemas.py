"""Bodies against HubSpot's published schemas, dated paths included."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from connectors.sandbox.base import SandboxRequest, SandboxResponse

FILES = Path(__file__).with_name("openapi")
DATED = re.compile(r"/crm/(objects|properties|pipelines|owners|associations)/2026-0[39](/.*|$)")


@cache
def operations() -> list[tuple[str, re.Pattern[str], dict[str, Any], dict[str, Any]]]:
    """(method, path, operation, components) of all files."""
    found = []
    for file in sorted(FILES.glob("*.json")):
        spec = json.loads(file.read_text(encoding="utf-8"))
        relaxed = relax(spec["components"])
        for path, methods in spec["paths"].items():
            template = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path.rstrip("/")))
            found += [(method.upper(), re.compile(template), one, relaxed) for method, one in methods.items()]
    # A literal path ("/batch/read") before one with a parameter in the same place.
    return sorted(found, key=lambda one: one[1].pattern.count("[^/]+"))


def relax(components: dict[str, Any]) -> dict[str, Any]:
    """What the live API does otherwise than its schemas say, and one thing stricter: no keys that are not listed."""
    for name, schema in components["schemas"].items():
        properties = schema.get("properties", {})
        if "properties" in schema and name != "Error":
            schema.setdefault("additionalProperties", False)
        held = properties.get("properties")
        if name.startswith("SimplePublic") and held and held.get("additionalProperties"):
            held["additionalProperties"] = {"type": ["string", "null"]}  # answers hold null for what is empty
        if name == "PublicObjectSearchRequest":
            properties["sorts"]["items"] = {}  # objects, as the documentation shows them
        if name == "MultiAssociatedObjectWithLabel":
            properties["toObjectId"] = {"type": ["string", "integer"]}
        if name == "AssociationSpecWithLabel":
            properties["label"] = {"type": ["string", "null"]}
        if name == "StandardError":
            properties["subCategory"] = {}
    return components


def canonical(path: str) -> str:
    """The v3 or v4 form of a dated path."""
    dated = DATED.fullmatch(path)
    if not dated:
        return path.rstrip("/")
    what, rest = dated.groups()
    v4 = what == "associations" or "/associations/" in rest
    return f"/crm/{'v4' if v4 else 'v3'}/{what}{rest}".rstrip("/")


def operation(method: str, path: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    wanted = canonical(path)
    return next(
        (
            (one, components)
            for verb, form, one, components in operations()
            if verb == method and form.fullmatch(wanted)
        ),
        None,
    )


def request_problems(method: str, path: str, body: Any) -> list[str]:
    """What is wrong with a request; a path that no file describes is wrong too."""
    found = operation(method, path)
    if found is None:
        return [] if path.startswith(("/account-info/", "/oauth/")) else [f"{method} {path} is not in the schemas"]
    one, components = found
    content = one.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return _check(f"{method} {path}", schema, components, body) if schema else []


def answer_problems(method: str, path: str, status: int, body: Any) -> list[str]:
    found = operation(method, path)
    if found is None:
        return []
    one, components = found
    responses = one["responses"]
    if 200 <= status < 300 and str(status) not in responses:
        return [f"{method} {path} does not answer {status}"]
    response = responses.get(str(status), responses["default"])
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    return _check(f"{method} {path} -> {status}", schema, components, body) if schema else []


def _check(where: str, schema: dict[str, Any], components: dict[str, Any], body: Any) -> list[str]:
    validator = Draft202012Validator({**schema, "components": components})
    return [f"{where}: {error.json_path}: {error.message}" for error in validator.iter_errors(body)]


def exchange_problems(request: SandboxRequest, response: SandboxResponse) -> list[str]:
    """Both halves of one exchange. Rate answers have a shape of their own."""
    if request.path.startswith("/oauth/"):
        return []
    body = request.json() if request.body else None
    problems = request_problems(request.method, request.path, body)
    if response.status != 429:
        problems += answer_problems(
            request.method, request.path, response.status, json.loads(response.encoded() or "null")
        )
    return problems
