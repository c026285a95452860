"""Doors of forms, shops and payments with the keys of the sample files."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from connectors.doors import Door, Inbound, Parsed, ParsedLead
from connectors.events import ParsedPayment
from tests.support.requests import NOW, from_http_file, inbound

SAMPLES = Path(__file__).parents[1] / "samples"
KEYS: dict[str, dict[str, Any]] = json.loads((SAMPLES / "keys.json").read_text(encoding="utf-8"))
PACKAGES = {"google-ads": "google_ads", "google-forms": "google_forms", "1c": "onec"}
STRIPE_TIME = datetime.fromtimestamp(1767600000, UTC)


def door(name: str) -> Door:
    found = import_module(f"connectors.{PACKAGES.get(name, name)}").SOURCE
    assert isinstance(found, Door)
    assert found.name == name
    return found


def settings(name: str, **more: Any) -> Any:
    """As config.yaml with the keys of the samples says."""
    return door(name).settings(**{**KEYS.get(name, {}), **more})


def sample(name: str, file: str) -> Inbound:
    """The request at the time and from the address for which it is good."""
    request = from_http_file(SAMPLES / name / file, STRIPE_TIME if name == "stripe" else NOW)
    return replace(request, remote_ip="77.75.156.11") if name == "yookassa" else request


def taken(name: str, request: Inbound, **more: Any) -> Parsed:
    """Verified and parsed, as the intake of a Russian hub does it; `more` are settings."""
    source, chosen = door(name), settings(name, **more)
    source.verify(chosen, request)
    return source.parse(chosen, request, "RU")


def lead_of(name: str, request: Inbound, **more: Any) -> ParsedLead:
    (lead,) = taken(name, request, **more).leads
    return lead


def payment_of(name: str, request: Inbound, **more: Any) -> ParsedPayment:
    (payment,) = taken(name, request, **more).payments
    return payment


def posted(name: str, body: object, *, query: str = "", headers: dict[str, str] | None = None) -> Inbound:
    """An unsigned request of our own making to the address with the door's token: JSON, or text as it stands."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return inbound(text, path_tail=KEYS.get(name, {}).get("url_token", ""), query=query, headers=headers)
