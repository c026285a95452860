"""The texts of the console: complete in both languages, right in number and time."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from leads.records import FLAGS
from store.tables import t_delivery
from web.origin import safe_next
from web.reasons import why
from web.search import find_phone
from web.visitor import visitor_of
from web.words import LOCALES, Words, catalog

NOW = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
WEB = Path(__file__).parents[2] / "web"


def words(locale: str) -> Words:
    return Words(locale, ZoneInfo("Europe/Moscow"), NOW)


def forms(entry: str | Mapping[str, str]) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry.values())


def names(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


def test_both_languages_have_the_same_texts_with_the_same_gaps() -> None:
    russian, english = catalog("ru"), catalog("en")
    assert set(russian) == set(english)
    for key, entry in russian.items():
        gaps = set().union(*(names(form) for form in forms(entry)))
        assert gaps == set().union(*(names(form) for form in forms(english[key]))), key
        assert isinstance(entry, str) == isinstance(english[key], str), key


def test_every_plural_has_the_forms_of_its_language() -> None:
    for key, entry in catalog("ru").items():
        assert isinstance(entry, str) or {"one", "few", "other"} <= set(entry) or len(set(entry.values())) == 1, key
    for key, entry in catalog("en").items():
        assert isinstance(entry, str) or set(entry) == {"one", "other"}, key


def test_every_text_that_the_pages_name_is_there_and_no_other() -> None:
    sources = [*(WEB / "templates").glob("*.html"), *(path for path in WEB.glob("*.py") if path.name != "words.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    quoted = set(re.findall(r"""["']([a-z_]+(?:\.[a-z_0-9]+)?)["']""", text))
    families = tuple(
        {*re.findall(r"""["']([a-z_]+\.[a-z_]*)["'] ~""", text), *re.findall(r"""f["']([a-z_]+\.[a-z_]*)\{""", text)}
        | {f"{group}." for group in re.findall(r"""known\(["'](\w+)["']""", text)}
    )
    unused = {key for key in catalog("en") if key not in quoted and not key.startswith(families)}
    assert unused == {"here", "here_lead", "seconds"} & unused  # asked for by web.words itself
    asked = set(re.findall(r"""words\(["']([a-z_.0-9]+)["'][,)]""", text))
    assert asked
    assert asked <= set(catalog("en"))


def test_every_flag_and_state_has_words() -> None:
    for locale in LOCALES:
        for flag in FLAGS:
            assert words(locale).has(f"flag.{flag}")
        for state in ("ready", "waiting", "claimed", "held", "delivered", "dead", "discarded"):
            assert words(locale).has(f"delivery.{state}")
    assert "state" in t_delivery.c


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (1, "1 лид отправляется."),
        (2, "2 лида отправляются."),
        (5, "5 лидов отправляются."),
        (21, "21 лид отправляется."),
    ],
)
def test_russian_counts_as_russians_do(n: int, text: str) -> None:
    assert words("ru")("done.retried", n=n) == text


def test_numbers_and_times_are_written_as_the_reader_does() -> None:
    assert words("ru").seconds(0.214) == "0,21 с"
    assert words("en").seconds(2.44) == "2.4 s"
    assert words("ru").seconds(400) == "6 мин"
    assert words("en").seconds(None) == "–"
    assert words("en").number(12_345) == "12,345"
    assert words("ru").time(NOW) == "14:02"
    assert words("ru").time(NOW - timedelta(days=1)) == "23.11 14:02"
    assert words("ru").day(NOW.date()) == "вторник, 24 ноября"
    assert words("en").day(NOW.date()) == "Tuesday, 24 November"


def delivery(kind: str, error: str, state: str = "ready") -> SimpleNamespace:
    return SimpleNamespace(state=state, error_kind=kind, last_error=error)


@pytest.mark.parametrize(
    ("owed", "text"),
    [
        (delivery("", ""), ""),
        (delivery("retryable", "find contacts: HTTP 503: busy"), "CRM отвечает 503 (их сторона)"),
        (delivery("retryable", "find contacts: ConnectError"), "нет связи с CRM (их сторона или сеть)"),
        (delivery("retryable", 'HubSpot "hs": list: ConnectError'), "нет связи с HubSpot «hs» (их сторона или сеть)"),
        (delivery("rate_limited", "HTTP 429: wait"), "CRM просит подождать: слишком много запросов"),
        (delivery("auth", "ping: HTTP 401: refused"), "токен не принят"),
        (delivery("unknown", "create deal: ReadTimeout"), "ответ потерян"),
        (delivery("unknown", "nothing found yet; will look again"), "сперва поищу её там"),
        (delivery("hold", "Ждёт до 25.11 09:00: нерабочее время"), "Ждёт до 25.11 09:00: нерабочее время"),
        (delivery("store", "StoreUnavailable"), "наша база данных была недоступна"),
        (delivery("refused", "create deal: HTTP 400: Bad Request", "dead"), "CRM не приняла данные"),
        (delivery("gave_up", "gave up after 3 days: HTTP 503", "dead"), "за отведённое время: CRM отвечает 503"),
        (delivery("", "", "held"), "пока вы не решите"),
    ],
)
def test_the_reason_is_told_in_plain_words(owed: SimpleNamespace, text: str) -> None:
    assert text in why(owed, words("ru")).text


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("8 (916) 123-45-67", "+79161234567"),
        ("+7 916 1234567", "+79161234567"),
        ("9161234567", "+79161234567"),
        ("45-67", ""),
        ("ivan@example.ru", ""),
        ("01a211e4-2d32-7721-9cdf-8420a15dfdfd", ""),
        ("", ""),
    ],
)
def test_a_phone_is_recognised_in_the_search_box(text: str, phone: str) -> None:
    assert find_phone(text, "RU") == phone


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/leads?q=a", "/leads?q=a"),
        ("", "/"),
        ("leads", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\..\\b", "/"),
        ("https://evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("/x//evil.example", "/x//evil.example"),
    ],
)
def test_only_paths_of_ours_are_gone_to(target: str, path: str) -> None:
    assert safe_next(target) == path


def test_only_a_trusted_proxy_is_believed() -> None:
    import ipaddress

    trusted = [ipaddress.ip_network("10.0.0.0/8")]
    told = {"host": "inside:8080", "x-forwarded-for": "6.6.6.6, 203.0.113.5", "x-forwarded-proto": "https"}
    believed = visitor_of("10.0.0.1", "http", told, trusted)
    assert (believed.ip, believed.https, believed.local) == ("203.0.113.5", True, False)
    stranger = visitor_of("203.0.113.9", "http", told, trusted)
    assert (stranger.ip, stranger.https) == ("203.0.113.9", False)
