"""A call as one command of `batch`: `method?query` with PHP arrays. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

_REFERENCE = re.compile(r"\$(?=(?:result|total|next|time|error)\[)", re.I)


def command_text(method: str, params: Mapping[str, Any]) -> str:
    """`method?query` with PHP arrays, as the values of a batch's `cmd` must be."""
    return f"{method}?{'&'.join(_pairs(params))}"


def _pairs(params: Mapping[str, Any]) -> Iterator[str]:
    for name, value in params.items():
        yield from _pair(quote(str(name), safe=""), value)


def _pair(name: str, value: Any) -> Iterator[str]:
    match value:
        case Mapping():
            for key, item in value.items():
                yield from _pair(f"{name}[{quote(str(key), safe='')}]", item)
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _pair(f"{name}[{index}]", item)
        case None:
            yield f"{name}="
        case bool():
            yield f"{name}={'1' if value else '0'}"
        case _:
            yield f"{name}={quote(unreferenced(str(value)), safe='')}"


def unreferenced(text: str) -> str:
    """`$result[..` and its kind are replaced by the vendor inside a batch, people's texts included: break the `$`."""
    return _REFERENCE.sub("$ ", text)
