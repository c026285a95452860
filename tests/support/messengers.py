"""Sample requests of messengers with the settings they are signed for."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors import (
    avito,
    chat2desk,
    d360,
    instagram,
    smsc,
    smsru,
    telegram_bot,
    umnico,
    viber,
    vk,
    wazzup,
    whatsapp,
)
from connectors.doors import Door, Inbound, Parsed
from connectors.events import ParsedMessage
from tests.support.requests import from_http_file, inbound

SAMPLES = Path(__file__).parent.parent / "samples"
KEYS: dict[str, dict[str, Any]] = json.loads((SAMPLES / "keys-messengers.json").read_text(encoding="utf-8"))
SENT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
"""The time of the first event of every vendor."""

_DOORS = (
    *(avito, chat2desk, d360, instagram, smsc, smsru),
    *(telegram_bot, umnico, viber, vk, wazzup, whatsapp),
)
DOORS: dict[str, Door] = {module.SOURCE.name: module.SOURCE for module in _DOORS}  # type: ignore[attr-defined]  # each has one


def settings_of(vendor: str, **more: Any) -> Any:
    return DOORS[vendor].settings.model_validate({**KEYS[vendor], **more})


def sample(name: str) -> Inbound:
    """`telegram/msg-1-start-deeplink` -> its request."""
    return from_http_file(SAMPLES / f"{name}.http")


def replayed(name: str, settings: Any = None) -> Parsed:
    """The sample checked and parsed with the keys it was made for."""
    vendor = name.partition("/")[0]
    return taken(vendor, sample(name), settings)


def taken(vendor: str, request: Inbound, settings: Any = None) -> Parsed:
    settings = settings or settings_of(vendor)
    DOORS[vendor].verify(settings, request)
    return DOORS[vendor].parse(settings, request, "RU")


def message(name: str) -> ParsedMessage:
    """The one message of a sample that holds nothing else."""
    return only(replayed(name))


def only(parsed: Parsed) -> ParsedMessage:
    (made,) = parsed.messages
    assert not parsed.leads
    assert not parsed.calls
    return made


def tree_of(name: str) -> Any:
    return json.loads(sample(name).body)


def parsed_tree(vendor: str, tree: Any, **settings: Any) -> Parsed:
    """What the door makes of a JSON body; proofs are another matter."""
    request = inbound(json.dumps(tree, ensure_ascii=False))
    keys = {key: value for key, value in KEYS[vendor].items() if key != "url_token"}
    return DOORS[vendor].parse(DOORS[vendor].settings.model_validate({**keys, **settings}), request, "RU")


def with_body(request: Inbound, body: bytes) -> Inbound:
    return replace(request, body=body)


def without(request: Inbound, *headers: str) -> Inbound:
    return replace(request, headers={key: value for key, value in request.headers.items() if key not in headers})


def with_header(request: Inbound, header: str, change: Callable[[str], str]) -> Inbound:
    return replace(request, headers={**request.headers, header: change(request.headers[header])})
