"""Requests of the sample files and of tests -> what a door is given."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

from connectors.doors import Inbound

NOW = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)


def inbound(
    body: bytes | str = b"",
    *,
    path_tail: str = "",
    query: str = "",
    headers: dict[str, str] | None = None,
    method: str = "POST",
    remote_ip: str = "203.0.113.7",
    received_at: datetime = NOW,
) -> Inbound:
    return Inbound(
        method=method,
        path_tail=path_tail,
        query=parse_qsl(query, keep_blank_values=True),
        headers={name.lower(): value for name, value in (headers or {}).items()},
        body=body.encode() if isinstance(body, str) else body,
        remote_ip=remote_ip,
        received_at=received_at,
    )


def from_http_file(path: Path, received_at: datetime = NOW) -> Inbound:
    """A `.http` file: request line, headers, an empty line, the body byte for byte."""
    head, body = path.read_bytes().split(b"\n\n", 1)
    request_line, *lines = head.decode().split("\n")
    method, target, _ = request_line.split(" ")
    address, _, query = target.partition("?")
    headers = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    tail = address.removeprefix("/in/").partition("/")[2]
    return inbound(body, path_tail=tail, query=query, headers=headers, method=method, received_at=received_at)
