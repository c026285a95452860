"""One open HubSpot account: the methods of `connectors.base.Target`, each by the module that knows how."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.base import ContactDraft, DealState, Draft, FoundDeal, Hint, Kind, Metadata, NeededField, Opening
from connectors.hubspot.account import AccountReader
from connectors.hubspot.activities import HubSpotActivities
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.audit import DealReader
from connectors.hubspot.contacts import Contacts
from connectors.hubspot.creation import Creation
from connectors.hubspot.deals import Deals
from connectors.hubspot.histories import HubSpotHistories
from connectors.hubspot.links import Links
from connectors.hubspot.lookups import Lookups
from connectors.hubspot.objects import Objects
from connectors.hubspot.payloads import values
from connectors.hubspot.properties import PropertyBook
from connectors.hubspot.record_links import RecordLinks
from connectors.hubspot.record_port import HubSpotRecords
from connectors.hubspot.records import properties_of
from connectors.hubspot.settings import HubSpotSettings
from connectors.hubspot.subscribing import subscribed
from connectors.webhooks import Subscribed


class HubSpotClient:
    """Safe to use by many tasks at once; what waits for the limiter together leaves together."""

    def __init__(self, opening: Opening, settings: HubSpotSettings) -> None:
        self._api = HubSpotApi(opening, settings)
        self._book = PropertyBook(self._api, opening.name)
        self._objects = Objects(self._api)
        self._deals = Deals(self._api, self._objects)
        self._links = Links(self._api, self._objects)
        self._lookups = lookups = Lookups(self._api)
        self._account = AccountReader(self._api, self._book, self._deals, settings)
        self._contacts = Contacts(self._objects, self._book, lookups)
        self._records = HubSpotRecords(self._api, self._book, self._objects, self._deals, self._links)
        self._creation = Creation(self._api, self._book, lookups, self._contacts, self._deals, self._links)

    @classmethod
    def open(cls, opening: Opening) -> "HubSpotClient":
        if not isinstance(opening.settings, HubSpotSettings):
            raise TypeError("not the settings of a HubSpot connection")
        return cls(opening, opening.settings)

    async def ping(self) -> None:
        await self._account.ping()

    async def metadata(self) -> Metadata:
        return await self._account.metadata()

    async def ensure_fields(self, needed: tuple[NeededField, ...], *, create: bool) -> list[NeededField]:
        return await self._account.ensure_fields(needed, create=create)

    def record_url(self, kind: Kind, record_id: str) -> str:
        return self._account.record_url(kind, record_id)

    async def find_contact(self, phones: tuple[str, ...], emails: tuple[str, ...], key: str) -> str | None:
        return await self._contacts.find(phones, emails, key)

    async def find_company(self, name: str) -> str | None:
        return await self._lookups.company_named(name)

    async def enrich_contact(self, contact_id: str, draft: ContactDraft) -> None:
        await self._contacts.enrich(contact_id, draft)

    async def create(self, draft: Draft) -> str:
        return await self._creation.create(draft)

    async def find_created(self, draft: Draft, hint: Hint) -> str | None:
        return await self._creation.find_created(draft, hint)

    async def update_deal(self, deal_id: str, fields: Mapping[str, Any]) -> None:
        """What the account has no property for is left out, as at the creation."""
        await self._creation.update("deal", deal_id, values(fields))

    async def attach_recording(self, key: str, record_id: str, url: str) -> bool:
        """Only what is under https can be heard in HubSpot."""
        if not url.startswith("https://"):
            return False
        await self._objects.update("call", record_id, {"hs_call_recording_url": url})
        return True

    async def complete_task(self, task_id: str, text: str) -> None:
        """A task has no place for how: the call itself stands beside it."""
        await self._objects.update("task", task_id, {"hs_task_status": "COMPLETED"})

    async def task_is_open(self, task_id: str) -> bool:
        row = await self._objects.read("task", task_id, ["hs_task_status"])
        return row is not None and properties_of(row).get("hs_task_status") != "COMPLETED"

    async def open_deal(self, contact_id: str) -> DealState | None:
        return await self._deals.newest(await self._links.of("contact", contact_id, "deal"), contact_id)

    async def deal_state(self, deal_id: str) -> DealState | None:
        return await self._deals.state(deal_id)

    async def reopen_deal(self, deal_id: str, pipeline: str, stage: str) -> None:
        pipeline, stage = await self._deals.resolve(pipeline, stage)
        sent = {"pipeline": pipeline, "dealstage": stage}
        await self._objects.update("deal", deal_id, {name: value for name, value in sent.items() if value})

    async def read_back(self, deal_ids: tuple[str, ...], since: datetime, until: datetime) -> list[FoundDeal]:
        return await DealReader(self._api, self._objects).read_back(deal_ids, since, until)

    def records(self) -> HubSpotRecords:
        """For record sync; shares the limiter, where leads go first."""
        return self._records

    def histories(self) -> HubSpotHistories:
        return HubSpotHistories(self._api, self._objects, RecordLinks(self._api, self._links))

    def activities(self) -> HubSpotActivities:
        return HubSpotActivities(self._api, self._book, self._objects, self.histories())

    async def subscribe(self, address: str, make: bool) -> Subscribed:
        return subscribed(address)

    async def close(self) -> None:
        await self._api.close()
