"""Every door with settings that ask for every proof it knows."""

import json
from pathlib import Path
from typing import Any

from connectors.doors import Door, DoorSettings
from connectors.registry import SOURCES

SAMPLES = Path(__file__).parents[1] / "samples"
KEYS: dict[str, dict[str, Any]] = {
    name: settings
    for file in ("keys.json", "keys-messengers.json")
    for name, settings in json.loads((SAMPLES / file).read_text(encoding="utf-8")).items()
}
MORE: dict[str, dict[str, Any]] = {
    "1c": {"user": "hub", "password": "fake-1c-password-1"},
    "360dialog": {},
    "call_insight": {"bearer": "fake-insight-bearer-1"},
    "imap": {"host": "imap.example.com", "user": "box@example.com", "password": "fake-imap-password-1"},
    "generic": {"secret": "fake-generic-secret-1", "key": "fake-generic-key-1"},
    "roistat": {"key": "fake-roistat-key-1"},
    "twilio": {"url_token": "tok-twilio-1"},
    "vk": {"url_token": "tok-vk-1"},
    "webform": {"key": "fake-webform-key-1"},
}
BY_REQUEST = sorted(name for name in SOURCES if "POST" in SOURCES[name].methods)


def settings_of(name: str, **more: Any) -> DoorSettings:
    """With the keys of the sample files, made-up ones where there are none, and a token in the address."""
    own = {key: value for key, value in KEYS.get(name, {}).items() if value != ""}
    asked = {"url_token": f"tok-{name}-1", **own, **MORE.get(name, {}), **more}
    return SOURCES[name].settings.model_validate(asked)


def door(name: str) -> Door:
    return SOURCES[name]
