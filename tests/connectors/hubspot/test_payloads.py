"""Pure parts: bodies, texts, phones, refusals."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ContactDraft, DealDraft, NoteDraft
from connectors.hubspot.answers import existing_id, holder_of, refusal, refused_properties
from connectors.hubspot.lookups import has_email, national, same_phone
from connectors.hubspot.naming import draft_names, named
from connectors.hubspot.paths import Paths
from connectors.hubspot.payloads import MAX_TEXT, NO_NAME, Taken, create_body, mark, text
from connectors.hubspot.records import choose_group, has_source, lowest, to_field, to_pipelines, when
from connectors.hubspot.settings import HubSpotSettings

NOW = datetime(2026, 11, 24, 11, 2, 3, 456789, tzinfo=UTC)


def properties(draft: Any, taken: Taken = Taken(), *, marked: bool = False) -> dict[str, str]:  # noqa: B008 - frozen
    body = create_body(draft, now=NOW, taken=taken, marked=marked, default=("p", "s"))
    found: dict[str, str] = body["properties"]
    return found


def test_a_contact_always_has_something_that_hubspot_takes_for_a_name() -> None:
    assert properties(ContactDraft(key="k", phones=("+79161234567",)))["firstname"] == "+79161234567"
    assert properties(ContactDraft(key="k"))["firstname"] == NO_NAME
    assert "firstname" not in properties(ContactDraft(key="k", emails=("a@example.ru",)))


def test_what_the_account_lacks_is_left_out_and_told_in_the_description() -> None:
    draft = DealDraft(key="K", title="x", comment="окна", source="site", tags=("a", "b"), utm={"utm_source": "ya"})
    held = properties(draft, Taken(names=frozenset({"dealname", "description", "leadhub_tags"})), marked=True)
    assert held["description"] == "окна\nleadhub: source=site, utm_source=ya\n[lh:k]"
    assert held["leadhub_tags"] == "a; b"
    assert held.keys().isdisjoint({"leadhub_source", "leadhub_external_id"})
    assert has_source(held)


def test_a_comment_that_only_looks_like_our_line_is_no_source() -> None:
    assert not has_source({"description": "они писали: leadhub: source=site"})
    assert not has_source({"description": "leadhub: tags=a", "leadhub_source": ""})


def test_built_in_properties_are_sent_even_if_a_list_lacks_them() -> None:
    taken = Taken(names=frozenset({"dealname"}), refused=frozenset({"amount"}))
    assert "dealstage" in taken
    assert "amount" not in taken
    assert "description" not in taken
    assert "anything" in Taken()


@given(st.text(max_size=300).map(lambda part: part * 400))
def test_a_note_is_never_too_long_and_never_ends_in_half_a_sign(body: str) -> None:
    sent = properties(NoteDraft(key="N", text=body, deal_id="1"), marked=True)["hs_note_body"]
    assert len(sent) <= MAX_TEXT
    assert sent.endswith(mark("N"))
    assert "<" not in sent.replace("<br>", "")
    assert "\n" not in sent


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (True, "true"),
        (Decimal("10.50"), "10.50"),
        (7, "7"),
        (date(2026, 11, 24), "2026-11-24"),
        (datetime(2026, 11, 24, 14, tzinfo=timezone(timedelta(hours=3))), "2026-11-24T11:00:00.000Z"),
        (["a", "b"], "a;b"),
        ("я" * 70_000, "я" * MAX_TEXT),
    ],
)
def test_every_value_becomes_text(value: object, sent: str) -> None:
    assert text(value) == sent


@pytest.mark.parametrize(
    "typed",
    ["89161234567", "8 (916) 123-45-67", "+7 916 123 45 67", "9161234567", "79161234567", "007 916 123-45-67",
     "8-916-123-45-67 доб. 12", "+7 916 123-45-67, Иван"],
)  # fmt: skip
def test_a_number_as_people_type_it_is_the_same_number(typed: str) -> None:
    assert same_phone(typed, "+79161234567")


@pytest.mark.parametrize(
    "typed", ["+19161234567", "1234567", "+7 916 123 45 68", "", "нет", "916 123", "+4479161234567"]
)
def test_another_number_is_another_number(typed: str) -> None:
    assert not same_phone(typed, "+79161234567")


def test_numbers_without_their_country_code() -> None:
    assert national("+79161234567") == "9161234567"
    assert national("+390612345678") == "0612345678"
    assert national("nonsense") == "nonsense"


def test_an_email_counts_wherever_it_is_held() -> None:
    held = {"email": "A@example.ru", "hs_additional_emails": "b@example.ru;C@example.ru"}
    assert all(has_email(held, email) for email in ("a@example.ru", " B@example.ru", "c@example.ru"))
    assert not has_email(held, "d@example.ru")


# --- refusals ---------------------------------------------------------------------------------

INSIDE = (
    'Property values were not valid: [{"isValid":false,"message":"Property \\"x\\" does not exist",'
    '"error":"PROPERTY_DOESNT_EXIST","name":"x"},'
    '{"isValid":false,"message":"a [1] {2}","error":"INVALID_OPTION","name":"y"}]'
)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"message": INSIDE}, ("x", "y")),
        ({"message": 'Property "colour" does not exist'}, ("colour",)),
        (
            {"errors": [{"message": "bad", "code": "INVALID_DATE", "context": {"propertyName": ["closedate"]}}]},
            ("closedate",),
        ),
        ({"errors": [{"message": "bad", "in": "amount"}]}, ("amount",)),
        (
            {
                "message": "Error creating DEAL. Some required properties were not set.",
                "context": {"properties": ["a", "b"]},
            },
            ("a", "b"),
        ),
        ({"message": "Property values were not valid: [{broken"}, ()),
        ({"message": None, "errors": "x", "context": []}, ()),
    ],
)
def test_refused_properties_are_found_wherever_hubspot_puts_them(body: dict[str, Any], names: tuple[str, ...]) -> None:
    assert refused_properties(body) == names


def test_a_refusal_quotes_nothing_that_we_sent() -> None:
    body = {"category": "VALIDATION_ERROR", "message": INSIDE + " ivan@example.ru +79161234567", "correlationId": "c-1"}
    shown = str(refusal("create contact", 400, body, "c-1"))
    assert "PROPERTY_DOESNT_EXIST" in shown
    assert "c-1" in shown
    assert "ivan" not in shown
    assert "9161234567" not in shown


def test_who_is_there_already() -> None:
    conflict = refusal("x", 409, {"message": "Contact already exists. Existing ID: 377", "category": "CONFLICT"})
    assert existing_id(conflict) == "377"
    where = "{portalId=1, propertyName=leadhub_external_id, value=x}"
    sentence = f"Cannot set PropertyValueCoordinates{where} on 2754. 2748 already has that value."
    unique = refusal("x", 400, {"message": sentence})
    assert holder_of(unique, "leadhub_external_id") == "2748"
    assert holder_of(unique, "other") == ""
    assert holder_of(refusal("x", 400, {"message": "12 already has that value"}), "other") == "12"
    assert existing_id(refusal("x", 400, {"message": "no"})) == ""


@pytest.mark.parametrize(
    ("status", "message", "gone"),
    [
        (404, "No contact found: record does not exist", True),
        (400, "Association is not valid: CONTACT 9 does not exist", True),
        (400, "One or more associations are not valid", True),
        (400, "Deal stage x does not exist", False),
        (400, 'Property "contact_x" does not exist', False),
        (404, "no such endpoint", False),
    ],
)
def test_a_record_that_is_gone_is_told_from_a_bad_value(status: int, message: str, gone: bool) -> None:
    assert refusal("x", status, {"message": message}).gone is gone


def test_an_unstructured_refusal_is_read_for_what_we_sent() -> None:
    draft = DealDraft(key="k", title="x", fields={"colour": "red"})
    sent = {"dealstage": "s", "hubspot_owner_id": "1", "colour": "red", "amount": "1"}
    for message, fields in (
        ("Pipeline stage s is unknown", ("stage",)),
        ("owner 1 is not active", ("responsible",)),
        ("value of colour was wrong", ("colour",)),
        ("something else", ()),
    ):
        assert named(refusal("x", 400, {"message": message}), draft, sent).fields == fields


def test_vendor_names_become_the_drafts_own() -> None:
    draft = DealDraft(key="k", title="x", fields={"leadhub_source": "set by the mapping"})
    assert draft_names(["leadhub_utm_term", "leadhub_utm_source", "amount"], draft) == ("utm", "price")
    assert draft_names(["leadhub_source", "colour", "description"], draft) == ("leadhub_source", "colour", "comment")


# --- records ------------------------------------------------------------------------------------


def test_ids_are_compared_as_numbers() -> None:
    assert lowest(["10", "9", "100"]) == "9"
    assert lowest([]) is None


def test_times_in_either_form() -> None:
    assert when("2026-01-02T03:04:05.678Z") == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    assert when("1767323045678") == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    assert when("2026-01-02") == datetime(2026, 1, 2, tzinfo=UTC)
    assert when("soon") is None
    assert when(None) is None


def test_pipelines_in_order_without_the_archived() -> None:
    def stage(id_: str, order: int, **more: Any) -> dict[str, Any]:
        return {"id": id_, "label": id_, "displayOrder": order, **more}

    answer = {
        "results": [
            {"id": "9", "label": "B", "displayOrder": 2, "stages": [stage("closedlost", 1), stage("new", 0)]},
            {"id": "8", "label": "A", "displayOrder": 1, "stages": [stage("old", 0, archived=True)]},
            {"id": "7", "label": "C", "archived": True},
            "nonsense",
        ]
    }
    found = to_pipelines(answer)
    assert [(one.id, one.is_default) for one in found] == [("8", True), ("9", False)]
    assert [(step.id, step.closed) for step in found[1].stages] == [("new", False), ("closedlost", True)]
    assert found[0].stages == ()


def test_fields_with_their_options() -> None:
    options = [{"label": "New", "value": "NEW"}, {"value": "x"}]
    field = to_field({"name": "a", "label": "A", "type": "enumeration", "options": options, "calculated": True})
    assert (field.id, field.enums, field.read_only) == ("a", {"New": "NEW", "x": "x"}, True)


def test_a_property_goes_into_the_groups_that_there_are() -> None:
    assert choose_group("deal", {"results": [{"name": "other"}, {"name": "dealinformation"}]}) == "dealinformation"
    assert choose_group("note", {"results": [{"name": "engagement"}]}) == "engagement"
    assert choose_group("deal", {}) == "dealinformation"


# --- settings and paths ---------------------------------------------------------------------------


def test_paths_of_all_versions() -> None:
    assert Paths("2026-09").record("contacts", "a+b@c.d") == "/crm/objects/2026-09/contacts/a%2Bb%40c.d"
    assert Paths("v3").record("deals", "7") == "/crm/v3/objects/deals/7"
    assert Paths("v3").associations("contacts", "7", "deals") == "/crm/v4/objects/contacts/7/associations/deals"
    assert Paths("2026-03").associations_batch("deals", "contacts", "read") == (
        "/crm/associations/2026-03/deals/contacts/batch/read"
    )
    assert (Paths("v3").token, Paths("2026-03").token) == ("/oauth/v3/token", "/oauth/2026-03/token")
    assert (Paths("v3").owners, Paths("2026-03").owners) == ("/crm/v3/owners", "/crm/owners/2026-03")


@pytest.mark.parametrize(
    "given_settings",
    [
        {},
        {"access_token": ""},
        {"access_token": "x", "oauth": {"client_id": "a", "client_secret": "b", "redirect_uri": "c"}},
        {"access_token": "x", "api_version": "v1"},
        {"access_token": "x", "base_url": "not a url"},
        {"access_token": "x", "rate": {"calls": 0}},
        {"access_token": "x", "token": "y"},
    ],
)
def test_settings_that_cannot_work_are_refused(given_settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        HubSpotSettings.model_validate(given_settings)


def test_settings_keep_their_secrets() -> None:
    settings = HubSpotSettings.model_validate({"access_token": "pat-eu1-secret", "base_url": "http://127.0.0.1:1/hs/"})
    assert "pat-eu1" not in repr(settings)
    assert settings.base_url == "http://127.0.0.1:1/hs"
