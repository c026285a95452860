import json
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

from connectors.doors import Inbound, Parsed, Refused
from tests.support import form_doors as doors
from tests.support.requests import inbound


def lead(request: Inbound, **more: object) -> doors.ParsedLead:
    return doors.lead_of("tilda", request, **more)


def form(fields: dict[str, str], **headers: str) -> Inbound:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return doors.posted("tilda", urlencode(fields), headers=named)


KEY = {"api_key": "fake-tilda-key-1"}


def test_the_sample_lead() -> None:
    found = lead(doors.sample("tilda", "2-lead.http"))
    assert found.lead_uid == "467251:8442970"
    assert (found.name, found.phones, found.emails) == (
        "Мария Иванова", ("+79991002030",), ("maria.ivanova@example.test",),
    )  # fmt: skip
    assert (found.comment, found.form) == ("Хочу рассчитать окна", "Заявка с первого экрана")
    assert found.utm == {
        "utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "spring", "utm_content": "ad1",
        "utm_term": "купить окна",
    }  # fmt: skip
    assert found.click_ids == {
        "_ym_uid": "1767600000123456789", "client_id": "111111111.1767600000", "roistat_visit": "1000777",
    }  # fmt: skip
    assert found.extra == {"Checkbox": "yes"}
    assert found.flags == ()
    assert found.touch is not None
    assert found.touch.channel == "ad"


def test_the_sample_order() -> None:
    found = lead(doors.sample("tilda", "3-order.http"))
    assert (found.lead_uid, found.name, found.phones) == ("467251:8442971", "Пётр", ("+79991002040",))
    assert found.emails == ("petr@example.test",)
    assert found.form == "form42177669"
    assert found.extra == {
        "payment_system": "yookassa",
        "order_id": "1690000001",
        "order_amount": "4990",
        "order_items": "Набор А × 1 = 4990",
    }


def test_the_test_ping_needs_no_api_key_and_makes_nothing() -> None:
    request = doors.sample("tilda", "1-test-ping.http")
    assert doors.taken("tilda", request) == Parsed()
    assert doors.door("tilda").reply(doors.settings("tilda"), request, Parsed(), []).body == b"ok"


def test_a_form_with_a_field_called_test_is_still_a_lead() -> None:
    assert lead(form({"test": "test", "Phone": "+79991002030", **KEY})).phones == ("+79991002030",)


@pytest.mark.parametrize("given", [{}, {"api_key": ""}, {"api_key": "fake-tilda-key-2"}, {"Api": "fake-tilda-key-1"}])
def test_a_wrong_or_missing_api_key_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        lead(form({"Phone": "+79991002030", **given}))
    assert caught.value.status == 401
    assert "fake-tilda-key" not in caught.value.reason


@pytest.mark.parametrize(
    "headers",
    [{"api-key": "fake-tilda-key-1"}, {"API_KEY": "fake-tilda-key-1"}, {"Authorization": "Bearer fake-tilda-key-1"}],
)
def test_the_api_key_may_come_in_a_header(headers: dict[str, str]) -> None:
    assert lead(doors.posted("tilda", "Phone=%2B79991002030", headers=headers)).phones == ("+79991002030",)


def test_the_name_of_the_api_key_is_the_owners() -> None:
    request = form({"Phone": "+79991002030", "SiteKey": "fake-tilda-key-1"})
    assert "SiteKey" not in lead(request, api_key_name="sitekey").extra
    by_header = doors.posted("tilda", "Phone=%2B79991002030", headers={"X-Site-Key": "fake-tilda-key-1"})
    assert lead(by_header, api_key_name="X-Site-Key").phones == ("+79991002030",)


def test_the_api_key_never_stands_in_the_lead() -> None:
    assert "fake-tilda-key-1" not in repr(lead(doors.sample("tilda", "2-lead.http")))


def test_without_an_api_key_in_the_settings_none_is_asked_for() -> None:
    assert lead(form({"Phone": "+79991002030"}), api_key=None).phones == ("+79991002030",)


COOKIE = "utm_source=vk|||utm_medium=cpc|||utm_campaign=лето|||"


@pytest.mark.parametrize(
    "cookie",
    [
        quote(COOKIE), quote(quote(COOKIE)), quote(quote(quote(COOKIE))), COOKIE, COOKIE.replace("|||", "|||amp;"),
        quote(COOKIE.replace("|||", "|||amp;")), f"utm_source%3Dvk|||utm_medium%3Dcpc|||utm_campaign%3D{quote('лето')}",
    ],
)  # fmt: skip
def test_utm_of_the_cookie_is_read_however_it_is_encoded(cookie: str) -> None:
    cookies = f"a=1; TILDAUTM={cookie}; roistat_visit=77"
    found = lead(form({"Phone": "+79991002030", "COOKIES": cookies, **KEY}))
    assert found.utm == {"utm_source": "vk", "utm_medium": "cpc", "utm_campaign": "лето"}
    assert found.click_ids == {"roistat_visit": "77"}


def test_utm_fields_of_the_form_count_more_than_the_cookie() -> None:
    cookies = f"TILDAUTM={quote(COOKIE)}"
    found = lead(form({"Phone": "+79991002030", "COOKIES": cookies, "utm_source": "Google", **KEY}))
    assert found.utm["utm_source"] == "google"


def test_utm_of_the_cookie_never_mix_with_those_of_the_pages_address() -> None:
    page = "https://a.example.test/?utm_source=google&utm_medium=cpc"
    fields = {"Phone": "+79991002030", "COOKIES": f"TILDAUTM={quote(COOKIE)}", "page": page, **KEY}
    assert lead(form(fields)).utm == {"utm_source": "google", "utm_medium": "cpc"}
    same = lead(form({**fields, "page": "https://a.example.test/?utm_source=vk"}))
    assert same.utm == {"utm_source": "vk", "utm_medium": "cpc", "utm_campaign": "лето"}


def test_a_json_body_of_a_marketplace_integration_is_read_by_content() -> None:
    body = json.dumps({"Name": "Олег", "Phone": "+7 (999) 100-20-30", "tranid": "1:2", "api_key": "fake-tilda-key-1"})
    request = doors.posted("tilda", body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    found = lead(request)
    assert (found.name, found.phones, found.lead_uid) == ("Олег", ("+79991002030",), "1:2")


def test_a_whole_cart_is_told_in_the_deal() -> None:
    fields = {
        "Phone": "+79991002030", "payment[orderid]": "5", "payment[amount]": "700", "payment[promocode]": "MAY",
        "payment[delivery]": "Курьер", "payment[delivery_address]": "Тверь", "payment[foo]": "bar",
        "payment[products][0][name]": "Чай", "payment[products][0][quantity]": "2",
        "payment[products][0][price]": "100", "payment[products][0][amount]": "200",
        "payment[products][0][sku]": "T-1", "payment[products][0][options][0][option]": "Вес",
        "payment[products][0][options][0][variant]": "250 г", "payment[products][1][name]": "Кофе",
        "payment[products][1][quantity]": "1", "payment[products][1][amount]": "500", **KEY,
    }  # fmt: skip
    assert lead(form(fields)).extra == {
        "order_id": "5", "order_amount": "700", "promocode": "MAY", "delivery": "Курьер", "delivery_address": "Тверь",
        "payment.foo": "bar", "order_items": "Чай (250 г, T-1) × 2 = 200; Кофе × 1 = 500",
    }  # fmt: skip


def test_a_cart_as_one_text_and_as_json_is_kept_too() -> None:
    text = lead(form({"Phone": "+79991002030", "payment[products]": "Чай - 2x100 = 200", **KEY}))
    assert text.extra == {"order_items": "Чай - 2x100 = 200"}
    payment = {"orderid": 5, "amount": 49.9, "products": [{"name": "Чай", "quantity": 1, "price": 49.9}]}
    found = lead(form({"Phone": "+79991002030", "payment": json.dumps(payment), **KEY}))
    assert found.extra == {"order_id": "5", "order_amount": "49.9", "order_items": "Чай × 1 = 49.9"}
    broken = lead(form({"Phone": "+79991002030", "payment": "{oops", **KEY}))
    assert broken.extra == {"payment.text": "{oops"}


def test_a_windows_1251_form_is_read_and_flagged() -> None:
    body = b"Name=" + quote("Мария".encode("cp1251")).encode() + b"&Phone=89991002030&api_key=fake-tilda-key-1"
    found = lead(inbound(body, path_tail="tok-tilda-1"))
    assert (found.name, found.flags) == ("Мария", ("charset_guessed",))


def test_a_form_without_contact_is_kept_and_flagged() -> None:
    assert lead(form({"Name": "Аня", **KEY})).flags == ("no_contact",)


def test_own_names_of_fields_are_the_owners() -> None:
    found = lead(form({"Input_1": "Аня", "Input_2": "8 999 100-20-30", **KEY}), fields={"Input_1": "name"})
    assert (found.name, found.phones) == ("Аня", ("+79991002030",))


def test_a_proof_in_the_body_covers_no_other_address() -> None:
    with pytest.raises(Refused):
        doors.taken("tilda", replace(doors.sample("tilda", "2-lead.http"), path_tail=""))
