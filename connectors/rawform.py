"""Fields of a form as the bytes they were sent as, for signatures that are computed over them."""

from urllib.parse import unquote_to_bytes

from connectors.doors import Inbound, Unreadable

MAX_FIELDS = 1000


def raw_fields(inbound: Inbound) -> list[tuple[bytes, bytes]]:
    """(name, value) in the order sent: of a GET its query, else the form in the body. Raises Unreadable."""
    if inbound.method == "GET":
        return [(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in inbound.query]
    if not inbound.body.strip():
        return []
    if b"=" not in inbound.body:
        raise Unreadable("not a form")
    pieces = (piece.partition(b"=") for piece in inbound.body.split(b"&", MAX_FIELDS)[:MAX_FIELDS])
    return [(_bytes(name), _bytes(value)) for name, _, value in pieces]


def _bytes(piece: bytes) -> bytes:
    return unquote_to_bytes(piece.replace(b"+", b" "))
