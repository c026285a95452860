"""A sample of the door: JSON with every field where `fields` expects it."""

import re
from datetime import datetime
from typing import Any

from connectors.doors import Inbound
from connectors.generic.settings import GenericSettings
from connectors.samples import as_json, form_fields, hex_hmac, own_id, posted_json, secret


def sample(settings: GenericSettings, address: str, now: datetime) -> Inbound:
    tree: dict[str, Any] = {}
    for field, value in form_fields(now).items():
        _put(tree, settings.fields.get(field, field), value)
    body = as_json(tree)
    headers = {"idempotency-key": own_id(now)}
    if settings.secret is not None:
        headers["x-signature"] = f"sha256={hex_hmac(settings.secret, body)}"
    if settings.bearer is not None:
        headers["authorization"] = f"Bearer {secret(settings.bearer)}"
    if settings.key is not None:
        headers["x-leadhub-key"] = secret(settings.key)
    return posted_json(settings, address, now, body, headers=headers)


def _put(tree: dict[str, Any], path: str, value: str) -> None:
    """Sets `contacts.phone`, `answers[0].a`; a list is as long as its number asks for."""
    steps: list[str | int] = []
    for name, number in re.findall(r"([^.\[\]]+)|\[(\d{1,3})\]", path):
        steps.append(name or int(number))
    here: Any = tree
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if isinstance(step, int):
            here.extend({} for _ in range(step + 1 - len(here)))
        fresh: Any = value if following is None else [] if isinstance(following, int) else {}
        kept = here[step] if isinstance(step, int) else here.get(step)
        if following is None or not kept:
            here[step] = fresh
        here = here[step]
