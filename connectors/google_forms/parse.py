"""What the Apps Script posts of one response -> a lead."""

from collections.abc import Iterator
from typing import Any

from connectors.doors import Inbound, Parsed
from connectors.formfields import Answer, body_of, dict_of, join_texts, lead_of_answers, object_of, text_of
from connectors.google_forms.settings import GoogleFormsSettings

_TIMESTAMPS = ("timestamp", "отметка времени", "zeitstempel", "horodateur", "marca temporal")


def parse(settings: GoogleFormsSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody."""
    if body_of(inbound) is None:
        return Parsed()
    data = object_of(inbound)
    answers = dict_of(data.get("named_values")) or dict_of(data.get("namedValues"))
    if not answers:
        return Parsed()
    lead = lead_of_answers(
        settings,
        inbound,
        region,
        _answers(answers),
        lead_uid=text_of(data.get("response_id")) or text_of(data.get("responseId")),
        form=text_of(data.get("form_title")) or text_of(data.get("form_id")) or text_of(data.get("formId")),
    )
    return Parsed((lead,))


def _answers(answers: dict[str, Any]) -> Iterator[Answer]:
    """Question -> list of answers. The sheet's own column with the time of the response is none."""
    for question, value in answers.items():
        if question.strip().casefold() not in _TIMESTAMPS:
            yield Answer(question, join_texts(value))
