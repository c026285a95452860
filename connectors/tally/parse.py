"""A response of Tally -> a lead."""

from collections.abc import Iterator
from typing import Any

from connectors.doors import Inbound, Parsed
from connectors.formfields import Answer, dict_of, dicts_of, join_texts, lead_of_answers, object_of, text_of
from connectors.tally.settings import TallySettings

_OURS = {"INPUT_EMAIL": "email", "INPUT_PHONE_NUMBER": "phone"}


def parse(settings: TallySettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. Other events than FORM_RESPONSE make nothing."""
    event = object_of(inbound)
    data = dict_of(event.get("data"))
    if text_of(event.get("eventType")) not in ("FORM_RESPONSE", "") or not data:
        return Parsed()
    lead = lead_of_answers(
        settings,
        inbound,
        region,
        _answers(dicts_of(data.get("fields"))),
        lead_uid=text_of(data.get("responseId")) or text_of(data.get("submissionId")) or text_of(event.get("eventId")),
        form=text_of(data.get("formName")) or text_of(data.get("formId")),
    )
    return Parsed((lead,))


def _answers(fields: list[dict[str, Any]]) -> Iterator[Answer]:
    for field in fields:
        value = field.get("value")
        if isinstance(value, bool) and "_" in text_of(field.get("key")).removeprefix("question_"):
            continue  # one box of a question whose chosen texts came just before
        kind = text_of(field.get("type"))
        yield Answer(text_of(field.get("label")), _value(value, field), _OURS.get(kind, ""), text_of(field.get("key")))


def _value(value: Any, field: dict[str, Any]) -> str:
    """Chosen options come as ids with their texts beside, files as objects, a matrix as row -> columns."""
    names = {text_of(option.get("id")): text_of(option.get("text")) for option in dicts_of(field.get("options"))}
    if isinstance(value, dict):
        rows = {text_of(row.get("id")): text_of(row.get("text")) for row in dicts_of(field.get("rows"))}
        names |= {text_of(column.get("id")): text_of(column.get("text")) for column in dicts_of(field.get("columns"))}
        return "; ".join(f"{rows.get(row, row)}: {_named(chosen, names)}" for row, chosen in value.items())
    return _named(value, names)


def _named(value: Any, names: dict[str, str]) -> str:
    if not isinstance(value, list):
        text = text_of(value)
        return names.get(text, text)
    parts = [item.get("url") or item.get("name") if isinstance(item, dict) else item for item in value]
    return join_texts([names.get(text_of(part), text_of(part)) for part in parts])
