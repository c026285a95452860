"""Sample requests of call tracking, widgets and smaller PBXs, with the settings they were made for."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from connectors import (
    asterisk,
    beeline,
    callibri,
    calltouch,
    envybox,
    jivo,
    onlinepbx,
    ringostat,
    roistat,
    telphin,
)
from connectors.doors import Door, Inbound, Parsed, ParsedLead
from connectors.events import ParsedCall
from leads.calls import CallEvent, call_of, judged
from tests.support.requests import NOW, from_http_file, inbound

SAMPLES = Path(__file__).parent.parent / "samples"
KEYS: dict[str, dict[str, Any]] = json.loads((SAMPLES / "keys.json").read_text(encoding="utf-8"))

_MODULES = (asterisk, beeline, callibri, calltouch, envybox, jivo, onlinepbx, ringostat, roistat, telphin)
DOORS: dict[str, Door] = {module.SOURCE.name: module.SOURCE for module in _MODULES}
NAMES = sorted(f"{path.parent.name}/{path.stem}" for vendor in DOORS for path in (SAMPLES / vendor).glob("*.http"))


def settings_of(vendor: str, **more: Any) -> Any:
    return DOORS[vendor].settings.model_validate({**KEYS[vendor], **more})


def sample(name: str, received_at: datetime = NOW) -> Inbound:
    """`roistat/1-call-start` -> its request."""
    return from_http_file(SAMPLES / f"{name}.http", received_at)


def taken(vendor: str, request: Inbound, settings: Any = None) -> Parsed:
    settings = settings or settings_of(vendor)
    DOORS[vendor].verify(settings, request)
    return DOORS[vendor].parse(settings, request, "RU")


def replayed(name: str, received_at: datetime = NOW) -> Parsed:
    return taken(name.partition("/")[0], sample(name, received_at))


def call(parsed: Parsed) -> ParsedCall:
    """The one call of what holds nothing else."""
    (made,) = parsed.calls
    assert not parsed.leads
    assert not parsed.messages
    return made


def lead(parsed: Parsed) -> ParsedLead:
    """The one lead of what holds nothing else."""
    (made,) = parsed.leads
    assert not parsed.calls
    assert not parsed.messages
    return made


def fields(name: str) -> dict[str, str]:
    """The form of a sample."""
    return dict(parse_qsl(sample(name).body.decode(), keep_blank_values=True))


def changed(name: str, /, **more: str) -> Parsed:
    """What the door makes of a sample whose form has other values."""
    vendor = name.partition("/")[0]
    return parsed_form(vendor, {**fields(name), **more})


def parsed_form(
    vendor: str, form: dict[str, str], *, method: str = "POST", received_at: datetime = NOW, **settings: Any
) -> Parsed:
    """What the door makes of these fields; who sent them is another matter."""
    text = urlencode(form)
    request = inbound("" if method == "GET" else text, query=text if method == "GET" else "", method=method)
    made_for = DOORS[vendor].settings.model_validate(settings)
    return DOORS[vendor].parse(made_for, replace(request, received_at=received_at), "RU")


def parsed_json(vendor: str, tree: Any, *, received_at: datetime = NOW, **settings: Any) -> Parsed:
    request = inbound(json.dumps(tree, ensure_ascii=False), received_at=received_at)
    return DOORS[vendor].parse(DOORS[vendor].settings.model_validate(settings), request, "RU")


def tree_of(name: str) -> Any:
    return json.loads(sample(name).body)


def folded(*made: ParsedCall) -> str:
    """The disposition of the call that these events make, two minutes after the last."""
    names = CallEvent.__dataclass_fields__
    events = [CallEvent(**{name: getattr(one, name) for name in names}) for one in made]
    return judged(call_of(events), timedelta(minutes=2)).disposition
