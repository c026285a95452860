"""A lead of a Google Ads form -> a lead. Ids have 64 bits and stay text."""

from collections.abc import Iterator
from typing import Any

from connectors.doors import Inbound, Parsed
from connectors.formfields import Answer, dicts_of, lead_of_answers, object_of, text_of
from connectors.google_ads.settings import GoogleAdsSettings

_OURS = {
    "FULL_NAME": "name",
    "FIRST_NAME": "first_name",
    "LAST_NAME": "last_name",
    "EMAIL": "email",
    "WORK_EMAIL": "email",
    "PHONE_NUMBER": "phone",
    "WORK_PHONE": "phone",
    "COMPANY_NAME": "company",
}
_KNOWN = ("JOB_TITLE", "STREET_ADDRESS", "CITY", "REGION", "POSTAL_CODE", "COUNTRY")
_CAME_BY = {"utm_source": "google", "utm_medium": "cpc"}
"""A lead form has no page with UTM, but it is always an ad of Google."""
_IDS = ("campaign_id", "adgroup_id", "creative_id", "asset_group_id", "form_id", "lead_stage", "lead_submit_time")


def is_test(data: dict[str, Any]) -> bool:
    return data.get("is_test") is True or text_of(data.get("is_test")).lower() in ("true", "1")


def parse(settings: GoogleAdsSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. A test of the form's settings makes nothing."""
    if not inbound.body.strip():
        return Parsed()
    data = object_of(inbound)
    if is_test(data):
        return Parsed()
    answers = [
        *_answers(dicts_of(data.get("user_column_data"))),
        Answer("gclid", text_of(data.get("gcl_id"))),
        *(Answer(name, value) for name, value in _CAME_BY.items()),
        Answer("utm_campaign", text_of(data.get("campaign_id"))),
    ]
    lead = lead_of_answers(
        settings,
        inbound,
        region,
        answers,
        lead_uid=text_of(data.get("lead_id")),
        form=text_of(data.get("form_id")),
        extra={name: text_of(data.get(name)) for name in _IDS},
    )
    return Parsed((lead,))


def _answers(columns: list[dict[str, Any]]) -> Iterator[Answer]:
    """Known columns by their id, own questions by their name; old forms send no id."""
    for column in columns:
        column_id, name = text_of(column.get("column_id")), text_of(column.get("column_name"))
        value = text_of(column.get("string_value"))
        if column_id in _KNOWN:
            yield Answer(column_id.lower(), value, "extra", column_id)
        else:
            yield Answer(name or column_id, value, _OURS.get(column_id, ""), column_id)
