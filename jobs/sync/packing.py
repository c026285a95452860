"""Values of records as JSON and back: numbers, days and moments keep their type."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

_NUMBER, _DAY, _MOMENT = "$number", "$day", "$moment"


def pack(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _packed(value) for name, value in values.items()}


def unpack(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _unpacked(value) for name, value in values.items()}


def plain(value: Any) -> Any:
    """A packed value as programs outside take it: numbers and times as texts."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((kind, text),) = value.items()
        if kind in (_NUMBER, _DAY, _MOMENT):
            return text
    return {name: plain(one) for name, one in value.items()}


def _packed(value: Any) -> Any:
    match value:
        case Decimal():
            return {_NUMBER: str(value)}
        case datetime():
            return {_MOMENT: value.isoformat()}
        case date():
            return {_DAY: value.isoformat()}
        case list() | tuple() | set() | frozenset():
            return [_packed(one) for one in value]
        case Mapping():
            return {str(name): _packed(one) for name, one in value.items()}
        case None | str() | bool() | int() | float():
            return value
    return str(value)


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_unpacked(one) for one in value)
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((kind, text),) = value.items()
        if kind == _NUMBER:
            return Decimal(text)
        if kind == _MOMENT:
            return datetime.fromisoformat(text)
        if kind == _DAY:
            return date.fromisoformat(text)
    return {name: _unpacked(one) for name, one in value.items()}
