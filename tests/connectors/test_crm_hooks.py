"""The CRMs' own webhooks become hints: the right record, once, and only from who can prove it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.amocrm import AmocrmSettings
from connectors.bitrix24 import Bitrix24Settings
from connectors.doors import Inbound, Refused, Unreadable
from connectors.hubspot import HubSpotSettings
from connectors.hubspot.hooks import signature
from connectors.records import RecordHint
from connectors.registry import CONNECTORS

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
AMO = AmocrmSettings.model_validate({"base_url": "https://acme.amocrm.ru", "access_token": "token"})
AMO_KEPT = AMO.model_copy(
    update={"hook_token": AmocrmSettings.model_validate({**AMO.model_dump(), "hook_token": "s3cret-part"}).hook_token}
)
B24 = Bitrix24Settings.model_validate({"webhook_url": "https://acme.bitrix24.ru/rest/1/key/"})
B24_KEPT = Bitrix24Settings.model_validate(
    {"webhook_url": "https://acme.bitrix24.ru/rest/1/key/", "application_token": "app-token"}
)
HS = HubSpotSettings.model_validate({"access_token": "token"})
SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
HS_KEPT = HubSpotSettings.model_validate({"access_token": "token", "client_secret": SECRET})
URL = "https://hub.example.com/hooks/hs"


def inbound(body: bytes, tail: str = "", **headers: str) -> Inbound:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Inbound("POST", tail, [], named, body, "127.0.0.1", NOW, URL)


def hints(name: str, settings: Any, request: Inbound) -> tuple[RecordHint, ...]:
    read = CONNECTORS[name].hooks
    assert read is not None
    return read(settings, request)


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


# --- amoCRM ----------------------------------------------------------------------------------------------------------


def test_amocrm_tells_what_changed_and_what_is_gone() -> None:
    body = urlencode(
        {
            "leads[status][0][id]": "77",
            "leads[status][0][name]": "Окна",
            "leads[status][0][custom_fields][0][id]": "901",
            "contacts[update][0][id]": "11",
            "contacts[update][0][type]": "contact",
            "contacts[add][0][id]": "12",
            "contacts[add][0][type]": "company",
            "leads[delete][0][id]": "78",
            "leads[note][0][note][element_id]": "79",
            "leads[note][0][note][id]": "5",
            "account[id]": "1",
            "account[subdomain]": "acme",
        }
    ).encode()
    assert hints("amocrm", AMO, inbound(body)) == (
        RecordHint("deal", "77"),
        RecordHint("contact", "11"),
        RecordHint("company", "12"),
        RecordHint("deal", "78", deleted=True),
        RecordHint("deal", "79"),
    )


def test_a_deleted_contact_of_amocrm_may_be_a_company() -> None:
    found = hints("amocrm", AMO, inbound(urlencode({"contacts[delete][0][id]": "11"}).encode()))
    assert found == (RecordHint("contact", "11", deleted=True), RecordHint("company", "11", deleted=True))


def test_the_secret_part_of_amocrms_address_must_match() -> None:
    body = urlencode({"leads[add][0][id]": "77"}).encode()
    assert hints("amocrm", AMO_KEPT, inbound(body, "s3cret-part")) == (RecordHint("deal", "77"),)
    for tail in ("", "other", "s3cret-part2"):
        with pytest.raises(Refused) as refused:
            hints("amocrm", AMO_KEPT, inbound(body, tail))
        assert refused.value.status == 403
        assert "s3cret" not in refused.value.reason


# --- Bitrix24 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("ONCRMCONTACTADD", RecordHint("contact", "123")),
        ("ONCRMDEALUPDATE", RecordHint("deal", "123")),
        ("onCrmCompanyDelete", RecordHint("company", "123", deleted=True)),
        ("ONCRMLEADDELETE", RecordHint("lead", "123", deleted=True)),
        ("ONCRMDEALMOVETOCATEGORY", RecordHint("deal", "123")),
        ("ONTASKADD", None),
        ("ONAPPUNINSTALL", None),
    ],
)
def test_bitrix24_names_the_record_of_its_event(event: str, expected: RecordHint | None) -> None:
    body = form(**{"event": event, "data[FIELDS][ID]": "123", "ts": "1", "auth[application_token]": "app-token"})
    assert hints("bitrix24", B24_KEPT, inbound(body)) == ((expected,) if expected else ())


def test_bitrix24_is_read_as_json_too() -> None:
    body = json.dumps({"event": "ONCRMDEALADD", "data": {"FIELDS": {"ID": 5}}}).encode()
    assert hints("bitrix24", B24, inbound(body, content_type="application/json")) == (RecordHint("deal", "5"),)


def test_an_event_without_our_application_token_is_refused() -> None:
    for token in ({}, {"auth[application_token]": "another"}):
        body = form(**{"event": "ONCRMDEALADD", "data[FIELDS][ID]": "5", **token})
        with pytest.raises(Refused):
            hints("bitrix24", B24_KEPT, inbound(body))
        assert hints("bitrix24", B24, inbound(body)) == (RecordHint("deal", "5"),)


# --- HubSpot ---------------------------------------------------------------------------------------------------------


def signed(events: Any, at: datetime = NOW, secret: str = SECRET, url: str = URL) -> Inbound:
    body = json.dumps(events).encode()
    stamp = str(int(at.timestamp() * 1000))
    made = signature(secret, "POST", url, body, stamp)
    return inbound(body, x_hubspot_signature_v3=made, x_hubspot_request_timestamp=stamp)


def test_the_signature_is_the_one_of_the_documentation() -> None:
    made = signature(
        SECRET,
        "POST",
        "https://www.example.com/webhook_uri",
        b'{"example_field":"example_value"}',
        "1700000000000",
    )
    assert made == "rQEKkaNUiu+1qGF//O/pw4BCzstSqO1PyUnGICmf+7o="


def test_escapes_in_the_address_are_decoded_before_it_is_signed() -> None:
    assert signature("s", "POST", "https://x/a%40b%2Cc%20d", b"", "1") == signature(
        "s", "POST", "https://x/a@b,c%20d", b"", "1"
    )


def test_hubspot_tells_changes_deletions_merges_and_links() -> None:
    events = [
        {"subscriptionType": "contact.propertyChange", "objectId": 7, "propertyName": "phone"},
        {"subscriptionType": "contact.propertyChange", "objectId": 7, "propertyName": "email"},
        {"eventType": "deal.creation", "objectId": "8"},
        {"subscriptionType": "object.deletion", "objectTypeId": "0-2", "objectId": 9},
        {
            "subscriptionType": "contact.merge",
            "objectId": 20,
            "primaryObjectId": 10,
            "mergedObjectIds": [11],
            "newObjectId": 20,
        },
        {
            "subscriptionType": "contact.associationChange",
            "associationType": "CONTACT_TO_COMPANY",
            "fromObjectId": 12,
            "toObjectId": 13,
        },
        {"subscriptionType": "ticket.creation", "objectId": 14},
        "nonsense",
    ]
    assert hints("hubspot", HS_KEPT, signed(events)) == (
        RecordHint("contact", "7"),
        RecordHint("deal", "8"),
        RecordHint("company", "9", deleted=True),
        RecordHint("contact", "20"),
        RecordHint("contact", "10", merged_into="20"),
        RecordHint("contact", "11", merged_into="20"),
        RecordHint("contact", "12"),
        RecordHint("company", "13"),
    )


@pytest.mark.parametrize(
    "request_",
    [
        inbound(b"[]"),
        signed([], secret="another"),
        signed([], url="https://elsewhere.example.com/hooks/hs"),
        signed([], at=NOW - timedelta(minutes=6)),
        signed([], at=NOW + timedelta(minutes=6)),
    ],
    ids=["unsigned", "another secret", "another address", "replayed", "from the future"],
)
def test_who_cannot_prove_to_be_hubspot_is_refused(request_: Inbound) -> None:
    with pytest.raises(Refused):
        hints("hubspot", HS_KEPT, request_)


def test_a_body_changed_on_its_way_is_refused() -> None:
    good = signed([{"subscriptionType": "deal.creation", "objectId": 1}])
    with pytest.raises(Refused):
        hints(
            "hubspot",
            HS_KEPT,
            inbound(good.body.replace(b"1", b"2"), **{k.replace("-", "_"): v for k, v in good.headers.items()}),
        )


def test_without_a_secret_hubspots_events_are_hints_all_the_same() -> None:
    body = json.dumps([{"subscriptionType": "deal.creation", "objectId": 1}]).encode()
    assert hints("hubspot", HS, inbound(body)) == (RecordHint("deal", "1"),)
    with pytest.raises(Unreadable):
        hints("hubspot", HS, inbound(b"<html>"))


@pytest.mark.parametrize(("name", "settings"), [("amocrm", AMO), ("bitrix24", B24), ("hubspot", HS)])
@given(
    body=st.binary(max_size=300), kind=st.sampled_from(["", "application/json", "application/x-www-form-urlencoded"])
)
def test_nothing_that_comes_in_breaks_the_reading(name: str, settings: Any, body: bytes, kind: str) -> None:
    try:
        found = hints(name, settings, inbound(body, content_type=kind))
    except (Unreadable, Refused):
        return
    assert all(hint.id.isdecimal() for hint in found)
