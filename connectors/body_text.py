"""A request body as people read it: in its own encoding, and of a file only name, type and size."""

import re

from connectors.bodies import UnreadableBody, decode, inflated
from connectors.multipart import boundary_of

_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


def readable(body: bytes, headers: "dict[str, str]") -> str:
    """`headers` by lower-case name, as they were kept."""
    content_type = headers.get("content-type", "")
    try:
        data = inflated(body, headers.get("content-encoding", "").strip().lower())
    except UnreadableBody:
        return _size(body)
    boundary = boundary_of(data, content_type) if "multipart" in content_type.lower() or data[:2] == b"--" else b""
    if boundary:
        mark = b"--" + boundary
        data = mark.join(_part(part) for part in data.split(mark))
    if _BINARY.search(data):
        return _size(data)
    match = _CHARSET.search(content_type)
    return decode(data, match[1].lower() if match else "")[0]


def _part(part: bytes) -> bytes:
    """A file keeps its headers, which hold its name and type."""
    found = _BLANK_LINE.search(part)
    if found is None:
        return part
    head, content = part[: found.start()], part[found.end() :]
    content = content.removesuffix(b"\n").removesuffix(b"\r")
    if b"filename" not in head.lower() and not _BINARY.search(content):
        return part
    return head + found[0] + _size(content).encode() + b"\r\n"


def _size(data: bytes) -> str:
    return f"[{len(data)} bytes]"
