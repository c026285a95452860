"""A refusal in the draft's own words."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.base import CallDraft, Draft
from connectors.errors import PermanentError
from connectors.hubspot.answers import Refusal
from connectors.hubspot.payloads import OWN_PREFIX

ATTRIBUTES: Mapping[str, str] = {
    "email": "emails",
    "phone": "phones",
    "mobilephone": "phones",
    "firstname": "name",
    "lastname": "name",
    "name": "name",
    "hubspot_owner_id": "responsible",
    "pipeline": "pipeline",
    "dealstage": "stage",
    "dealname": "title",
    "amount": "price",
    "description": "comment",
    "leadhub_source": "source",
    "leadhub_tags": "tags",
    "hs_note_body": "text",
    "hs_task_body": "text",
    "hs_task_subject": "text",
}
"""Property -> the draft's own name for what is in it."""


def named(error: Refusal, draft: Draft, properties: Mapping[str, str]) -> PermanentError:
    """`properties` is what was sent: what an unstructured refusal may be talking about."""
    names = error.fields or (() if error.gone else named_in(error.text, properties))
    return PermanentError(
        error.message,
        error.operation,
        error.status,
        error.request_id,
        fields=draft_names(names, draft),
        gone=error.gone and not names,
    )


def draft_names(names: Iterable[str], draft: Draft) -> tuple[str, ...]:
    """Vendor property names -> names as in the draft: of its own fields as they are, else the attribute."""
    fields: Mapping[str, Any] = getattr(draft, "fields", {})

    def one(name: str) -> str:
        if name in fields:
            return name
        if name.startswith(f"{OWN_PREFIX}utm_"):
            return "utm"
        if name == "hs_timestamp":
            return "started_at" if isinstance(draft, CallDraft) else "due_at"
        return ATTRIBUTES.get(name, name)

    return tuple(dict.fromkeys(one(name) for name in names))


def named_in(message: str, properties: Mapping[str, str]) -> tuple[str, ...]:
    """Which of our properties an unstructured refusal talks about; a stage or an owner also in plain words."""
    low = message.lower()
    found = [name for name in properties if re.search(rf"\b{re.escape(name)}\b", low)]
    for word, name in (("stage", "dealstage"), ("owner", "hubspot_owner_id")):
        if word in low and name in properties and name not in found:
            found.append(name)
    return tuple(found)
