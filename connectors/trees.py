"""JSON from outside, read without trust: what is not there or of another type is simply empty."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from connectors.bodies import read_body
from connectors.doors import Inbound, Unreadable
from leads.normalize import clean_text

Tree = Mapping[str, Any]

OLDEST = datetime(2010, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=2)  # a vendor's clock, or a time read in the wrong zone; more is nonsense


def read_object(inbound: Inbound) -> Tree:
    """The JSON object of the body; `{}` for none at all, which is how some test an address. Raises Unreadable."""
    if inbound.body.strip() in (b"", b"{}", b"[]"):
        return {}
    headers = inbound.headers
    tree = read_body(inbound.body, headers.get("content-type", ""), headers.get("content-encoding", "")).tree
    if not isinstance(tree, dict):
        raise Unreadable("the body is not a JSON object")
    return tree


def part(tree: Tree, *path: str) -> Tree:
    """The object at `path`."""
    for key in path:
        tree = tree.get(key)  # type: ignore[assignment]  # looked at in the next line
        if not isinstance(tree, dict):
            return {}
    return tree


def items(tree: Tree, key: str) -> list[Tree]:
    """The objects of the list at `key`."""
    value = tree.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(tree: Tree, *path: str) -> str:
    """The string or number at `path`; ids of 64 bits come through whole."""
    value = part(tree, *path[:-1]).get(path[-1])
    if isinstance(value, str):
        return clean_text(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def is_true(tree: Tree, key: str) -> bool:
    """JSON true, 1 or a word for it: for a list of marks vendors are not of one mind about the type."""
    return tree.get(key) in (True, "1", "true", "True")


def moment(value: Any, default: datetime, zone: tzinfo = UTC) -> datetime:
    """Seconds, milliseconds or microseconds since 1970, or ISO 8601 (without an offset: in `zone`) -> UTC, whole
    seconds. What cannot be a time, or lies far from `default`, which is when the request came, is `default`."""
    written = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    try:
        if written.isascii() and written.isdigit() and len(written) <= 17:
            number = int(written)
            while number > 99_999_999_999:
                number //= 1000
            at = datetime.fromtimestamp(number, UTC)
        else:
            at = datetime.fromisoformat(written)
            at = (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return default.replace(microsecond=0)
    return at.replace(microsecond=0) if OLDEST < at < default + AHEAD else default.replace(microsecond=0)
