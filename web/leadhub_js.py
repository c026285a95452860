"""Makes leadhub.js, as served, of its source: `python -m web.leadhub_js`."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import count, product
from pathlib import Path
from string import ascii_letters

STATIC = Path(__file__).parent / "static"
SOURCE = STATIC / "leadhub.src.js"
SERVED = STATIC / "leadhub.js"
MAX_BYTES = 6_000  # promised to those who put it on every page

_TOKEN = re.compile(
    r"""(?x)
    (?P<space> \s+ | //[^\n]* )
  | (?P<text> '(?:\\.|[^'\\\n])*' )
  | (?P<word> [A-Za-z_$][\w$]* )
  | (?P<number> \d[\w.]* )
  | (?P<sign> \+\+ | -- | [^\s\w] )
    """,
)
_REGEX = re.compile(r"/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[gim]*")
_BEFORE_REGEX = frozenset("(,=:[!&|?{};")
_DECLARED = re.compile(r"\bvar\b(?P<vars>[^;]*);|\bfunction\s*(?P<name>[A-Za-z_$][\w$]*)?\s*\((?P<params>[^)]*)\)")
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_KEYWORDS = frozenset(
    (
        *("var", "function", "return", "if", "else", "for", "in", "new", "typeof", "try", "catch", "delete", "do"),
        *("this", "true", "false", "null", "while", "case", "switch", "break", "continue", "throw", "void", "is", "as"),
    )
)


def shrink(source: str) -> str:
    """The source without comments and spaces, its own names made short. Behaves as the source does.

    Made for that one file, not for any JavaScript: strings are in single quotes, every
    statement ends in a semicolon, no name of its own is also a global or is used in a string.
    """
    tokens = list(_tokens(source))
    short = _short_names(source, tokens)
    pieces: list[str] = []
    for index, (kind, text) in enumerate(tokens):
        piece = short.get(text, text) if kind == "word" and _is_variable(tokens, index) else text
        if piece == "}" and pieces and pieces[-1] == ";":
            pieces.pop()
        if pieces and _must_part(pieces[-1], piece):
            pieces.append(" ")
        pieces.append(piece)
    return "".join(pieces) + "\n"


def _tokens(source: str) -> Iterator[tuple[str, str]]:
    position, before = 0, "("
    while position < len(source):
        # A slash begins a regular expression where a value is expected, else it divides.
        regex = _REGEX.match(source, position) if before in _BEFORE_REGEX else None
        match = regex or _TOKEN.match(source, position)
        if match is None:
            raise ValueError(f"cannot read {source[position : position + 20]!r}")
        position = match.end()
        kind = "regex" if regex else match.lastgroup or ""
        if kind != "space":
            before = match.group()
            yield kind, before


def _is_variable(tokens: list[tuple[str, str]], index: int) -> bool:
    """Not a property after a dot, not a key of an object literal."""
    before = tokens[index - 1][1] if index else ""
    after = tokens[index + 1][1] if index + 1 < len(tokens) else ""
    return before != "." and not (before in ("{", ",") and after == ":")


def _must_part(left: str, right: str) -> bool:
    both_words = bool(re.match(r"[\w$]", left[-1]) and re.match(r"[\w$]", right[0]))
    return both_words or (left[-1] == right[0] and right[0] in "+-")


def _short_names(source: str, tokens: list[tuple[str, str]]) -> dict[str, str]:
    """Declared name -> short one, the most used first. One name is short everywhere: scopes need no analysis."""
    declared = set(_declared(source))
    uses = Counter(text for index, (kind, text) in enumerate(tokens) if kind == "word" and _is_variable(tokens, index))
    taken = (set(uses) - declared) | _KEYWORDS
    names = (name for name in _names() if name not in taken)
    ordered = sorted(declared, key=lambda name: (-uses[name], name))
    return {name: next(names) for name in ordered}


def _declared(source: str) -> Iterator[str]:
    code = re.sub(r"(?m)^\s*//.*$|'(?:\\.|[^'\\\n])*'", "0", source)
    for match in _DECLARED.finditer(code):
        if match["vars"] is not None:
            yield from _vars(match["vars"])
        else:
            yield from _WORD.findall(match["params"])
            if match["name"]:
                yield match["name"]


def _vars(text: str) -> Iterator[str]:
    """`a = f(b, c), d` -> a, d: names at the depth of the declaration itself."""
    depth, start = 0, True
    for piece in re.findall(r"[A-Za-z_$][\w$]*|\S", text):
        if start and depth == 0 and _WORD.fullmatch(piece):
            yield piece
        start = piece == "," and depth == 0
        depth += (piece in "([{") - (piece in ")]}")


def _names() -> Iterator[str]:
    for length in count(1):
        yield from map("".join, product(ascii_letters, repeat=length))


if __name__ == "__main__":
    SERVED.write_text(shrink(SOURCE.read_text()))
    print(f"{SERVED}: {SERVED.stat().st_size} bytes of {MAX_BYTES}")  # noqa: T201  # run by hand
