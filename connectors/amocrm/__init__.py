"""amoCRM and Kommo, API v4."""

from connectors.amocrm.auth import authorize_url, exchange_code
from connectors.amocrm.client import AmocrmClient
from connectors.amocrm.fieldkinds import ATTRIBUTES
from connectors.amocrm.hooks import read_hook
from connectors.amocrm.settings import AmocrmSettings, capabilities
from connectors.base import Connector, NeededField

CONNECTOR = Connector(
    name="amocrm",
    title="amoCRM",
    settings=AmocrmSettings,
    open=AmocrmClient,
    capabilities=capabilities,
    attributes=ATTRIBUTES,
    records=AmocrmClient.records,
    histories=AmocrmClient.histories,
    activities=AmocrmClient.activities,
    hooks=read_hook,
    hooks_proven_by="hook_token",
    subscribe=AmocrmClient.subscribe,
    needed_fields=(
        NeededField("deal", "LEADHUB_ID", "leadhub: ключ", "leadhub: key"),
        NeededField("contact", "LEADHUB_ID", "leadhub: ключ", "leadhub: key"),
        NeededField("deal", "LEADHUB_SOURCE", "leadhub: источник", "leadhub: source"),
        NeededField("deal", "LEADHUB_FIRST_TOUCH", "leadhub: первое касание", "leadhub: first touch"),
        NeededField("deal", "LEADHUB_LAST_TOUCH", "leadhub: последнее касание", "leadhub: last touch"),
        NeededField("deal", "LEADHUB_LINK", "leadhub: ссылка", "leadhub: link"),
    ),
)

__all__ = ["CONNECTOR", "AmocrmClient", "AmocrmSettings", "authorize_url", "exchange_code"]
