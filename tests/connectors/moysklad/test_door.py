import json
from dataclasses import replace
from typing import Any

import pytest

from connectors.doors import Inbound, Parsed
from connectors.events import Errand
from tests.support import form_doors as doors

HREF = "https://api.moysklad.ru/api/remap/1.2/entity/customerorder/75c896d0-db16-11eb-c0a8-000000000001"


def changed(*events: dict[str, Any]) -> Inbound:
    return replace(
        doors.sample("moysklad", "customerorder-update.http"), body=json.dumps({"events": list(events)}).encode()
    )


def event(href: str, action: str = "UPDATE") -> dict[str, Any]:
    return {"meta": {"type": "customerorder", "href": href}, "action": action}


def errand_of(request: Inbound, **settings: object) -> Errand:
    (errand,) = doors.taken("moysklad", request, **settings).errands
    return errand


def test_the_sample_is_an_errand_with_the_link() -> None:
    errand = errand_of(doors.sample("moysklad", "customerorder-update.http"))
    assert errand.kind == "moysklad"
    assert errand.data == {
        "href": HREF, "type": "customerorder", "id": "75c896d0-db16-11eb-c0a8-000000000001", "action": "UPDATE",
        "account_id": "9171a53c-b719-11eb-c0a8-000000000001", "updated_fields": "state",
        "moment": "2026-01-05 15:51:16",
    }  # fmt: skip


def test_a_repeat_of_the_request_is_the_same_errand_and_a_later_change_another() -> None:
    request = doors.sample("moysklad", "customerorder-update.http")
    assert errand_of(request).key == errand_of(request).key
    later = replace(request, query=[("requestId", "640569eb-522d-427a-b07e-000000000002")])
    assert errand_of(later).key != errand_of(request).key


def test_several_events_are_several_errands_and_a_doubled_one_is_one() -> None:
    errands = doors.taken(
        "moysklad", changed(event(HREF), event(HREF, "DELETE"), event(HREF), event(HREF + "2"))
    ).errands
    assert [(errand.data["action"], errand.data["href"]) for errand in errands] == [
        ("UPDATE", HREF), ("DELETE", HREF), ("UPDATE", HREF + "2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "href",
    [
        "https://evil.example.test/api", "http://api.moysklad.ru/x", "https://api.moysklad.ru@evil.example.test/x",
        "https://moysklad.ru.evil.example.test/x", "https://evilmoysklad.ru/x", "file:///etc/passwd", "", "https://[",
    ],
)  # fmt: skip
def test_a_link_that_leads_elsewhere_is_never_followed(href: str) -> None:
    assert doors.taken("moysklad", changed(event(href))) == Parsed()


def test_a_link_to_the_configured_address_is_followed() -> None:
    href = "http://127.0.0.1:9000/api/remap/1.2/entity/counterparty/1"
    assert errand_of(changed(event(href)), api_url="http://127.0.0.1:9000/api/remap/1.2").data["href"] == href


@pytest.mark.parametrize("body", [b"", b'{"events": []}', b'{"events": [1, {}]}', b'{"auditContext": {}}'])
def test_a_notice_of_nothing_makes_nothing(body: bytes) -> None:
    assert (
        doors.taken("moysklad", replace(doors.sample("moysklad", "customerorder-update.http"), body=body)) == Parsed()
    )
