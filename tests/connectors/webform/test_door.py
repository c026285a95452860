import json

import pytest
from pydantic import ValidationError

from connectors.doors import Parsed, Receipt, Refused
from connectors.webform import SOURCE, WebformSettings
from tests.support.requests import inbound

KEYED = WebformSettings(key="s3cret-key")
LEAD = "name=x&phone=89161234567"


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"X-Leadhub-Key": "s3cret-key"}),
        ("key=s3cret-key", {}),
        ("", {"Authorization": "Bearer s3cret-key"}),
    ],
)
def test_the_key_is_taken_from_header_query_or_bearer(query: str, headers: dict[str, str]) -> None:
    SOURCE.verify(KEYED, inbound(LEAD, query=query, headers=headers))


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("key=", {}),
        ("key=s3cret-ke", {}),
        ("key=ключ", {}),
        ("", {"X-Leadhub-Key": "other"}),
        ("", {"Authorization": "Basic s3cret-key"}),
    ],
)
def test_a_wrong_or_missing_key_is_refused_without_quoting_it(query: str, headers: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        SOURCE.verify(KEYED, inbound(LEAD, query=query, headers=headers))
    assert caught.value.status == 401
    assert "s3cret" not in caught.value.reason


def test_without_a_key_in_the_settings_none_is_asked_for() -> None:
    SOURCE.verify(WebformSettings(), inbound(LEAD))


def test_the_token_in_the_address_must_match_where_it_is_set() -> None:
    settings = WebformSettings(url_token="tok-1")
    SOURCE.verify(settings, inbound(LEAD, path_tail="tok-1"))
    for tail in ("", "tok-2", "tok-", "tok-11", "токен"):
        with pytest.raises(Refused) as caught:
            SOURCE.verify(settings, inbound(LEAD, path_tail=tail))
        assert caught.value.status == 403
    with pytest.raises(Refused) as caught:
        SOURCE.verify(settings, inbound(LEAD, path_tail="tok-1/more"))
    assert caught.value.status == 404


def test_an_address_with_a_token_does_not_exist_where_none_is_set() -> None:
    with pytest.raises(Refused) as caught:
        SOURCE.verify(WebformSettings(), inbound(LEAD, path_tail="tok-1"))
    assert caught.value.status == 404


def test_get_has_no_handshake() -> None:
    assert SOURCE.handshake(WebformSettings(), inbound(method="GET")) is None


# --- answers ---------------------------------------------------------------------------------


def test_the_answer_names_the_lead_or_the_first_one_of_a_repeat() -> None:
    request = inbound(LEAD)
    parsed = SOURCE.parse(KEYED, request, "RU")
    reply = SOURCE.reply(KEYED, request, parsed, [Receipt("id-1")])
    assert reply.status == 202
    assert json.loads(reply.body) == {"lead_id": "id-1", "status": "accepted"}
    reply = SOURCE.reply(KEYED, request, parsed, [Receipt("id-0", duplicate=True)])
    assert json.loads(reply.body) == {"lead_id": "id-0", "status": "duplicate"}


def test_several_leads_are_answered_one_by_one() -> None:
    reply = SOURCE.reply(KEYED, inbound("[]"), Parsed(), [Receipt("a"), Receipt("b", duplicate=True)])
    assert json.loads(reply.body) == {
        "lead_id": "a",
        "status": "accepted",
        "leads": [{"lead_id": "a", "status": "accepted"}, {"lead_id": "b", "status": "duplicate"}],
    }


def test_a_ping_is_answered_200() -> None:
    request = inbound("test=test")
    assert SOURCE.reply(KEYED, request, SOURCE.parse(KEYED, request, "RU"), []).status == 200


# --- redirect ---------------------------------------------------------------------------------

REDIRECT = WebformSettings(redirect="https://www.example.test/thanks", redirect_hosts=["shop.example.test"])


def location(settings: WebformSettings, body: str, **headers: str) -> str | None:
    request = inbound(body, headers={name.replace("_", "-"): value for name, value in headers.items()})
    parsed = SOURCE.parse(settings, request, "RU")
    reply = SOURCE.reply(settings, request, parsed, [Receipt("id")])
    if reply.status != 303:
        assert reply.status == 202
        return None
    return reply.headers["location"]


def test_a_plain_form_is_sent_on() -> None:
    assert location(REDIRECT, LEAD) == "https://www.example.test/thanks"
    assert (
        location(REDIRECT, LEAD + "&_redirect=https://shop.example.test/ok?a=1%23x")
        == "https://shop.example.test/ok?a=1#x"
    )
    assert (
        location(REDIRECT, LEAD + "&_redirect=/done", referer="https://shop.example.test/form/1")
        == "https://shop.example.test/done"
    )
    assert location(REDIRECT, LEAD + "&_redirect=https://www.example.test/спасибо") == (
        "https://www.example.test/%D1%81%D0%BF%D0%B0%D1%81%D0%B8%D0%B1%D0%BE"
    )


def test_a_script_gets_its_answer_instead() -> None:
    assert location(REDIRECT, '{"phone": "89161234567", "_redirect": "https://shop.example.test/"}') is None
    assert location(REDIRECT, LEAD, sec_fetch_mode="cors") is None
    assert location(REDIRECT, LEAD, x_requested_with="XMLHttpRequest") is None
    assert location(REDIRECT, LEAD, accept="application/json") is None
    assert location(REDIRECT, LEAD, sec_fetch_mode="navigate", accept="text/html,*/*") is not None


def test_without_the_setting_nobody_is_sent_on() -> None:
    assert location(WebformSettings(), LEAD + "&_redirect=https://shop.example.test/") is None
    assert location(WebformSettings(), LEAD + "&_redirect=/x", referer="https://a.test/") is None


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.test/", "//evil.test/", "https://shop.example.test@evil.test/", "https://shop.example.test.evil.test/",
        "https:\\\\evil.test", "/\\evil.test",
        "javascript:alert(1)", "data:text/html,x",
        "https://evil.test\\@shop.example.test/",
        "https://user@shop.example.test/", "https://shop.example.test%0d%0aSet-Cookie: a=b",
        "http://[", "https:evil.test",
        "https://shop.example.test/\r\nX: y", "\thttps://evil.test/", "ftp://shop.example.test/",
    ],
)  # fmt: skip
def test_a_form_cannot_send_a_visitor_to_a_strange_host(wanted: str) -> None:
    body = LEAD + "&_redirect=" + "".join(f"%{byte:02x}" for byte in wanted.encode())
    request = inbound(body, headers={"referer": "https://evil.test/page"})
    settings = WebformSettings(redirect_hosts=["shop.example.test"])
    assert SOURCE.parse(settings, request, "RU").reply is None


def test_the_redirect_field_is_not_kept_with_the_lead() -> None:
    (lead,) = SOURCE.parse(REDIRECT, inbound(LEAD + "&_redirect=/x"), "RU").leads
    assert lead.extra == {}


# --- settings ---------------------------------------------------------------------------------


def test_defaults_suit_a_site() -> None:
    settings = WebformSettings()
    assert settings.dedup_window == 60
    assert settings.rate_limit == (60, 60.0)
    assert settings.cors_headers("https://a.test")["access-control-allow-origin"] == "https://a.test"


def test_durations_and_rates_are_written_for_people() -> None:
    settings = WebformSettings.model_validate({"dedup_window": "1h30m", "rate_limit": "5/10s"})
    assert (settings.dedup_window, settings.rate_limit) == (5400, (5, 10.0))
    assert WebformSettings.model_validate({"rate_limit": "off"}).rate_limit is None
    assert WebformSettings.model_validate({"dedup_window": 0}).dedup_window == 0


def test_loopback_is_limited_only_on_purpose() -> None:
    assert WebformSettings().limit_for("127.0.0.1") is None
    assert WebformSettings().limit_for("::1") is None
    assert WebformSettings().limit_for("203.0.113.7") == (60, 60.0)
    assert WebformSettings.model_validate({"rate_limit": "30/m"}).limit_for("127.0.0.1") == (30, 60.0)


def test_only_named_origins_may_send_where_they_are_named() -> None:
    settings = WebformSettings(cors_origins=("https://a.test",))
    assert settings.cors_headers("https://a.test")["vary"] == "Origin"
    assert settings.cors_headers("https://b.test") == {}
    assert settings.cors_headers("") == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kee": "x"}, {"rate_limit": "fast"}, {"rate_limit": "0/m"}, {"dedup_window": "soon"}, {"dedup_window": -1},
        {"redirect": "/thanks"}, {"redirect": "javascript:x"},
        {"redirect_hosts": ["https://a.test"]}, {"fields": {"a": "fone"}},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WebformSettings.model_validate(wrong)


def test_secrets_do_not_show() -> None:
    assert "s3cret" not in repr(KEYED)
