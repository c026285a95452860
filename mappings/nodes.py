"""A YAML file as a tree in which every part knows its file, line and column."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.nodes import Node as YamlNode

from mappings.problems import MappingError, Problem, YamlPath, allowed, render_path
from mappings.yaml_text import compose

PART_CAP: Final = 50_000
"""Aliases can multiply a small file into a huge one; no honest file has so many values."""

KEPT_BYTES: Final = 20_000
"""Presets and honest configurations are smaller. Their trees are kept: the parser takes 5 ms for each kB."""

_TAG = "tag:yaml.org,2002:"
_KINDS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "merge", "value"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands. `line` and `column` count from 1; `path` is like `deal.fields["Источник"]`."""

    file: str
    line: int
    column: int
    path: str

    def problem(self, message: str, hint: str = "") -> Problem:
        return Problem(self.file, self.line, self.column, self.path, message, hint)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value as it is written, without quotes. `kind` is YAML's: str, int, float, bool, null or timestamp.

    `indent` is the column where the lines of a block (`|`) begin, 0 when the value is on one line,
    -1 when it is folded, so that its line breaks are not ours.
    """

    place: Place
    text: str
    kind: str
    quoted: bool = False
    indent: int = 0

    @property
    def one_line(self) -> bool:
        return self.indent == 0

    @property
    def is_false(self) -> bool:
        return self.kind == "bool" and self.text.lower() == "false"

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


@dataclass(frozen=True, slots=True)
class Tree:
    """A file, all of its problems, and the paths where something was found that has no value."""

    root: Node | None
    problems: tuple[Problem, ...] = ()
    broken: frozenset[YamlPath] = frozenset()


def read_all(raw: bytes, file: str) -> Tree:
    """The whole file. After a syntax error `root` is None. Raises nothing."""
    return _kept(raw, file) if len(raw) <= KEPT_BYTES else _read_all(raw, file)


def _read_all(raw: bytes, file: str) -> Tree:
    try:
        composed, text = compose(raw, file)
        if composed is None:
            return Tree(None)
        builder = _Builder(file, text.splitlines())
        root = builder.node(composed, (), None)
    except MappingError as error:
        return Tree(None, error.problems)
    except RecursionError:
        return Tree(None, (Problem(file, 0, 0, "", "is nested too deeply"),))
    return Tree(root, tuple(builder.problems), frozenset(builder.broken))


_kept = lru_cache(64)(_read_all)


def read(raw: bytes, file: str) -> Table:
    """The section that the file holds. Raises MappingError with every problem found."""
    tree = read_all(raw, file)
    if tree.problems:
        raise MappingError(tree.problems)
    if tree.root is None:
        return Table(Place(file, 1, 1, ""), {}, {})
    if not isinstance(tree.root, Table):
        raise MappingError([tree.root.place.problem("a mapping is made of sections", "for example: deal: {title: …}")])
    return tree.root


def merge(base: Node, over: Node, main: str = "value", idle: list[Problem] | None = None) -> Node:
    """`over` on top of `base`: sections part by part, everything else as a whole; a part set to null is removed.

    A section on top of a single value adds to it: that value is its part `main`. Each null that removes nothing is
    added to `idle`: it is misspelt, or believed to do something.
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
        if idle is not None and key == "fields" and key in items and _is_null(node):
            hint = "remove the line, or name the fields that differ; null takes out single ones"
            idle.append(keys[key].problem("is empty", hint))
        elif key in items:
            items[key] = merge(items[key], node, main, idle)
        else:
            items[key] = node
            if idle is not None and _is_null(node):
                idle.append(_removes_nothing(over, key, base.items))
            elif idle is not None and isinstance(node, Table) and key == "fields":
                idle += [_removes_nothing(node, name, ()) for name, part in node.items.items() if _is_null(part)]
    removed = [key for key, node in items.items() if _is_null(node)]
    for key in removed:
        del items[key], keys[key]
    return Table(over.place, items, keys)


def _is_null(node: Node) -> bool:
    return isinstance(node, Leaf) and node.kind == "null"


def _removes_nothing(table: Table, key: str, there: Iterable[str]) -> Problem:
    what = "takes nothing out: what this file extends has no such part"
    return table.keys[key].problem(what, allowed(key, there, "there are"))


class _Builder:
    """Turns the parser's nodes into ours and notes what is not allowed."""

    def __init__(self, file: str, lines: list[str]) -> None:
        self.file = file
        self.lines = lines
        self.problems: list[Problem] = []
        self.broken: set[YamlPath] = set()
        self._count = 0
        self._open: set[int] = set()

    def node(self, node: YamlNode, path: YamlPath, key: Place | None) -> Node:
        """`key` is the place of its name, where it has one."""
        self._count += 1
        if self._count > PART_CAP:
            raise MappingError([Problem(self.file, 0, 0, "", f"has more than {PART_CAP} values")])
        # "name:" and nothing: YAML puts it where the next line is.
        empty = node.start_mark.index == node.end_mark.index
        place = key if empty and key else self._place(node, path)
        if id(node) in self._open:
            self._report(place, path, "refers to itself")
            return Leaf(place, "", "null")
        self._open.add(id(node))
        try:
            if isinstance(node, ScalarNode):
                return self._leaf(node, place, path)
            if str(node.tag) not in (f"{_TAG}map", f"{_TAG}seq"):
                self._report(place, path, "YAML tags are not used here", "remove the word that begins with !")
            if isinstance(node, SequenceNode):
                parts = (self.node(item, (*path, index), None) for index, item in enumerate(node.value))
                return Sequence(place, tuple(parts))
            return self._table(node, place, path)
        finally:
            self._open.discard(id(node))

    def _leaf(self, node: ScalarNode, place: Place, path: YamlPath) -> Leaf:
        kind = str(node.tag).removeprefix(_TAG)
        if kind not in _KINDS:
            hint = "a value that begins with ! must be in quotes"
            self._report(place, path, "YAML tags are not used here", hint)
        one_line = node.start_mark.line == node.end_mark.line
        indent = self._indent(place.line) if node.style == "|" else 0 if one_line else -1
        return Leaf(place, node.value, kind, node.style in ("'", '"'), indent)

    def _indent(self, line: int) -> int:
        """The column of the first filled line below `line`."""
        below = (text for text in self.lines[line:] if text.strip())
        first = next(below, "")
        return len(first) - len(first.lstrip()) + 1

    def _table(self, node: YamlNode, place: Place, path: YamlPath) -> Table:
        items: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merged: list[YamlNode] = []
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.broken.add(path)
                where = self._place(key, path)
                message = "a list or a section cannot be the name of a setting"
                self.problems.append(where.problem(message, "a value that begins with { or [ must be in quotes"))
            elif str(key.tag) == f"{_TAG}merge":
                merged.append(value)
            else:
                here = (*path, key.value)
                where = self._place(key, here)
                if key.value in items:
                    first = keys[key.value].line
                    self.problems.append(where.problem(f"is written twice (first in line {first})"))
                    continue
                keys[key.value] = where
                items[key.value] = self.node(value, here, where)
        for value in merged:
            self._merge(value, place, path, items, keys)
        return Table(place, items, keys)

    def _merge(
        self, node: YamlNode, place: Place, path: YamlPath, items: dict[str, Node], keys: dict[str, Place]
    ) -> None:
        """`<<: *name`: what the section itself says goes first."""
        for section in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(section, MappingNode) or id(section) in self._open:
                self._report(place, path, "<< must refer to a section")
                continue
            for key, value in section.value:
                if isinstance(key, ScalarNode) and key.value not in items:
                    here = (*path, key.value)
                    keys[key.value] = self._place(key, here)
                    items[key.value] = self.node(value, here, keys[key.value])

    def _place(self, node: YamlNode, path: YamlPath) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1, render_path(path))

    def _report(self, place: Place, path: YamlPath, message: str, hint: str = "") -> None:
        self.broken.add(path)
        self.problems.append(place.problem(message, hint))
