"""A token that may not do everything: what it may not do is missing, and no lead waits for it."""

from typing import Any

import pytest

from connectors.sandbox.base import Fault
from connectors.sandbox.hubspot_errors import RefusedError
from tests.support.hub_on_virtual_time import VENDOR_OF, VirtualHub, config, hub, virtual

CRMS = ("amo", "b24", "hs")
NOTES = {"amo": "/notes", "b24": "crm.timeline.comment.add", "hs": "/notes"}
TASKS = {"amo": "POST /api/v4/tasks", "b24": "crm.activity.todo.add", "hs": "/tasks"}
ADDING = {"amo": "PATCH /api/v4/contacts", "b24": "crm.contact.update", "hs": "PATCH /crm/objects/2026-03/contacts"}
REOPENING = {"amo": "PATCH /api/v4/leads", "b24": "crm.deal.update", "hs": "PATCH /crm/objects/2026-03/deals"}
READING = {"amo": "GET /api/v4/leads/2", "b24": "crm.deal.get", "hs": "GET /crm/objects/2026-03/deals/"}


def guest(number: int, **more: Any) -> dict[str, Any]:
    return {"name": f"Гость {number}", "phone": f"+7916{number:07d}", **more}


def forbid(h: VirtualHub, connection: str, match: str) -> Fault:
    return h.fault(VENDOR_OF[connection], "403", match)


def routed(connection: str, repeat: str = "{do: note}") -> str:
    return config(f"  - {{from: [site], to: [{connection}], repeat: {repeat}}}")


@pytest.mark.parametrize("connection", CRMS)
@pytest.mark.parametrize("extra", ["note", "task"])
@virtual
async def test_without_the_right_to_write_notes_or_tasks_leads_come_and_are_completed_later(
    connection: str, extra: str
) -> None:
    async with hub(routed(connection)) as h:
        fault = forbid(h, connection, {"note": NOTES, "task": TASKS}[extra][connection])
        ids = []
        for number in range(2):
            ids.append(await h.post("site", guest(number)))
            assert await h.quiet() < 10.0
        assert fault.hits
        assert [h.delivery(one).state for one in ids] == ["delivered", "delivered"]
        assert [[gap["field"] for gap in h.delivery(one).incomplete] for one in ids] == [[extra], [extra]]
        assert h.owner(connection).breaker.state == "ok"
        await h.wait(20.0)
        (told,) = h.told()
        assert {"note": "нет примечания", "task": "нет задачи"}[extra] in told
        assert "не хватает прав.\nДайте токену права" in told
        h.calm()
        await h.until(lambda: all(h.delivery(one).error_kind == "" for one in ids), 1200.0)
        assert (len(h.notes(connection)), len(h.tasks(connection))) == (2, 2)


@pytest.mark.parametrize("connection", CRMS)
@virtual
async def test_a_contact_that_may_not_be_changed_holds_nothing_up(connection: str) -> None:
    async with hub(routed(connection)) as h:
        await h.post("site", guest(1))
        await h.quiet()
        fault = forbid(h, connection, ADDING[connection])
        again = await h.post("site", guest(1, email="first@example.com"))
        assert await h.quiet() < 10.0
        assert fault.hits
        assert h.delivery(again).state == "delivered"
        assert len(h.crm(connection).deals) == 1
        assert any("first@example.com" in note for note in h.notes(connection))
        assert h.owner(connection).breaker.state == "ok"


@pytest.mark.parametrize("connection", CRMS)
@virtual
async def test_a_closed_deal_that_may_not_be_opened_again_is_followed_by_a_new_one(connection: str) -> None:
    async with hub(routed(connection, "{do: reopen}")) as h:
        await h.post("site", guest(1))
        await h.quiet()
        await h.close_deal(connection)
        fault = forbid(h, connection, REOPENING[connection])
        again = await h.post("site", guest(1, comment="двери"))
        assert await h.quiet() < 10.0
        assert fault.hits
        assert h.delivery(again).outcome == "created"
        assert len(h.crm(connection).deals) == 2
        assert h.owner(connection).breaker.state == "ok"


@virtual
async def test_so_is_one_that_the_crm_refuses_to_open() -> None:
    async with hub(routed("hs", "{do: reopen}")) as h:
        await h.post("site", guest(1))
        await h.quiet()
        await h.close_deal("hs")

        def refuse(*args: Any) -> Any:
            raise RefusedError(400, "This deal is locked", "VALIDATION_ERROR")

        h.hubspot.records.update = refuse  # type: ignore[method-assign]  # the account's own rule
        again = await h.post("site", guest(1, comment="двери"))
        assert await h.quiet() < 10.0
        assert (h.delivery(again).state, h.delivery(again).outcome) == ("delivered", "created")


@pytest.mark.parametrize("connection", CRMS)
@virtual
async def test_a_deal_that_may_not_be_read_is_no_deal_to_join(connection: str) -> None:
    async with hub(routed(connection)) as h:
        await h.post("site", guest(1))
        await h.quiet()
        fault = forbid(h, connection, READING[connection])
        again = await h.post("site", guest(1, comment="двери"))
        assert await h.quiet() < 10.0
        assert fault.hits
        assert h.delivery(again).outcome == "created"
        assert h.owner(connection).breaker.state == "ok"


@pytest.mark.parametrize("connection", CRMS)
@virtual
async def test_without_the_right_to_make_deals_a_person_is_told_and_nothing_is_given_up(connection: str) -> None:
    async with hub(routed(connection)) as h:
        h.fault(VENDOR_OF[connection], "403")
        lead_id = await h.post("site", guest(1))
        await h.wait(120.0)
        assert h.delivery(lead_id).state == "ready"
        assert h.open_incidents() == {"token_refused"}
        h.calm()
        await h.quiet()
        assert h.delivery(lead_id).state == "delivered"
