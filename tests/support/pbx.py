"""Sample requests of telephony with the settings they are signed for."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from connectors import mango, megafon, sipuni, twilio, uis, zadarma
from connectors.doors import Door, Inbound, Parsed
from connectors.events import ParsedCall
from tests.support.requests import NOW, from_http_file, inbound

SAMPLES = Path(__file__).parent.parent / "samples"
KEYS: dict[str, dict[str, Any]] = json.loads((SAMPLES / "keys.json").read_text(encoding="utf-8"))
DOORS: dict[str, Door] = {
    door.name: door for door in (mango.SOURCE, megafon.SOURCE, sipuni.SOURCE, twilio.SOURCE, uis.SOURCE, zadarma.SOURCE)
}
HANDSHAKES = ("zadarma/0-zd-echo",)
NAMES = sorted(
    name
    for vendor in DOORS
    for path in (SAMPLES / vendor).glob("*.http")
    if (name := f"{vendor}/{path.stem}") not in HANDSHAKES
)


def settings_of(vendor: str, **more: Any) -> Any:
    return DOORS[vendor].settings.model_validate({**KEYS[vendor], **more})


def sample(name: str, received_at: datetime = NOW) -> Inbound:
    """`mango/out-1-appeared` -> its request, as it came to the public address that signatures cover."""
    path = SAMPLES / f"{name}.http"
    target = path.read_bytes().split(b" ", 2)[1].decode()
    return replace(from_http_file(path, received_at), url=f"https://hub.example.test{target}")


def replayed(name: str, received_at: datetime = NOW) -> Parsed:
    """The sample checked and parsed with the keys it was made for."""
    return taken(name.partition("/")[0], sample(name, received_at))


def taken(vendor: str, request: Inbound, settings: Any = None, region: str = "RU") -> Parsed:
    settings = settings or settings_of(vendor)
    DOORS[vendor].verify(settings, request)
    return DOORS[vendor].parse(settings, request, region)


def call(name: str) -> ParsedCall:
    """The one call of a sample that holds nothing else."""
    return only(replayed(name))


def only(parsed: Parsed) -> ParsedCall:
    (made,) = parsed.calls
    assert not parsed.leads
    assert not parsed.messages
    return made


def form(
    vendor: str, fields: dict[str, str], *, received_at: datetime = NOW, tail: str = "", **settings: Any
) -> Parsed:
    """What the door makes of a form; proofs are another matter."""
    door = DOORS[vendor]
    request = inbound(urlencode(fields), path_tail=tail, received_at=received_at)
    return door.parse(door.settings.model_validate(settings), request, "RU")


def mango_event(event: str, tree: Any, received_at: datetime = NOW) -> Parsed:
    return form("mango", {"json": json.dumps(tree)}, tail=event, received_at=received_at)


def zadarma_signature(signed: str, secret: str) -> str:
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha1).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def twilio_signature(url: str, fields: dict[str, str], secret: str, algorithm: str = "sha1") -> str:
    signed = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(secret.encode(), signed.encode(), algorithm).digest()).decode()
