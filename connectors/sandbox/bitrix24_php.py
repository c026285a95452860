"""How PHP reads a query string, and how `batch` puts earlier results into later commands."""

import re
from typing import Any
from urllib.parse import parse_qsl

_KEYS = re.compile(r"\[([^\]]*)\]")
_REFERENCE = re.compile(r"\$(result|error|total|next|time)((?:\[[^\]]*\])+)")


def parse_query(text: str) -> dict[str, Any]:
    """`a[b][0]=x` -> {"a": {"b": ["x"]}}; `a[]=x` appends."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        _put(tree, name, value)
    return {key: _lists(value) for key, value in tree.items()}


def parse_pairs(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in pairs:
        _put(tree, name, value)
    return {key: _lists(value) for key, value in tree.items()}


def _put(tree: dict[str, Any], name: str, value: str) -> None:
    head, bracket, _ = name.partition("[")
    keys = [head, *(_KEYS.findall(name[len(head) :]) if bracket else [])]
    here = tree
    for key in keys[:-1]:
        key = key or str(len(here))
        inner = here.get(key)
        if not isinstance(inner, dict):
            inner = here[key] = {}
        here = inner
    here[keys[-1] or str(len(here))] = value


def _lists(value: Any) -> Any:
    """A map with the keys 0, 1, 2.. is a list."""
    if not isinstance(value, dict):
        return value
    items = {key: _lists(item) for key, item in value.items()}
    if items and all(key == str(index) for index, key in enumerate(items)):
        return list(items.values())
    return items


def substituted(value: Any, results: dict[str, dict[str, Any]]) -> Any:
    """`value` with its references replaced, as the vendor does it: wrongly where an earlier command failed.

    The walk along the keys ends at the last that exists and yields that container.
    """
    if isinstance(value, dict):
        return {key: substituted(item, results) for key, item in value.items()}
    if isinstance(value, list):
        return [substituted(item, results) for item in value]
    if not isinstance(value, str) or "$" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        return _walk(whole, results)

    def inside(match: re.Match[str]) -> str:
        found = _walk(match, results)
        return match[0] if isinstance(found, dict | list) else str(found)

    return _REFERENCE.sub(inside, value)


def _walk(match: re.Match[str], results: dict[str, dict[str, Any]]) -> Any:
    here: Any = results.get(match[1], {})
    for key in _KEYS.findall(match[2]):
        if isinstance(here, dict) and key in here:
            here = here[key]
        elif isinstance(here, list) and key.isdecimal() and int(key) < len(here):
            here = here[int(key)]
        else:
            break
    return here


def as_id(value: Any) -> str:
    """PHP's cast to a number, as ids go through it: a map that is not empty is 1."""
    if isinstance(value, dict | list):
        return "1" if value else "0"
    match = re.match(r"\s*\d+", str(value if value is not None else ""))
    return str(int(match[0])) if match else "0"


def php_map(value: dict[str, Any]) -> Any:
    """An empty map goes out as []."""
    return value or []
