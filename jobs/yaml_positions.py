"""YAML as plain values that remember where in the file each of them stands."""

import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from jobs.config_errors import Problem, YamlPath, render_path

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
"""Aliases can multiply a small file into a huge one; no honest configuration has so many values."""

_TAG = "tag:yaml.org,2002:"
_HALVES = re.compile("[\ud800-\udfff]")
_TOO_DEEP = re.compile(r"(?:[\[{]\s*+){60}")  # the parser would take minutes
_SCALARS = {"str", "int", "float", "bool", "null", "timestamp", "merge", "value"}


@dataclass(frozen=True, slots=True)
class Scalar:
    """How a single value is written: its text without quotes, whether it was quoted, and where it begins."""

    text: str
    quoted: bool
    one_line: bool
    line: int
    column: int


@dataclass(slots=True)
class Document:
    """`data` is made of dict, list, str, int, float, bool and None. Lines and columns count from 1."""

    file: str
    data: Any = None
    values: dict[YamlPath, tuple[int, int]] = field(default_factory=dict)
    keys: dict[YamlPath, tuple[int, int]] = field(default_factory=dict)
    scalars: dict[YamlPath, Scalar] = field(default_factory=dict)
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
    document = Document(file)
    if len(raw) > MAX_BYTES:
        return document, [Problem(file, 0, 0, "", f"is larger than {MAX_BYTES // 1000} kB")]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return document, [_not_utf8(raw, error, file)]
    if _TOO_DEEP.search(text):
        return document, [Problem(file, 0, 0, "", "is nested too deeply")]
    try:
        node = YAML(typ="rt", pure=True).compose(text)
        if node is None:
            return document, []
        builder = _Builder(document)
        document.data = builder.value(node, ())
    except ReaderError as error:
        return document, [_bad_character(text, error, file)]
    except MarkedYAMLError as error:
        return document, [_syntax(error, file)]
    except RecursionError:
        return document, [Problem(file, 0, 0, "", "is nested too deeply")]
    except _TooManyError:
        document.data = None
        return document, [Problem(file, 0, 0, "", f"has more than {MAX_NODES} values")]
    except Exception as error:  # the parser meets text that nobody foresaw: still not a reason for a traceback
        return document, [Problem(file, 0, 0, "", f"cannot be read as YAML ({type(error).__name__})")]
    return document, builder.problems


class _TooManyError(Exception):
    pass


class _Builder:
    """Turns YAML nodes into values, noting positions and what is not allowed here."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0
        self._open: set[int] = set()
        self.problems: list[Problem] = []

    def value(self, node: Node, path: YamlPath) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise _TooManyError
        empty = node.start_mark.index == node.end_mark.index  # "name:" and nothing: YAML puts it where the next line is
        self._document.values[path] = self._document.keys.get(path, _start(node)) if empty else _start(node)
        if id(node) in self._open:
            self._report(path, "refers to itself")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, ScalarNode):
                return self._scalar(node, path)
            if str(node.tag) not in (f"{_TAG}map", f"{_TAG}seq"):
                self._report(path, "YAML tags are not used here", "remove the word that begins with !")
            if isinstance(node, SequenceNode):
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, path) if isinstance(node, MappingNode) else None
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: ScalarNode, path: YamlPath) -> Any:
        line, column = _start(node)
        quoted = node.style in ("'", '"')
        one_line = node.start_mark.line == node.end_mark.line
        self._document.scalars[path] = Scalar(node.value, quoted, one_line, line, column)
        kind = str(node.tag).removeprefix(_TAG)
        if kind not in _SCALARS:
            self._report(path, "YAML tags are not used here", "a value that begins with ! must be in quotes")
        return _whole(plain(node.value, kind))

    def _mapping(self, node: MappingNode, path: YamlPath) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: list[tuple[Node, YamlPath]] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._document.broken.add(path)
                line, column = _start(key_node)
                message = "a list or a section cannot be the name of a setting"
                hint = "a value that begins with { or [ must be in quotes"
                self.problems.append(Problem(self._document.file, line, column, render_path(path), message, hint))
                continue
            if str(key_node.tag) == f"{_TAG}merge":
                merged.append((value_node, path))
                continue
            key = key_node.value
            here = (*path, key)
            if key in own:
                first = self._document.keys[here][0]
                line, column = _start(key_node)
                message = f"is written twice (first in line {first})"
                self.problems.append(Problem(self._document.file, line, column, render_path(here), message))
                continue
            self._document.keys[here] = _start(key_node)
            own[key] = self.value(value_node, here)
        for value_node, _ in merged:
            self._merge(value_node, path, own)
        return own

    def _merge(self, node: Node, path: YamlPath, own: dict[str, Any]) -> None:
        """`<<: *name`: what the section itself says goes first."""
        sections = node.value if isinstance(node, SequenceNode) else [node]
        for section in sections:
            if not isinstance(section, MappingNode) or id(section) in self._open:
                self._report(path, "<< must refer to a section")
                continue
            for key_node, value_node in section.value:
                if isinstance(key_node, ScalarNode) and key_node.value not in own:
                    here = (*path, key_node.value)
                    self._document.keys[here] = _start(key_node)
                    own[key_node.value] = self.value(value_node, here)

    def _report(self, path: YamlPath, message: str, hint: str = "") -> None:
        self._document.broken.add(path)
        self.problems.append(self._document.problem(path, message, hint))


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


def _start(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _not_utf8(raw: bytes, error: UnicodeDecodeError, file: str) -> Problem:
    before = raw[: error.start]
    line = before.count(b"\n") + 1
    column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
    guess = "UTF-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "windows-1251"
    hint = f"it looks like {guess}: save it as UTF-8"
    if guess == "windows-1251":
        hint += f", for example: iconv -f windows-1251 -t utf-8 {file}"
    return Problem(file, line, column, "", "the text is not UTF-8", hint)


def _bad_character(text: str, error: ReaderError, file: str) -> Problem:
    position = error.position if isinstance(error.position, int) else 0
    before = text[:position]
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    code = text[position : position + 1]
    shown = f"U+{ord(code):04X}" if code else "a control character"
    return Problem(file, line, column, "", f"the character {shown} is not allowed in YAML")


_SYNTAX = (
    (r"found character '\t'", "a tab is used for indentation", "YAML wants spaces: two for each level"),
    ("mapping values are not allowed", 'a ":" is not expected here', 'put a text that contains ": " in quotes'),
    ("that cannot start any token", "a value cannot begin with this character", "put the value in quotes"),
    ("found undefined alias", "an alias (*name) without its anchor", "a value that begins with * must be in quotes"),
    ("found duplicate anchor", "the same anchor (&name) is set twice", ""),
    ("found unknown escape", "unknown escape after a backslash", "in double quotes write \\\\ for \\"),
    ("unexpected end of stream", "a quote is opened and never closed", ""),
    ("found another document", "a second document begins here", "only one is read: remove the line ---"),
    ("could not find expected ':'", 'a ":" is missing', 'write "name: value"'),
    ("expected ',' or ']'", "a list opened with [ is not closed", 'close it with "]", or add the missing ","'),
    ("expected ',' or '}'", "a section opened with { is not closed", 'close it with "}", or add the missing ","'),
    ("expected <block end>", "the indentation does not fit the lines above", ""),
)


def _syntax(error: MarkedYAMLError, file: str) -> Problem:
    """In our own words, and without the text around it: that may be a secret."""
    found = f"{error.context or ''} {error.problem or ''}".replace("\t", r"\t")
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    message, hint = "cannot be read as YAML", ""
    for part, text, advice in _SYNTAX:
        if part in found:
            message, hint = text, advice
            break
    opened = error.context_mark
    if opened is not None and mark is not None and opened.line != mark.line:
        hint = (f"{hint}; " if hint else "") + f"it began in line {opened.line + 1}"
    return Problem(file, line, column, "", message, hint)
