"""A webhook of WPForms -> a lead: names that the owner chose, or the plugin's own list of fields."""

from collections.abc import Iterator
from typing import Any

from connectors.doors import Inbound, Parsed
from connectors.formfields import (
    Answer,
    body_of,
    dict_of,
    dicts_of,
    join_texts,
    lead_of,
    lead_of_answers,
    plain_values,
    text_of,
)
from connectors.wpforms.settings import WpformsSettings

_OURS = {"phone": "phone", "email": "email", "name": "name"}
_NOISE_TYPES = frozenset(("divider", "html", "pagebreak", "captcha", "password", "layout"))


def parse(settings: WpformsSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody."""
    body = body_of(inbound)
    if body is None:
        return Parsed()
    flags = ("charset_guessed",) if body.charset_guessed else ()
    tree = dict_of(body.tree)
    fields = [
        field for field in dicts_of(tree.get("fields")) if "value" in field and ("name" in field or "label" in field)
    ]
    if not fields:
        values = plain_values(body.pairs)
        if values.get("form_name"):
            values.pop("form_id", None)
        return Parsed((lead_of(settings, inbound, region, values, own_names=settings.fields, flags=flags),))
    answers = [*_answers(fields), *_beside(tree)]
    return Parsed((lead_of_answers(settings, inbound, region, answers, flags=flags),))


def _answers(fields: list[dict[str, Any]]) -> Iterator[Answer]:
    for field in fields:
        kind = text_of(field.get("type")).lower()
        if kind not in _NOISE_TYPES:
            label = text_of(field.get("name")) or text_of(field.get("label"))
            yield Answer(label, join_texts(field["value"]), _OURS.get(kind, ""), text_of(field.get("id")))


def _beside(tree: dict[str, Any]) -> Iterator[Answer]:
    named = bool(text_of(tree.get("form_name")) or text_of(tree.get("form_title")))
    for key, value in tree.items():
        if key != "fields" and not (named and key == "form_id") and text_of(value):
            yield Answer(key, text_of(value))
