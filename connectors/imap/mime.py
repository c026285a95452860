"""Bytes of a letter -> headers as text, the text that a person reads, names of what is attached."""

import email
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses

from connectors.bodies import decode
from connectors.plaintext import html_text
from leads.normalize import clean_text, person_name
from leads.normalize import email as read_email

MAX_PARTS = 200
MAX_TEXT = 100_000  # characters of one letter that are looked at
MAX_LINES = 4_000


@dataclass(frozen=True, slots=True)
class Mail:
    """`headers` have lower-case names, the first of several; `text` keeps quotes and signatures.

    Cells of an HTML table's row are parted by tabs. `inner` are letters that are attached as such.
    """

    headers: dict[str, str]
    text: str
    content_type: str = ""
    attachments: tuple[str, ...] = ()
    inner: tuple["Mail", ...] = ()
    charset_guessed: bool = False

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    def addresses(self, name: str) -> list[tuple[str, str]]:
        """(person's name, address) of a header, as far as they can be read."""
        found = []
        for shown, address in getaddresses([self.header(name)]):
            plain = read_email(address)
            if plain:
                found.append(("" if read_email(shown) else person_name(shown.strip("'\"")), plain))
        return found


def read_mail(raw: bytes) -> Mail:
    """Whatever bytes these are. Raises RecursionError for a letter that is nested absurdly deep."""
    return _mail(email.message_from_bytes(raw.lstrip(b"\r\n")))


@dataclass(slots=True)
class _Found:
    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    inner: list[Mail] = field(default_factory=list)
    guessed: bool = False


def _mail(message: "Message[str, str]", depth: int = 0) -> Mail:
    headers: dict[str, str] = {}
    for name, value in message.raw_items():
        headers.setdefault(name.lower(), header_text(value))
    found = _Found()
    for number, part in enumerate(_parts(message, found, depth)):
        if number < MAX_PARTS:
            _read_part(part, found)
    text = "\n".join(found.plain)
    if not text.strip():
        text = "\n".join(found.html)
    return Mail(
        headers,
        clean_lines(text)[:MAX_TEXT],
        message.get_content_type(),
        tuple(found.files),
        tuple(found.inner),
        found.guessed,
    )


def _parts(message: "Message[str, str]", found: _Found, depth: int) -> Iterator["Message[str, str]"]:
    """Leaves in order. A letter inside the letter is read by itself."""
    if message.get_content_type() == "message/rfc822":
        attached = message.get_payload()
        if isinstance(attached, list) and depth < 3:
            found.inner += [_mail(one, depth + 1) for one in attached if isinstance(one, Message)]
    elif message.is_multipart():
        for part in message.get_payload():
            if isinstance(part, Message):
                yield from _parts(part, found, depth)
    else:
        yield message


def _read_part(part: "Message[str, str]", found: _Found) -> None:
    kind = part.get_content_type()
    filename = _filename(part)
    disposition = str(part.get("content-disposition", "")).lower()
    data = part.get_payload(decode=True)
    data = data if isinstance(data, bytes) else b""
    if filename or disposition.startswith("attachment") or not kind.startswith("text/"):
        if data and not kind.startswith("multipart/"):
            found.files.append(f"{filename or kind} ({len(data)} bytes)")
        return
    declared = str(part.get_param("charset") or "").lower()
    text, guessed = decode(data, declared)
    found.guessed = found.guessed or guessed
    if kind == "text/html":
        found.html.append(html_text(text))
    elif kind == "text/plain":
        found.plain.append(_unflowed(text) if "flowed" in str(part.get_param("format") or "").lower() else text)


def _filename(part: "Message[str, str]") -> str:
    try:
        name = part.get_filename()
    except (LookupError, ValueError, TypeError):  # a charset that does not exist
        return "file"
    return clean_text(header_text(name), 200) if name else ""


def _unflowed(text: str) -> str:
    """RFC 3676: a line that ends with a space goes on in the next one; the mark of a signature does not."""
    joined = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        joined += line if line.endswith(" ") and line != "-- " else f"{line}\n"
    return joined


def header_text(value: object) -> str:
    """A raw header -> text: encoded words of any charset, bytes that should not be there, folded lines."""
    raw = str(value).encode("utf-8", "surrogateescape")
    text, _ = decode(raw)
    if "=?" in text:
        try:
            pieces = decode_header(re.sub(r"\r?\n", "", text))
        except (HeaderParseError, ValueError):
            pieces = [(text, None)]
        text = "".join(
            decode(piece, (charset or "").lower())[0] if isinstance(piece, bytes) else piece
            for piece, charset in pieces
        )
    return " ".join(clean_text(text).split())


def clean_lines(text: str) -> str:
    """Clean text whose lines have no space at their ends, and no more than one empty line in a row."""
    plain = clean_text(text[: 2 * MAX_TEXT].replace("\xa0", " ").replace("\t", "\ue000"))
    lines = [line.strip(" \r") for line in plain.split("\n")[:MAX_LINES]]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).replace("\ue000", "\t").strip()
