"""HubSpot: contacts, companies, deals, notes, tasks and calls of one account."""

from pydantic import BaseModel

from connectors.base import Capabilities, Connector, NeededField
from connectors.hubspot.api import rate_of
from connectors.hubspot.auth import authorize_url, exchange_code
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.creation import SLOWEST_WRITE_S
from connectors.hubspot.fieldkinds import ATTRIBUTES
from connectors.hubspot.hooks import read_hook
from connectors.hubspot.properties import NEEDED_KEYS
from connectors.hubspot.settings import HubSpotSettings
from connectors.hubspot.writes import MAX_BATCH
from leads.records import UTM_KEYS

__all__ = ["CONNECTOR", "HubSpotClient", "HubSpotSettings", "authorize_url", "exchange_code"]


def _capabilities(settings: BaseModel) -> Capabilities:
    """The unique property makes the repeat itself safe: one look-up at once, no waiting, no second look.

    Where an account does not let us have it, `find_created` itself puts the repeat off until nothing can land.
    """
    if not isinstance(settings, HubSpotSettings):
        raise TypeError("not the settings of a HubSpot connection")
    return Capabilities(
        max_rate=rate_of(settings),
        max_batch=MAX_BATCH,
        look_again_s=(0.0,),
        recheck_s=(),
        slowest_write_s=SLOWEST_WRITE_S,
        changes="poll",
    )


_DEAL_FIELDS = (
    NeededField("deal", "leadhub_source", "Источник (LeadHub)", "Source (LeadHub)"),
    NeededField("deal", "leadhub_first_touch", "Первое касание (LeadHub)", "First touch (LeadHub)"),
    NeededField("deal", "leadhub_last_touch", "Последнее касание (LeadHub)", "Last touch (LeadHub)"),
    NeededField("deal", "leadhub_link", "Обращение в LeadHub", "Lead in LeadHub"),
    NeededField("deal", "leadhub_tags", "Метки (LeadHub)", "Tags (LeadHub)"),
    *(NeededField("deal", f"leadhub_{key}", f"{key} (LeadHub)", f"{key} (LeadHub)") for key in UTM_KEYS),
)

CONNECTOR = Connector(
    name="hubspot",
    title="HubSpot",
    settings=HubSpotSettings,
    open=HubSpotClient.open,
    capabilities=_capabilities,
    attributes=ATTRIBUTES,
    records=HubSpotClient.records,
    histories=HubSpotClient.histories,
    activities=HubSpotClient.activities,
    hooks=read_hook,
    hooks_proven_by="client_secret",
    subscribe=HubSpotClient.subscribe,
    needed_fields=(*NEEDED_KEYS.values(), *_DEAL_FIELDS),
)
