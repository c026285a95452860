"""A contact or company that the CRM takes in no form: the deal comes without it, and is given it once it is taken."""

from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from tests.support.crm_views import contacts_of_deals
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual

CRMS = ("amo", "b24", "hs")
CONTACTS = {
    "amo": "POST /api/v4/contacts",
    "b24": "POST /rest/1/sandbox/crm.contact.add",
    "hs": "POST /crm/objects/2026-03/contacts",
}
COMPANIES = {
    "amo": "POST /api/v4/companies",
    "b24": "POST /rest/1/sandbox/crm.company.add",
    "hs": "POST /crm/objects/2026-03/companies",
}
IVAN = {"name": "Иван", "phone": "+79161234567", "company": "ООО «Окна»"}


def refuse(h: VirtualHub, connection: str, call: str) -> Callable[[], None]:
    """A rule of the account refuses every such record; the answer takes the rule away."""
    vendor: Any = h.crm(connection)
    handle = vendor.handle
    answer = {
        "amo": SandboxResponse(400, {"title": "Bad Request", "status": 400, "validation-errors": []}),
        "b24": SandboxResponse(400, {"error": "", "error_description": "The account does not take this"}),
        "hs": SandboxResponse(400, {"status": "error", "category": "VALIDATION_ERROR", "message": "not taken"}),
    }[connection]

    def refusing(request: SandboxRequest) -> SandboxResponse:
        asked = f"{request.method} {request.path}"
        return answer if asked == call else handle(request)

    vendor.handle = refusing
    return lambda: setattr(vendor, "handle", handle)


@pytest.mark.parametrize("connection", CRMS)
@virtual
async def test_a_contact_that_was_refused_is_made_and_hung_on_its_deal_when_it_is_taken(connection: str) -> None:
    async with hub(config(f"  - {{from: [site], to: [{connection}]}}")) as h:
        mend = refuse(h, connection, CONTACTS[connection])
        lead_id = await h.post("site", IVAN)
        assert await h.quiet() < 10.0
        assert h.delivery(lead_id).state == "delivered"
        assert [one["field"] for one in h.delivery(lead_id).incomplete] == ["contact"]
        assert len(h.crm(connection).contacts) == 0
        mend()
        await h.until(lambda: h.delivery(lead_id).error_kind == "", 3700.0)
        (contact_id,) = h.crm(connection).contacts
        assert list(contacts_of_deals(h.crm(connection)).values()) == [[str(contact_id)]]
        assert h.delivery(lead_id).contact_id == str(contact_id)
        again = await h.post("site", {**IVAN, "comment": "ещё раз"})
        await h.quiet()
        assert h.delivery(again).outcome == "joined"
        assert (len(h.crm(connection).contacts), len(h.crm(connection).deals)) == (1, 1)


@pytest.mark.parametrize("connection", CRMS)
@virtual
async def test_so_is_a_company(connection: str) -> None:
    async with hub(config(f"  - {{from: [site], to: [{connection}]}}")) as h:
        mend = refuse(h, connection, COMPANIES[connection])
        lead_id = await h.post("site", IVAN)
        assert await h.quiet() < 10.0
        assert [one["field"] for one in h.delivery(lead_id).incomplete] == ["company"]
        await h.wait(1000.0)
        assert h.delivery(lead_id).error_kind == "incomplete", "it is refused again"
        mend()
        await h.until(lambda: h.delivery(lead_id).error_kind == "", 3700.0)
        (company_id,) = h.crm(connection).companies
        assert h.delivery(lead_id).company_id == str(company_id)
        assert str(company_id) in companies_of_deal(h.crm(connection))


def companies_of_deal(vendor: Any) -> list[str]:
    ((deal_id, deal),) = vendor.deals.items()
    match vendor.name:
        case "amocrm":
            return [str(one["id"]) for one in deal["_embedded"]["companies"]]
        case "bitrix24":
            return [str(deal["COMPANY_ID"])]
        case _:
            return [str(one) for one in vendor.linked("deals", deal_id, "companies")]


@virtual
async def test_in_bitrix24_an_enquiry_that_became_a_lead_is_given_its_contact_too() -> None:
    webhook = "http://b24.test/rest/1/sandbox/"
    connections = f"connections: {{b24: {{type: bitrix24, webhook_url: '{webhook}', record: lead}}}}"
    async with hub(config("  - {from: [site], to: [b24]}", connections=connections)) as h:
        mend = refuse(h, "b24", CONTACTS["b24"])
        lead_id = await h.post("site", IVAN)
        await h.quiet()
        assert [one["field"] for one in h.delivery(lead_id).incomplete] == ["contact"]
        mend()
        await h.until(lambda: h.delivery(lead_id).error_kind == "", 3700.0)
        (contact_id,) = h.bitrix24.contacts
        (lead,) = h.bitrix24.leads.values()
        assert str(contact_id) in str([lead.get("CONTACT_ID"), lead.get("CONTACT_IDS")])


@virtual
async def test_a_link_that_is_refused_leaves_the_deal_incomplete_until_it_is_taken() -> None:
    async with hub() as h:
        mend = refuse(h, "amo", CONTACTS["amo"])
        lead_id = await h.post("site", IVAN)
        await h.quiet()
        mend()
        (deal_id,) = h.amocrm.deals
        mend = refuse(h, "amo", f"POST /api/v4/leads/{deal_id}/link")
        bulk = refuse(h, "amo", "POST /api/v4/leads/link")
        await h.until(lambda: len(h.amocrm.contacts) == 1, 3700.0)
        await h.wait(5.0)
        assert [one["field"] for one in h.delivery(lead_id).incomplete] == ["contact"]
        bulk()
        mend()
        await h.until(lambda: h.delivery(lead_id).error_kind == "", 3700.0)
        (contact_id,) = h.amocrm.contacts
        assert contacts_of_deals(h.amocrm) == {str(deal_id): [str(contact_id)]}
