"""What is wrong with a mapping, where, and what would be right."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MappingProblem:
    """One thing to mend. `line` and `column` count from 1; `path` is like `deal.fields["Источник"]`."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def render(self) -> str:
        """The problem as people read it: one line, and the hint indented below."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        head = f"{place}  {self.path}: {self.message}" if self.path else f"{place}  {self.message}"
        return f"{head}\n    {self.hint}" if self.hint else head


class MappingError(Exception):
    """A mapping that cannot be used, with all of its problems at once."""

    def __init__(self, problems: Iterable[MappingProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.render() for problem in self.problems))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that `word` was probably meant to be, or ""."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else ""


def allowed(word: str, known: Iterable[str], label: str = "allowed") -> str:
    """A hint that lists what is allowed and names the nearest."""
    names = list(known)
    meant = nearest(word, names)
    listed = f"{label}: {', '.join(names) or 'none'}."
    return f'{listed} Did you mean "{meant}"?' if meant else listed
