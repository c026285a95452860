"""What is wrong with a mapping, where, and what would be right."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

YamlPath = tuple[str | int, ...]

SHOWN_CHARS: Final = 60
"""A value quoted in a message is cut to so many characters."""
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `line` and `column` count from 1; 0 when the file as a whole is meant.

    `path` is where in the file: `routes[0].to[0]`, `deal.fields["Источник"]`; `hint` what is allowed or what to do.
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


class MappingError(Exception):
    """A mapping that cannot be used, with all of its problems at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.render() for problem in self.problems))


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


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that `word` was probably meant to be, or ""."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold().removesuffix(".yaml"), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else ""


def allowed(word: str, known: Iterable[str], label: str = "allowed") -> str:
    """A hint that lists what is allowed and names the nearest."""
    names = list(known)
    meant = nearest(word, names)
    listed = f"{label}: {', '.join(names) or 'none'}."
    return f'{listed} Did you mean "{meant}"?' if meant else listed
