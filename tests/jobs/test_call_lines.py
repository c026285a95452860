"""Our own numbers in the settings of a source -> UTM, touches and a title in the CRM."""

import json
from typing import Any

from tests.jobs.test_path_events import ALL, MANGO, replay, samples
from tests.support.hub_on_virtual_time import config, hub, virtual

CALLED = "+74950000101"
BOARD = {"title": "Билборд на Ленина", "utm_source": "Billboard", "utm_medium": "outdoor", "utm_campaign": "осень"}


def with_lines(lines: dict[str, Any], **more: Any) -> str:
    settings = json.dumps({"type": "mango", "lines": lines, **more}, ensure_ascii=False)
    return MANGO.replace('"type": "mango"', settings[1:-1])


@virtual
async def test_the_number_that_was_called_gives_utm_touch_and_title() -> None:
    async with hub(config(ALL, sources=with_lines({"8 (495) 000-01-01": BOARD}))) as h:
        for name in samples("mango", "in-missed"):
            await replay(h, "mango", name)
        await h.quiet()
        (lead,) = h.leads()
        utm = {"utm_source": "billboard", "utm_medium": "outdoor", "utm_campaign": "осень"}
        assert lead.data["utm"] == utm
        assert (lead.data["call"]["line"], lead.data["call"]["line_title"]) == (CALLED, "Билборд на Ленина")
        (person,) = h.persons()
        assert person.first_touch["utm"] == lead.data["touch"]["utm"] == utm
        assert person.first_touch["source"] == "mango"
        (deal,) = h.amocrm.deals.values()
        assert deal["name"].startswith("Билборд на Ленина: +7")
        ((task, _),) = h.tasks("amo")
        assert task.startswith("Перезвонить: +7")
        assert "линия «Билборд на Ленина»" in task
        (call,) = h.amocrm.calls.values()
        assert f"на номер {CALLED} (Билборд на Ленина)" in call["params"]["call_result"]


@virtual
async def test_an_unknown_number_is_named_as_it_is() -> None:
    async with hub(config(ALL, sources=with_lines({"+74950000102": BOARD}))) as h:
        for name in samples("mango", "in-missed"):
            await replay(h, "mango", name)
        await h.quiet()
        (lead,) = h.leads()
        assert "utm" not in lead.data
        assert lead.data["call"]["line"] == CALLED
        assert "line_title" not in lead.data["call"]


@virtual
async def test_routes_and_mappings_know_the_line() -> None:
    routes = "  - {from: ['*'], when: \"lead.call.line_title == 'Билборд на Ленина'\", to: [amo], mapping: own}"
    title = "{{ lead.call.line }} {{ lead.call.line_title }} {{ lead.utm_source }}"
    own = f'extends: amocrm-leads\ndeal: {{title: "{title}"}}\n'
    async with hub(config(routes, sources=with_lines({CALLED: BOARD})), mappings={"own": own}) as h:
        for name in samples("mango", "in-missed"):
            await replay(h, "mango", name)
        await h.quiet()
        (deal,) = h.amocrm.deals.values()
        assert deal["name"].startswith(f"{CALLED} Билборд на Ленина billboard")
