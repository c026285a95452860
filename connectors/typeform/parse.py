"""A response of Typeform -> a lead."""

from collections.abc import Iterator
from typing import Any

from connectors.doors import Inbound, Parsed
from connectors.formfields import Answer, dict_of, dicts_of, join_texts, lead_of_answers, object_of, text_of
from connectors.typeform.settings import TypeformSettings

_OURS = {"email": "email", "phone_number": "phone"}


def parse(settings: TypeformSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. Partial responses and other events make nothing: the whole one follows."""
    event = object_of(inbound)
    response = dict_of(event.get("form_response"))
    if text_of(event.get("event_type")) not in ("form_response", "") or not response:
        return Parsed()
    definition = dict_of(response.get("definition"))
    titles = {text_of(field.get("id")): text_of(field.get("title")) for field in dicts_of(definition.get("fields"))}
    lead = lead_of_answers(
        settings,
        inbound,
        region,
        [*_answers(response, titles), *_hidden(response), *_computed(response)],
        lead_uid=text_of(response.get("token")) or text_of(event.get("event_id")),
        form=text_of(definition.get("title")) or text_of(response.get("form_id")),
    )
    return Parsed((lead,))


def _answers(response: dict[str, Any], titles: dict[str, str]) -> Iterator[Answer]:
    for answer in dicts_of(response.get("answers")):
        kind = text_of(answer.get("type"))
        field = dict_of(answer.get("field"))
        ref = text_of(field.get("ref"))
        label = titles.get(text_of(field.get("id"))) or text_of(field.get("title")) or ref
        yield Answer(label, _value(answer.get(kind)), _OURS.get(kind, ""), ref)


def _value(value: Any) -> str:
    """A scalar; {label} or {labels} of choices, with the visitor's own {other}; {amount, name, …} of a payment."""
    if not isinstance(value, dict):
        return join_texts(value)
    chosen = [value.get("label"), join_texts(value.get("labels")), value.get("other")]
    return join_texts(chosen) or join_texts(list(value.values()))


def _hidden(response: dict[str, Any]) -> Iterator[Answer]:
    for name, value in dict_of(response.get("hidden")).items():
        yield Answer(name, join_texts(value))


def _computed(response: dict[str, Any]) -> Iterator[Answer]:
    """Variables such as a score, and the ending that the visitor saw."""
    for variable in dicts_of(response.get("variables")):
        kind = text_of(variable.get("type"))
        yield Answer(text_of(variable.get("key")), text_of(variable.get(kind)), "extra")
