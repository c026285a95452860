"""Reads Telegram's HTML as strictly as Telegram does, with its words for what is wrong."""

import re
from html import unescape
from typing import Any

TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
}
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[a-zA-Z][\w-]*)(?P<rest>[^<>]*)>")
_HREF = re.compile(r"""href\s*=\s*["']?([^"'\s>]+)""")
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|lt|gt|amp|quot);")


class ParseError(Exception):
    """What Telegram says after "can't parse entities: "."""


def parse_html(raw: str) -> tuple[str, list[dict[str, Any]]]:
    """(text as it is read, entities with offsets in UTF-16 units). Raises ParseError."""
    text, at = "", 0
    open_tags: list[tuple[str, int, int, str]] = []  # name, offset in the text, byte offset, link
    entities: list[dict[str, Any]] = []
    while at < len(raw):
        if raw[at] != "<":
            found = _ENTITY.match(raw, at)
            text += unescape(found.group()) if found else raw[at]
            at = found.end() if found else at + 1
            continue
        byte = len(raw[:at].encode())
        tag = _TAG.match(raw, at)
        if tag is None:
            raise ParseError(f'Unsupported start tag "{_word(raw, at + 1)}" at byte offset {byte}')
        name = tag.group("name").lower()
        if not tag.group("end"):
            if name not in TAGS:
                raise ParseError(f'Unsupported start tag "{name}" at byte offset {byte}')
            link = _HREF.search(tag.group("rest"))
            open_tags.append((name, _units(text), byte, link.group(1) if link else ""))
        else:
            if not open_tags:
                raise ParseError(f"Unexpected end tag at byte offset {byte}")
            started, offset, _, url = open_tags.pop()
            if started != name:
                raise ParseError(f'Unmatched end tag at byte offset {byte}, expected "</{started}>", found "</{name}>"')
            if _units(text) > offset and not (started == "a" and not url):
                entity = {"type": TAGS[name], "offset": offset, "length": _units(text) - offset}
                entities.append({**entity, "url": url} if started == "a" else entity)
        at = tag.end()
    if open_tags:
        name, _, byte, _ = open_tags[-1]
        raise ParseError(f'Can\'t find end tag corresponding to start tag "{name}"')
    return text, entities


def _word(raw: str, at: int) -> str:
    found = re.match(r"[^\s>/]*", raw[at:])
    return found.group() if found else ""


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
