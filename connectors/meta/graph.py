"""The Graph API's answer about one lead -> a lead."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from connectors.doors import ParsedLead
from connectors.formfields import dicts_of, join_texts, moment, text_of
from connectors.webform.lead import lead_from_fields, short_uid
from leads.attribution import touch_of
from leads.normalize import utm_value

FIELDS = (
    "created_time,ad_id,ad_name,adset_id,adset_name,campaign_id,campaign_name,form_id,is_organic,platform,field_data"
)
"""What to ask for: GET /{leadgen_id}?fields=…"""

_OURS = {
    **{name: name for name in ("first_name", "last_name", "email", "phone")},
    "full_name": "name",
    "phone_number": "phone",
    "work_email": "email",
    "work_phone_number": "phone",
    "company_name": "company",
}
_PLATFORMS = {"fb": "facebook", "ig": "instagram", "msg": "messenger", "wa": "whatsapp", "an": "facebook"}
_IDS = ("ad_id", "ad_name", "adset_id", "adset_name", "campaign_id", "campaign_name", "form_id")
_NONE: Mapping[str, str] = MappingProxyType({})


def lead_of_graph(
    answer: Mapping[str, Any],
    region: str,
    now: datetime,
    own_names: Mapping[str, str] = _NONE,
    told: Mapping[str, str] = _NONE,
) -> ParsedLead:
    """`told` is the errand's data: what the event said counts where the answer is silent.

    A paid lead has no UTM of its own: the touch takes the platform and the campaign's name for it,
    with the medium `paid_social`. An organic one has the platform alone.
    """
    values: dict[str, str] = {}
    for field in dicts_of(answer.get("field_data")):
        name = text_of(field.get("name"))[:200].replace("[", "(").replace("]", ")").strip()
        value = join_texts(field.get("values"))
        if name and value:
            values[name] = value
    ids = {name: text_of(answer.get(name)) or told.get(name, "") for name in _IDS}
    ids["adset_id"] = ids["adset_id"] or told.get("adgroup_id", "")  # Meta's older name of the same
    at = moment(answer.get("created_time")) or moment(told.get("created_time")) or now
    utm = {**_campaign(answer, ids), **touch_of(values, at=at).utm}
    lead = lead_from_fields(
        {**values, **utm},
        region=region,
        now=min(at, now),
        own_names={**_OURS, **own_names},
        extra={name: value for name, value in ids.items() if value},
    )
    uid = text_of(answer.get("id")) or told.get("leadgen_id", "")
    return replace(lead, lead_uid=short_uid(uid), form=ids["form_id"])


def _campaign(answer: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, str]:
    platform = text_of(answer.get("platform")).lower()
    source = _PLATFORMS.get(platform, platform) or "facebook"
    if answer.get("is_organic") is True or not ids["ad_id"]:
        return {"utm_source": source, "utm_medium": "social"}
    named = {"utm_campaign": ids["campaign_name"] or ids["campaign_id"], "utm_content": ids["ad_name"] or ids["ad_id"]}
    paid = {"utm_source": source, "utm_medium": "paid_social", **named}
    return {name: utm_value(value) for name, value in paid.items() if utm_value(value)}
