import json
from typing import Any

import pytest

from connectors.doors import Inbound, Parsed, Refused, Unreadable
from tests.support import form_doors as doors
from tests.support.requests import inbound

LEAD: dict[str, Any] = json.loads(doors.sample("google-ads", "lead.http").body)


def sent(**changes: Any) -> Inbound:
    body = {**LEAD, **changes}
    return inbound(json.dumps({key: value for key, value in body.items() if value is not None}))


def test_the_sample_lead() -> None:
    found = doors.lead_of("google-ads", doors.sample("google-ads", "lead.http"))
    assert found.lead_uid.startswith("TeSter-123-ABC")
    assert (found.name, found.phones, found.emails) == ("John Smith", ("+12025550155",), ("john.smith@example.test",))
    assert (found.form, found.click_ids) == ("40000000001", {"gclid": "FakeGclIdAAA"})
    assert found.utm == {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "12345678901"}
    assert found.extra == {
        "What is your budget?": "1000-5000", "campaign_id": "12345678901", "adgroup_id": "20000000001",
        "creative_id": "30000000001", "form_id": "40000000001",
    }  # fmt: skip
    assert found.flags == ()


def test_the_key_never_stands_in_the_lead() -> None:
    assert "fake-google-key-1" not in repr(doors.lead_of("google-ads", sent()))


@pytest.mark.parametrize("key", ["fake-google-key-2", "", None, 5, ["fake-google-key-1"], "ключ"])
def test_a_wrong_or_missing_key_is_refused(key: object) -> None:
    with pytest.raises(Refused) as caught:
        doors.taken("google-ads", sent(google_key=key))
    assert caught.value.status == 401


def test_a_test_makes_nothing_and_needs_no_key_but_a_wrong_one_is_told() -> None:
    assert doors.taken("google-ads", sent(is_test=True)) == Parsed()
    assert doors.taken("google-ads", sent(is_test=True, google_key=None)) == Parsed()
    with pytest.raises(Refused):
        doors.taken("google-ads", sent(is_test=True, google_key="other"))


def test_ids_of_64_bits_keep_every_digit() -> None:
    found = doors.lead_of("google-ads", sent(campaign_id=9007199254740993, asset_group_id=18446744073709551615))
    assert found.extra["campaign_id"] == "9007199254740993"
    assert found.extra["asset_group_id"] == "18446744073709551615"


def test_every_known_column_has_its_place() -> None:
    columns = {
        "FIRST_NAME": "Ann", "LAST_NAME": "Lee", "WORK_EMAIL": "ann@work.example.test", "WORK_PHONE": "+12025550156",
        "COMPANY_NAME": "Acme", "JOB_TITLE": "CTO", "CITY": "Boston", "POSTAL_CODE": "02108", "COUNTRY": "US",
    }  # fmt: skip
    told = [{"column_id": key, "string_value": value} for key, value in columns.items()]
    found = doors.lead_of("google-ads", sent(user_column_data=told, gcl_id=None))
    assert (found.name, found.company) == ("Ann Lee", "Acme")
    assert (found.phones, found.emails) == (("+12025550156",), ("ann@work.example.test",))
    assert {key: found.extra[key] for key in ("job_title", "city", "postal_code", "country")} == {
        "job_title": "CTO", "city": "Boston", "postal_code": "02108", "country": "US",
    }  # fmt: skip
    assert found.touch is not None
    assert found.touch.channel == "ad"


def test_old_forms_without_column_ids_are_read_by_name() -> None:
    told = [
        {"column_name": "Full Name", "string_value": "Ann"}, {"column_name": "User Email", "string_value": "a@b.test"},
        {"column_name": "User Phone", "string_value": "+12025550156"},
    ]  # fmt: skip
    found = doors.lead_of("google-ads", sent(user_column_data=told))
    assert (found.name, found.phones, found.emails) == ("Ann", ("+12025550156",), ("a@b.test",))


def test_own_questions_may_be_named_in_the_settings() -> None:
    found = doors.lead_of("google-ads", sent(), fields={"what_is_your_budget?": "comment"})
    assert found.comment == "1000-5000"


@pytest.mark.parametrize("body", ["[1]", "{", "a=b", '"x"'])
def test_what_is_no_json_object_is_unreadable(body: str) -> None:
    with pytest.raises((Unreadable, Refused)):
        doors.taken("google-ads", inbound(body))


def test_an_empty_post_makes_nothing() -> None:
    assert doors.taken("google-ads", inbound(b"")) == Parsed()
