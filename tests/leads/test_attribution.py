"""Touches: what a request tells, its channel, first and last, JSON and words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.attribution import (
    CHANNELS,
    channel,
    describe_touch,
    first_touch,
    last_touch,
    touch_from_json,
    touch_of,
    touch_to_json,
    utm_of,
)
from leads.channels import host_of
from leads.records import CLICK_KEYS, UTM_KEYS, Touch

NOW = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)


def touch(fields: dict[str, str] | None = None, **more: Any) -> Touch:
    return touch_of(fields or {}, at=NOW, **more)


# --- channel ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"utm_source": "yandex", "utm_medium": "cpc"}, "ad"),
        ({"utm_source": "google", "utm_medium": "CPM"}, "ad"),
        ({"utm_source": "facebook", "utm_medium": "paid_social"}, "ad"),
        ({"utm_source": "vk", "utm_medium": "cpc-search"}, "ad"),
        ({"utm_source": "site", "utm_medium": "banner"}, "ad"),
        ({"utm_source": "yandex"}, "ad"),
        ({"utm_source": "google_ads"}, "ad"),
        ({"utm_source": "yandex.direct"}, "ad"),
        ({"gclid": "Abc"}, "ad"),
        ({"yclid": "123"}, "ad"),
        ({"msclkid": "x"}, "ad"),
        ({"yclid": "123", "utm_medium": "organic", "utm_source": "yandex"}, "ad"),
        ({"utm_source": "vk", "utm_medium": "social"}, "social"),
        ({"utm_source": "vk"}, "social"),
        ({"utm_source": "tg", "utm_medium": "post"}, "social"),
        ({"fbclid": "x"}, "social"),
        ({"utm_source": "unisender"}, "email"),
        ({"utm_source": "site", "utm_medium": "E-mail"}, "email"),
        ({"utm_source": "sms"}, "messenger"),
        ({"utm_source": "bot", "utm_medium": "whatsapp"}, "messenger"),
        ({"utm_source": "roistat", "utm_medium": "call"}, "call"),
        ({"utm_source": "google", "utm_medium": "organic"}, "organic"),
        ({"utm_source": "partner"}, "referral"),
        ({"utm_source": "yandex", "utm_medium": "referral"}, "referral"),
        ({"utm_campaign": "spring"}, "referral"),
        ({"utm_source": "(direct)", "utm_medium": "(none)"}, "direct"),
        ({"utm_source": "{source}", "utm_medium": "{medium}"}, "direct"),
        ({}, "direct"),
    ],
)
def test_the_channel_by_marks_of_the_link(fields: dict[str, str], expected: str) -> None:
    assert touch(fields).channel == expected


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        ("https://www.google.com/", "organic"),
        ("https://www.google.co.uk/search?q=x", "organic"),
        ("https://yandex.ru/search/?text=x", "organic"),
        ("https://ya.ru/", "organic"),
        ("https://yandex.com.tr/", "organic"),
        ("https://go.mail.ru/search", "organic"),
        ("https://duckduckgo.com/", "organic"),
        ("android-app://com.google.android.googlequicksearchbox/", "organic"),
        ("https://yabs.yandex.ru/count/x", "ad"),
        ("https://googleads.g.doubleclick.net/", "ad"),
        ("https://vk.com/away.php?to=x", "social"),
        ("https://m.vk.com/", "social"),
        ("https://l.facebook.com/", "social"),
        ("https://t.me/okna", "social"),
        ("https://dzen.ru/a/1", "social"),
        ("https://e.mail.ru/inbox", "email"),
        ("https://mail.google.com/", "email"),
        ("https://mail.yandex.ru/", "email"),
        ("https://web.whatsapp.com/", "messenger"),
        ("https://wa.me/79161234567", "messenger"),
        ("https://forum.house.example/thread", "referral"),
        ("https://market.yandex.ru/x", "referral"),
        ("https://notgoogle.com/", "referral"),
        ("https://vk.com.evil.example/", "referral"),
        ("https://yookassa.ru/checkout", "direct"),
        ("https://accounts.google.com/", "direct"),
        ("https://okna.example/other", "direct"),
        ("https://shop.okna.example/", "direct"),
        ("not a url", "direct"),
        ("https://[broken", "direct"),
        ("", "direct"),
    ],
)
def test_the_channel_by_referrer(referrer: str, expected: str) -> None:
    assert touch(referrer=referrer, page_url="https://www.okna.example/").channel == expected


def test_marks_count_more_than_the_referrer() -> None:
    assert touch({"utm_source": "vk", "utm_medium": "cpc"}, referrer="https://yandex.ru/").channel == "ad"


@pytest.mark.parametrize("kind", ["call", "messenger", "email"])
def test_the_kind_of_the_source_counts_where_nothing_else_tells(kind: str) -> None:
    assert touch(kind=kind).channel == kind
    assert touch({"utm_source": "yandex", "utm_medium": "cpc"}, kind=kind).channel == "ad"


def test_hosts_of_one_site_are_one_but_not_those_of_one_country_suffix() -> None:
    assert touch(referrer="https://a.shop.co.uk/", page_url="https://b.other.co.uk/").channel == "referral"
    assert host_of("HTTPS://WWW.Example.RU:8443/x") == "example.ru"
    assert host_of("example.ru/okna") == "example.ru"


# --- what a request tells ----------------------------------------------------------------------


def test_utm_is_found_under_its_usual_spellings_and_normalised() -> None:
    fields = {"utmSource": "Yandex", "utm[medium]": "CPC", "UTM_CAMPAIGN": "Окна", "utm.term": "{keyword}", "name": "x"}
    assert utm_of(fields) == {"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "окна"}


def test_click_ids_keep_their_case_and_ga_cookies_give_the_client_id() -> None:
    fields = {
        "gclid": "AbC_1",
        "ClientID": "",
        "_ga": "GA1.2.111.222",
        "metrika_client_id": "176",
        "roistat": "9",
        "yclid": "null",
    }
    expected = {"gclid": "AbC_1", "client_id": "111.222", "_ym_uid": "176", "roistat_visit": "9"}
    assert touch(fields).click_ids == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("utm_source=ya&utm_term=%EE%EA%ED%E0#utm_medium=x", {"utm_source": "ya", "utm_term": "окна"}),
        ("utm_source=ya&amp;utm_medium=CPC", {"utm_source": "ya", "utm_medium": "cpc"}),
        ("utm_term=купить+окна&utm_campaign=c%2B%2B", {"utm_campaign": "c++", "utm_term": "купить окна"}),
        ("utm%5Bsource%5D=ya", {"utm_source": "ya"}),
        ("utm_source=first&utm_source=second", {"utm_source": "first"}),
        ("utm_term=%2541", {"utm_term": "%41"}),
        ("utm_source={source}&utm_medium=", {}),
        ("x=1&" * 200 + "utm_source=ya", {}),
        ("", {}),
    ],
)
def test_marks_in_the_address_of_the_page_are_decoded_once(query: str, expected: dict[str, str]) -> None:
    assert touch(page_url=f"https://e.example/okna?{query}").utm == expected
    assert touch(landing_page=f"/okna?{query}").utm == expected


def test_click_ids_in_the_address_keep_their_case() -> None:
    assert touch(page_url="https://e.example/?gclid=AbC%2Dd_1&yclid=").click_ids == {"gclid": "AbC-d_1"}


def test_a_field_counts_more_than_the_address_of_the_page() -> None:
    page = "https://e.ru/?utm_source=google&utm_medium=cpc&utm_campaign=c&gclid=G"
    found = touch({"utm_source": "Google", "utm_campaign": "field"}, page_url=page)
    assert found.utm == {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "field"}
    assert found.click_ids == {"gclid": "G"}


def test_utm_of_two_visits_are_never_mixed() -> None:
    found = touch({"utm_source": "vk"}, page_url="https://e.ru/?utm_source=google&utm_campaign=c")
    assert found.utm == {"utm_source": "vk"}


def test_a_touch_has_everything_that_was_told() -> None:
    found = touch({"utm_source": "yandex"}, source="site", page_url="https://e.ru/okna", referrer="https://ya.ru/")
    assert found == Touch(NOW, "site", {"utm_source": "yandex"}, {}, "https://ya.ru/", "https://e.ru/okna", "ad")


FIELDS = st.dictionaries(
    st.sampled_from([*UTM_KEYS, *CLICK_KEYS, "utmSource", "gbraid", "name"]), st.text(max_size=20), max_size=6
)


@given(FIELDS, st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_sent_a_touch_comes_of_it(fields: dict[str, str], page: str, referrer: str) -> None:
    found = touch(fields, page_url=page, referrer=referrer)
    assert found.channel in CHANNELS
    assert set(found.utm) <= set(UTM_KEYS)
    assert touch_from_json(touch_to_json(found)) == found
    assert describe_touch(found, "ru")
    assert describe_touch(found, "en")


# --- first and last --------------------------------------------------------------------------------

TOUCHES = st.builds(
    Touch,
    at=st.integers(0, 10_000).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    source=st.sampled_from(["site", "ats"]),
    channel=st.sampled_from(CHANNELS),
)


@given(TOUCHES, TOUCHES | st.none(), TOUCHES | st.none())
def test_a_first_touch_is_never_overwritten(current: Touch, candidate: Touch | None, browser: Touch | None) -> None:
    assert first_touch(current, candidate, browser) is current


@given(st.lists(TOUCHES, min_size=1), TOUCHES | st.none())
def test_over_any_journey_the_first_touch_is_settled_by_the_first_lead(
    journey: list[Touch], browser: Touch | None
) -> None:
    first: Touch | None = None
    for step in journey:
        first = first_touch(first, step, browser)
    assert first in (journey[0], browser)
    assert first is not None
    assert first.at <= journey[0].at


def test_the_browsers_memory_counts_for_a_new_person_if_it_is_earlier() -> None:
    visit = Touch(NOW, "site")
    before = Touch(NOW - timedelta(days=22), "site", {"utm_source": "google"})
    assert first_touch(None, visit, before) is before
    assert first_touch(None, visit, replace(before, at=NOW + timedelta(days=1))) is visit
    assert first_touch(None, None, before) is before
    assert first_touch(None, None) is None


def test_a_direct_visit_does_not_hide_where_the_person_came_from() -> None:
    ad, direct = Touch(NOW, channel="ad"), Touch(NOW, channel="direct")
    assert last_touch(ad, direct) is ad
    assert last_touch(direct, ad) is ad
    assert last_touch(None, direct) is direct
    assert last_touch(ad, None) is ad


# --- JSON ------------------------------------------------------------------------------------------


def test_json_is_plain_and_in_utc() -> None:
    moscow = timezone(timedelta(hours=3))
    data = touch_to_json(Touch(datetime(2026, 11, 24, 14, 2, tzinfo=moscow), "site"))
    assert data["at"] == "2026-11-24T11:02:00+00:00"
    assert touch_from_json({"at": "2026-11-24T14:02:00+03:00"}) == Touch(NOW)


@pytest.mark.parametrize("data", [{}, {"at": ""}, {"at": "2026-11-24T14:02:00"}, {"at": None}])
def test_a_touch_without_an_aware_time_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        touch_from_json(data)


# --- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "referrer", "ru", "en"),
    [
        (
            {"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "окна_весна", "utm_term": "купить окна"},
            "",
            "Яндекс.Директ, кампания «окна_весна», запрос «купить окна»",
            "Yandex Direct, campaign “окна_весна”, query “купить окна”",
        ),
        ({}, "https://www.google.com/", "Google, органика", "Google, organic"),
        ({}, "https://vk.com/away.php", "ВКонтакте, соцсети", "VK, social"),
        ({"gclid": "x"}, "", "Google Ads", "Google Ads"),
        ({"utm_source": "2gis", "utm_medium": "cpc"}, "", "2gis, реклама", "2gis, ad"),
        ({}, "https://forum.house.example/1", "forum.house.example, переход с сайта", "forum.house.example, referral"),
        ({}, "", "Прямой заход", "Direct"),
    ],
)
def test_a_touch_in_words(fields: dict[str, str], referrer: str, ru: str, en: str) -> None:
    found = touch(fields, referrer=referrer)
    assert describe_touch(found, "ru") == ru
    assert describe_touch(found, "en") == en


def test_a_very_long_campaign_is_cut_for_the_note() -> None:
    text = describe_touch(Touch(NOW, utm={"utm_source": "x", "utm_campaign": "к" * 500}), "ru")
    assert len(text) < 120
    assert text.endswith("…»")


def test_a_touch_that_was_never_classified_is_classified_for_its_words() -> None:
    bare = Touch(NOW, utm={"utm_source": "google", "utm_medium": "cpc"})
    assert describe_touch(bare, "en") == "Google Ads"
    assert channel(bare) == "ad"
