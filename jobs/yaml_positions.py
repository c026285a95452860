"""YAML as plain values that remember where in the file each of them stands."""

import re
from dataclasses import dataclass, field
from typing import Any

from jobs.config.errors import Problem, YamlPath, render_path
from mappings.nodes import Leaf, Node, Place, Sequence, read_all

_HALVES = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class Document:
    """`data` is made of dict, list, str, int, float, bool and None. Lines and columns count from 1."""

    file: str
    data: Any = None
    values: dict[YamlPath, tuple[int, int]] = field(default_factory=dict)
    keys: dict[YamlPath, tuple[int, int]] = field(default_factory=dict)
    scalars: dict[YamlPath, Leaf] = field(default_factory=dict)
    """How each single value is written."""
    broken: set[YamlPath] = field(default_factory=set)
    """Where something was found that has no value; nothing more needs to be said about it."""

    def at(self, path: YamlPath, *, key: bool = False) -> tuple[int, int]:
        """Line and column of the value at `path` (of its key with `key`), or of the nearest thing around it."""
        while path:
            if key and path in self.keys:
                return self.keys[path]
            if path in self.values:
                return self.values[path]
            path, key = path[:-1], True
        return (1, 1)

    def problem(self, path: YamlPath, message: str, hint: str = "", *, key: bool = False, offset: int = 0) -> Problem:
        """A problem at `path`; `offset` is the character inside a value that was written on one line."""
        line, column = self.at(path, key=key)
        scalar = self.scalars.get(path)
        if offset and scalar is not None and scalar.one_line:
            column += offset + (1 if scalar.quoted else 0)
        return Problem(self.file, line, column, render_path(path), message, hint)


def parse(raw: bytes, file: str) -> tuple[Document, list[Problem]]:
    """The document and what is wrong with it as YAML. After a syntax error `data` is None."""
    tree = read_all(raw, file)
    document = Document(file, broken=set(tree.broken))
    if tree.root is not None:
        document.data = _value(tree.root, (), document)
    return document, list(tree.problems)


def _value(node: Node, path: YamlPath, document: Document) -> Any:
    document.values[path] = _start(node.place)
    if isinstance(node, Leaf):
        document.scalars[path] = node
        return _whole(plain(node.text, node.kind))
    if isinstance(node, Sequence):
        return [_value(item, (*path, index), document) for index, item in enumerate(node.items)]
    document.keys |= {(*path, key): _start(place) for key, place in node.keys.items()}
    return {key: _value(item, (*path, key), document) for key, item in node.items.items()}


def _start(place: Place) -> tuple[int, int]:
    return place.line, place.column


def plain(text: str, kind: str) -> Any:
    """A scalar by its YAML 1.2 type; dates stay text."""
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return _number(text, int)
        case "float":
            return _number(text, float)
    return text


def _whole(value: Any) -> Any:
    """Joins what JSON writes as two escapes (\\ud83d\\ude00): YAML leaves the halves apart."""
    if isinstance(value, str) and _HALVES.search(value):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _number(text: str, kind: type[int] | type[float]) -> Any:
    digits = text.replace("_", "")
    try:
        if kind is int and digits.lstrip("+-")[:2].lower() in ("0x", "0o", "0b"):
            return int(digits, 0)
        return kind(digits)
    except ValueError:  # .inf, .nan, or more digits than Python takes: nothing here is set to these
        return text
