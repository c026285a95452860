"""A YAML file as a tree in which every part knows its file, line and column."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.nodes import Node as YamlNode

from mappings.problems import MappingError, MappingProblem

SIZE_CAP: Final = 500_000  # bytes; a mapping has a few kB
PART_CAP: Final = 20_000  # aliases can multiply a small file into a huge one
DEPTH_CAP: Final = 20

_TAG = "tag:yaml.org,2002:"
_KINDS = ("str", "int", "float", "bool", "null", "timestamp")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands. `line` and `column` count from 1; `path` is like `deal.fields["Источник"]`."""

    file: str
    line: int
    column: int
    path: str

    def problem(self, message: str, hint: str = "") -> MappingProblem:
        return MappingProblem(self.file, self.line, self.column, self.path, message, hint)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value. `kind` is YAML's: str, int, float, bool, null or timestamp.

    `indent` is the column where the lines of a block (`|`) begin, 0 when the value is on one line,
    -1 when it is folded, so that its line breaks are not ours.
    """

    place: Place
    text: str
    kind: str
    quoted: bool = False
    indent: int = 0

    def at(self, offset: int) -> Place:
        """The place of the character `offset` of the value."""
        place = self.place
        if self.indent < 0:
            return place
        if not self.indent:
            return Place(place.file, place.line, place.column + offset + self.quoted, place.path)
        before = self.text[:offset]
        line = place.line + 1 + before.count("\n")
        return Place(place.file, line, self.indent + len(before.rpartition("\n")[2]), place.path)


@dataclass(frozen=True, slots=True)
class Table:
    """A section. `keys` holds the place of each key."""

    place: Place
    items: Mapping[str, "Node"]
    keys: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class Sequence:
    place: Place
    items: tuple["Node", ...]


Node = Leaf | Table | Sequence


def read(raw: bytes, file: str) -> Table:
    """The section that the file holds. Raises MappingError with every problem found."""
    start = Place(file, 1, 1, "")
    if len(raw) > SIZE_CAP:
        raise MappingError([Place(file, 0, 0, "").problem(f"is larger than {SIZE_CAP // 1000} kB")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        hint = "save the file as UTF-8"
        raise MappingError([Place(file, line, 1, "").problem("the text is not UTF-8", hint)]) from error
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        raise MappingError([_syntax(error, file)]) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise MappingError([start.problem("cannot be read as YAML")]) from error
    if root is None:
        return Table(start, {}, {})
    builder = _Builder(file, text.splitlines())
    tree = builder.node(root, "", 0)
    if builder.problems:
        raise MappingError(builder.problems)
    if not isinstance(tree, Table):
        raise MappingError([tree.place.problem("a mapping is made of sections", "for example: deal: {title: …}")])
    return tree


def merge(base: Node, over: Node, main: str = "value") -> Node:
    """`over` on top of `base`: sections part by part, everything else as a whole; a part set to null is removed.

    A section on top of a single value adds to it: that value is its part `main`.
    """
    if not isinstance(over, Table):
        return over
    if isinstance(base, Leaf | Sequence) and not (isinstance(base, Leaf) and base.kind in ("bool", "null")):
        base = Table(base.place, {main: base}, {main: base.place}) if "path" not in over.items else over
    if not isinstance(base, Table):
        base = Table(over.place, {}, {})
    items, keys = dict(base.items), dict(base.keys)
    for key, node in over.items.items():
        keys[key] = over.keys[key]
        items[key] = merge(items[key], node, main) if key in items else node
    removed = [key for key, node in items.items() if isinstance(node, Leaf) and node.kind == "null"]
    for key in removed:
        del items[key], keys[key]
    return Table(over.place, items, keys)


def join_path(path: str, key: str) -> str:
    """The path of the part `key`; what is no plain word is quoted in brackets."""
    if not _PLAIN_KEY.fullmatch(key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


class _Builder:
    """Turns YAML's own nodes into ours and notes what is not allowed."""

    def __init__(self, file: str, lines: list[str]) -> None:
        self.file = file
        self.lines = lines
        self.problems: list[MappingProblem] = []
        self.count = 0

    def node(self, node: YamlNode, path: str, depth: int) -> Node:
        self.count += 1
        place = self._place(node, path)
        if depth > DEPTH_CAP or self.count > PART_CAP:
            raise MappingError([place.problem("nested too deep, or too many parts")])
        if isinstance(node, ScalarNode):
            return self._leaf(node, place)
        if isinstance(node, SequenceNode):
            parts = (self.node(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(node.value))
            return Sequence(place, tuple(parts))
        if isinstance(node, MappingNode):
            return self._table(node, place, depth)
        raise MappingError([place.problem("cannot be read as YAML")])

    def _leaf(self, node: ScalarNode, place: Place) -> Leaf:
        kind = str(node.tag).removeprefix(_TAG)
        if kind not in _KINDS:
            self.problems.append(
                place.problem("YAML tags are not used here", "put a value that begins with ! in quotes")
            )
        one_line = node.start_mark.line == node.end_mark.line
        indent = self._indent(place.line) if node.style == "|" else 0 if one_line else -1
        return Leaf(place, node.value, kind, node.style in ("'", '"'), indent)

    def _indent(self, line: int) -> int:
        """The column of the first filled line below `line`."""
        below = (text for text in self.lines[line:] if text.strip())
        first = next(below, "")
        return len(first) - len(first.lstrip()) + 1

    def _table(self, node: MappingNode, place: Place, depth: int) -> Table:
        items: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        for key, key_place, value in self._pairs(node, place.path):
            if key in items:
                self.problems.append(key_place.problem(f"is written twice (first in line {keys[key].line})"))
                continue
            keys[key] = key_place
            items[key] = self.node(value, key_place.path, depth + 1)
        return Table(place, items, keys)

    def _pairs(self, node: MappingNode, path: str) -> Iterator[tuple[str, Place, YamlNode]]:
        for key, value in node.value:
            if isinstance(key, ScalarNode):
                yield key.value, self._place(key, join_path(path, key.value)), value
            else:
                hint = 'write: name: "{{ lead.name }}"'
                self.problems.append(self._place(node, path).problem("a value with braces must be in quotes", hint))
                return

    def _place(self, node: YamlNode, path: str) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1, path)


_SYNTAX: Final = (
    ("'\\t'", "a tab is used for indentation", "YAML wants spaces: two for each level"),
    ("mapping values are not allowed", 'a ":" is not expected here', 'put a text that contains ": " in quotes'),
    ("cannot start any token", "a value cannot begin with this character", "put the value in quotes"),
    ("undefined alias", "a value cannot begin with *", "put the value in quotes"),
    ("unexpected end of stream", "a quote is opened and never closed", ""),
    ("expected ':'", 'a ":" is missing', 'write "name: value"'),
    ("expected ',' or ']'", "a list opened with [ is not closed", 'close it with "]", or add the missing ","'),
    ("expected ',' or '}'", "a section opened with { is not closed", 'close it with "}", or add the missing ","'),
    ("expected <block end>", "the indentation does not fit the lines above", ""),
)


def _syntax(error: MarkedYAMLError, file: str) -> MappingProblem:
    found = f"{error.context or ''} {error.problem or ''}"
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1, mark.column + 1, "") if mark else Place(file, 0, 0, "")
    message, hint = next(
        ((message, hint) for part, message, hint in _SYNTAX if part in found), ("cannot be read as YAML", "")
    )
    opened = error.context_mark
    if opened and mark and opened.line != mark.line:
        began = f"it began in line {opened.line + 1}"
        hint = f"{hint}; {began}" if hint else began
    return place.problem(message, hint)
