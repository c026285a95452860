"""YAML text -> the parser's nodes, or what is wrong with it, in words for the person who wrote it."""

import re
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import Node
from ruamel.yaml.reader import ReaderError

from mappings.problems import MappingError, Problem

MAX_BYTES: Final = 1_000_000
_TOO_DEEP: Final = re.compile(r"(?:[\[{]\s*+){60}")  # the parser would take minutes


def compose(raw: bytes, file: str) -> tuple[Node | None, str]:
    """The parser's root node, None for an empty file, and the text. Raises MappingError with the one problem."""
    problem: Problem | None = None
    text = ""
    if len(raw) > MAX_BYTES:
        raise MappingError([Problem(file, 0, 0, "", f"is larger than {MAX_BYTES // 1000} kB")])
    try:
        text = raw.decode("utf-8-sig")
        if _TOO_DEEP.search(text):
            problem = _too_deep(file)
        else:
            return YAML(typ="rt", pure=True).compose(text), text
    except UnicodeDecodeError as error:
        problem = _not_utf8(raw, error, file)
    except ReaderError as error:
        problem = _bad_character(text, error, file)
    except MarkedYAMLError as error:
        problem = _syntax(error, file)
    except RecursionError:
        problem = _too_deep(file)
    except Exception as error:  # the parser meets text that nobody foresaw: still not a reason for a traceback
        problem = Problem(file, 0, 0, "", f"cannot be read as YAML ({type(error).__name__})")
    raise MappingError([problem])


def _too_deep(file: str) -> Problem:
    return Problem(file, 0, 0, "", "is nested too deeply")


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
