"""Telegram's small HTML: to plain text, its length, and parts that fit one message each."""

import re
from collections.abc import Iterator
from html import unescape

LIMIT = 4096
"""Characters of one message after parsing, counted here in UTF-16 units, the stricter of the two readings."""

_TOKEN = re.compile(r"<(/?)([a-zA-Z][\w-]*)[^<>]*>|&(?:#\d+|#x[0-9a-fA-F]+|lt|gt|amp|quot);|.", re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def plain(html: str) -> str:
    """The text without tags, entities resolved."""
    return unescape(_TAG.sub("", html))


def length(html: str) -> int:
    """What the message counts against LIMIT."""
    return _units(plain(html))


def split(html: str, limit: int = LIMIT) -> list[str]:
    """Parts of at most `limit`, cut at line ends where that is possible and never inside a tag or an entity.

    A tag that is open at a cut is closed there and opened again in the next part. Parts
    of nothing but blanks are left out; an empty text gives no part.
    """
    if length(html) <= limit:
        return [html] if plain(html).strip() else []
    parts: list[str] = []
    current, size = "", 0
    tags: list[tuple[str, str]] = []  # (name, the tag as written) of what is open
    for piece, width in _pieces(html, limit):
        if size + width > limit:
            parts.append(current.rstrip("\n") + "".join(f"</{name}>" for name, _ in reversed(tags)))
            current, size = "".join(tag for _, tag in tags), 0
        current += piece
        size += width
        _follow(tags, piece)
    parts.append(current)
    return [part for part in parts if plain(part).strip()]


def _pieces(html: str, limit: int) -> Iterator[tuple[str, int]]:
    """(text, width): whole lines with their line end, longer ones in runs of at most `limit`."""
    for line in html.splitlines(keepends=True):
        width = length(line)
        if width <= limit:
            yield line, width
            continue
        run, size = "", 0
        for match in _TOKEN.finditer(line):
            token = match.group()
            width = 0 if match.group(2) else _units(unescape(token))
            if size + width > limit:
                yield run, size
                run, size = "", 0
            run += token
            size += width
        yield run, size


def _follow(tags: list[tuple[str, str]], piece: str) -> None:
    for match in _TOKEN.finditer(piece):
        closing, name = match.group(1), match.group(2)
        if name and not closing:
            tags.append((name, match.group()))
        elif name and tags and tags[-1][0] == name:
            tags.pop()


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
