"""What is wrong with a configuration, in words for the person who writes it."""

from collections.abc import Iterable

from mappings.problems import Problem, YamlPath, nearest, quote, render_path

__all__ = ["ConfigError", "Problem", "YamlPath", "choices", "quote", "render", "render_path"]

_MANY = 60


class ConfigError(Exception):
    """All problems of a configuration at once, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(render(self.problems))


def render(problems: list[Problem], *, outcome: str = "nothing was started") -> str:
    """Every problem and a last line that counts them."""
    count = len(problems)
    return "\n".join([*(problem.render() for problem in problems), f"{count} problem{'s'[: count != 1]}; {outcome}."])


def choices(wrong: str, names: Iterable[str], label: str = "allowed") -> str:
    """`allowed: a, b, c. Did you mean "a"?`"""
    known = list(names)
    if not known:
        return f"{label}: none"
    shown = ", ".join(known[:_MANY]) + (f" and {len(known) - _MANY} more" if len(known) > _MANY else "")
    guess = nearest(wrong, known)
    return f"{label}: {shown}." + (f' Did you mean "{guess}"?' if guess else "")
