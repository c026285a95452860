"""Google Ads lead forms."""

from connectors.doors import Door, Inbound, Refused, check_token, same_secret
from connectors.formfields import object_of, text_of
from connectors.google_ads.parse import is_test, parse
from connectors.google_ads.settings import GoogleAdsSettings

__all__ = ["SOURCE", "GoogleAdsSettings"]


def verify(settings: GoogleAdsSettings, inbound: Inbound) -> None:
    """The key stands in the body. A test without any key passes and makes nothing. Raises UnreadableBody, Refused."""
    check_token(settings, inbound)
    if not inbound.body.strip():
        return
    data = object_of(inbound)
    if is_test(data) and "google_key" not in data:
        return
    if not same_secret(text_of(data.get("google_key")), settings.google_key.get_secret_value()):
        raise Refused("google_key is wrong or missing")


SOURCE = Door(
    name="google-ads",
    title="Google Ads",
    settings=GoogleAdsSettings,
    group="ads",
    parse=parse,
    verify=verify,
)
