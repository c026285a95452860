"""Bitrix24, cloud and box, REST "v2"."""

from connectors.base import Connector, NeededField
from connectors.bitrix24.client import Bitrix24Client, capabilities
from connectors.bitrix24.fieldkinds import ATTRIBUTES
from connectors.bitrix24.hooks import read_hook
from connectors.bitrix24.oauth import authorize_url, exchange_code
from connectors.bitrix24.settings import Bitrix24Settings

CONNECTOR = Connector(
    name="bitrix24",
    title="Bitrix24",
    settings=Bitrix24Settings,
    open=Bitrix24Client,
    capabilities=capabilities,
    attributes=ATTRIBUTES,
    records=Bitrix24Client.records,
    histories=Bitrix24Client.histories,
    activities=Bitrix24Client.activities,
    hooks=read_hook,
    hooks_proven_by="application_token",
    subscribe=Bitrix24Client.subscribe,
    needed_fields=(
        NeededField("deal", "UF_CRM_LEADHUB_SOURCE", "leadhub: источник", "leadhub: source"),
        NeededField("deal", "UF_CRM_LEADHUB_FIRST_TOUCH", "leadhub: первое касание", "leadhub: first touch"),
        NeededField("deal", "UF_CRM_LEADHUB_LAST_TOUCH", "leadhub: последнее касание", "leadhub: last touch"),
        NeededField("deal", "UF_CRM_LEADHUB_LINK", "leadhub: ссылка", "leadhub: link"),
    ),
)

__all__ = ["CONNECTOR", "Bitrix24Client", "Bitrix24Settings", "authorize_url", "exchange_code"]
