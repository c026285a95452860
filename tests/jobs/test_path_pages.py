"""A page for people instead of an answer, with whatever status: a gateway's, or of an account that is not there."""

import pytest

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from tests.support.hub_on_virtual_time import PATIENT, config, hub, virtual

PAGE = b"<!DOCTYPE html><html><body><h1>Not Found</h1></body></html>"
READS = ("/search", "/batch/read", ".list", ".get", "findbycomm", "/profile")


@pytest.mark.parametrize("connection", ["amo", "b24", "hs"])
@pytest.mark.parametrize(("status", "reads_work"), [(404, False), (404, True), (400, True), (405, True), (410, False)])
@virtual
async def test_a_page_with_any_status_is_an_outage_and_no_refusal_of_the_lead(
    connection: str, status: int, reads_work: bool
) -> None:
    async with hub(config(f"  - {{from: [site], to: [{connection}]}}"), pace=PATIENT) as h:
        await h.post("site", {"name": "Мария", "phone": "+79160000001"})
        await h.quiet()
        vendor = h.crm(connection)
        answers = vendor.handle

        def handle(request: SandboxRequest) -> SandboxResponse:
            if reads_work and (request.method == "GET" or request.path.endswith(READS)):
                answer: SandboxResponse = answers(request)
                return answer
            return SandboxResponse(status, PAGE, content_type="text/html; charset=utf-8")

        vendor.handle = handle
        lead_id = await h.post("site", {"name": "Иван", "phone": "+79160000002"})
        await h.wait(200.0)
        assert h.delivery(lead_id).state == "ready", h.delivery(lead_id).last_error
        vendor.handle = answers
        await h.quiet()
        assert h.delivery(lead_id).state == "delivered"
        assert len(vendor.contacts) == len(vendor.deals) == 2


@pytest.mark.parametrize("connection", ["amo", "hs"])
@virtual
async def test_a_page_shortly_after_an_answer_makes_no_record_gone(connection: str) -> None:
    """A repeat must join the open deal of the person when the page is over, and a sync must delete nothing."""
    async with hub(config(f"  - {{from: [site], to: [{connection}]}}"), pace=PATIENT) as h:
        lead = {"name": "Мария", "phone": "+79160000001"}
        await h.post("site", lead)
        await h.quiet()
        vendor = h.crm(connection)
        answers = vendor.handle
        vendor.handle = lambda request: SandboxResponse(404, PAGE, content_type="text/html")
        lead_id = await h.post("site", {**lead, "comment": "Ещё вопрос"})
        await h.wait(5.0)
        vendor.handle = answers
        await h.quiet()
        assert h.delivery(lead_id).state == "delivered"
        assert len(vendor.contacts) == len(vendor.deals) == 1
