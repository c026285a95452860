"""The words of a text with marks of form, as HTML and BBCode have them."""

import re
from html.parser import HTMLParser
from typing import Final

MAX_HTML: Final = 1_000_000
_BREAKS = frozenset(
    ("p", "div", "tr", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "hr")
)
_UNREAD = frozenset(("style", "script", "head", "title"))


class _Text(HTMLParser):
    """What a browser would show. Quotes become lines with `>`, so that they are known for quotes later."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = [""]
        self._unread = 0
        self._quotes = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNREAD:
            self._unread += 1
        elif tag == "body":
            self._unread = 0
        elif tag == "br":
            self._break(always=True)
        elif tag in ("td", "th"):
            if self.lines[-1].strip(" >"):
                self.lines[-1] += "\t"
        elif tag in _BREAKS:
            self._break()
        if tag == "blockquote":
            self._quotes += 1
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNREAD and self._unread:
            self._unread -= 1
        if tag == "blockquote" and self._quotes:
            self._quotes -= 1
        if tag in _BREAKS:
            self._break()
            if tag == "p":
                self._break(always=True)

    def handle_data(self, data: str) -> None:
        if self._unread:
            return
        text = re.sub(r"[ \t\r\n\f]+", " ", data)
        if text == " " and not self.lines[-1]:
            return
        if not self.lines[-1] and self._quotes:
            self.lines[-1] = "> "
        self.lines[-1] += text

    def _break(self, *, always: bool = False) -> None:
        if self.lines[-1] or always:
            self.lines.append("")


def html_text(html: str) -> str:
    """HTML -> its lines, at most the first million characters."""
    parser = _Text()
    try:
        parser.feed(html[:MAX_HTML])
        parser.close()
    except (AssertionError, ValueError):
        pass  # what was read before the fault still counts
    return "\n".join(line.strip(" ") for line in parser.lines)


_LINK = re.compile(r"\[url=([^\]]+)\](.*?)\[/url\]", re.I | re.S)
_TAG = re.compile(
    r"\[/?(?:b|i|u|s|p|url|user|color|size|font|quote|code|list|table|tr|td|img|left|right|center|\*)(?:=[^\]]*)?\]",
    re.I,
)


def bbcode_text(text: str) -> str:
    """A named link becomes its name and its address; brackets that are no tag stay."""
    return _TAG.sub("", _LINK.sub(_named, text)).strip()


def _named(found: re.Match[str]) -> str:
    address, name = found[1], found[2].strip()
    return address if name in ("", address) else f"{name} ({address})"
