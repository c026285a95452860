"""A sample of the door: a lead form."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.google_ads.settings import GoogleAdsSettings
from connectors.samples import EMAIL, NAME, PHONE, own_id, posted_json, secret


def sample(settings: GoogleAdsSettings, address: str, now: datetime) -> Inbound:
    told = (("FULL_NAME", "Full Name", NAME), ("PHONE_NUMBER", "User Phone", PHONE), ("EMAIL", "User Email", EMAIL))
    columns = [{"column_id": key, "column_name": title, "string_value": value} for key, title, value in told]
    tree = {
        "lead_id": own_id(now),
        "user_column_data": columns,
        "api_version": "1.0",
        "form_id": 1,
        "campaign_id": 1,
        "google_key": secret(settings.google_key),
        "is_test": False,
    }
    return posted_json(settings, address, now, tree)
