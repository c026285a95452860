"""What is wrong with a configuration, in words for the person who writes it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mappings.problems import nearest

YamlPath = tuple[str | int, ...]

SHOWN_CHARS = 60
"""A value quoted in a message is cut to so many characters."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_MANY = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `line` and `column` count from 1; 0 when the file as a whole is meant.

    `path` is where in the file ("routes[0].to[0]"), `hint` says what is allowed or what to do.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def render(self) -> str:
        """`config.yaml:23:11  routes[0].to[0]: …` and, indented below it, the hint."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        text = f"{place}  {self.path}: {self.message}" if self.path else f"{place}  {self.message}"
        return text + "".join(f"\n    {line}" for line in self.hint.splitlines())


class ConfigError(Exception):
    """All problems of a configuration at once, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(render(self.problems))


def render(problems: list[Problem], *, outcome: str = "nothing was started") -> str:
    """Every problem and a last line that counts them."""
    count = len(problems)
    return "\n".join([*(problem.render() for problem in problems), f"{count} problem{'s'[: count != 1]}; {outcome}."])


def render_path(path: YamlPath) -> str:
    """("routes", 0, "to") -> `routes[0].to`; a key that is not a plain word is quoted in brackets."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.match(part):
            text += f".{part}" if text else part
        else:
            text += f"[{quote(_shown_key(part))}]"
    return text


def _shown_key(key: str) -> str:
    """Where a blank is missing after a colon ("token:abc"), YAML takes the value for a part of the name: not shown."""
    name, colon, value = key.partition(":")
    return f"{name}:…" if colon and value and not value[0].isspace() else key


def quote(value: object) -> str:
    """A short value in double quotes, on one line."""
    text = " ".join(str(value).split())
    if len(text) > SHOWN_CHARS:
        text = text[: SHOWN_CHARS - 1] + "…"
    return '"' + "".join(char if char.isprintable() else "�" for char in text) + '"'


def choices(wrong: str, names: Iterable[str], label: str = "allowed") -> str:
    """`allowed: a, b, c. Did you mean "a"?`"""
    known = list(names)
    if not known:
        return f"{label}: none"
    shown = ", ".join(known[:_MANY]) + (f" and {len(known) - _MANY} more" if len(known) > _MANY else "")
    guess = nearest(wrong, known)
    return f"{label}: {shown}." + (f' Did you mean "{guess}"?' if guess else "")
