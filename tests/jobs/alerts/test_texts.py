"""Alerts as people read them, in Russian and English."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import (
    CANNOT_OPEN,
    NO_SUCH_HOST,
    NOT_TRUSTED,
    AuthError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    UnknownOutcomeError,
)
from connectors.notify import Button
from connectors.sandbox.telegram_html import parse_html
from jobs.alerts.causes import CODES, cause_of, code_of
from jobs.alerts.digest_text import DayDigest, digest_observation, digest_text
from jobs.alerts.parts import cause_text
from jobs.alerts.texts import bundle, render
from jobs.alerts.words import Style, catalog
from jobs.fallback_text import fallback_notice
from leads.incidents import KINDS, Incident, Observation, acknowledge, observe, resolve
from leads.records import Lead, Touch

MOSCOW = ZoneInfo("Europe/Moscow")
RU_STYLE, EN_STYLE = Style("ru", MOSCOW), Style("en", MOSCOW)
STYLES = {"ru": RU_STYLE, "en": EN_STYLE}
OPENED = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
NOW = OPENED + timedelta(minutes=6, seconds=20)
SALES = {"vendor": "amoCRM", "title": "Продажи"}


def incident(kind: str, cause: str = "", count: int = 0, connection: str = "sales", **data: Any) -> Incident:
    oldest = OPENED if count else None
    return observe(None, Observation(kind, connection, cause, count, oldest, {**SALES, **data}), OPENED, "i1")


def text(one: Incident, style: Style, now: datetime = NOW) -> str:
    """As it is read, checked on the way with the strictness of Telegram."""
    return parse_html(render(one, style, now).html)[0]


def test_a_connection_that_is_down() -> None:
    down = incident("connection_down", "http_503", 12, retry_s=30)
    assert text(down, RU_STYLE) == (
        "🔴 amoCRM «Продажи» не принимает лиды\n"
        "С 14:02 · ждут 12 лидов, старший 6 мин\n"
        "Причина: CRM отвечает 503 (их сторона). Пробую каждые 30 с, лиды сохранены.\n"
        "Делать ничего не нужно, лиды дойдут сами. Позвонить, не дожидаясь: leadhub leads list"
    )
    assert text(down, EN_STYLE) == (
        '🔴 amoCRM "Продажи" does not accept leads\n'
        "Since 14:02 · 12 leads waiting, the oldest 6 min\n"
        "Cause: the CRM answers 503 (their side). Retrying every 30 s, the leads are safe.\n"
        "Nothing to do, the leads will arrive by themselves. To call without waiting: leadhub leads list"
    )


def test_its_recovery() -> None:
    ended = OPENED + timedelta(minutes=29)
    last = (ended + timedelta(seconds=20)).isoformat()
    over = resolve(incident("connection_down", "http_503"), ended, {"delivered": 57, "last_at": last})
    assert text(over, RU_STYLE, ended) == (
        "🟢 amoCRM «Продажи» снова принимает\n"
        "Не работала 14:02–14:31. Дошли все 57 лидов, последний в 14:31:20. Потерь нет."
    )
    assert text(over, EN_STYLE, ended) == (
        '🟢 amoCRM "Продажи" accepts leads again\n'
        "It was down 14:02–14:31. All 57 leads arrived, the last at 14:31:20. Nothing is lost."
    )
    waiting = resolve(incident("connection_down"), ended, {"waiting": 57})
    assert text(waiting, RU_STYLE, ended).endswith("Не работала 14:02–14:31. 57 ждавших лидов уже идут.")


@pytest.mark.parametrize(
    ("count", "ru", "en"),
    [
        (0, "С 14:02 · ждущих лидов нет", "Since 14:02 · no leads waiting"),
        (1, "С 14:02 · ждёт 1 лид, уже 6 мин", "Since 14:02 · 1 lead waiting, for 6 min"),
        (2, "С 14:02 · ждут 2 лида, старший 6 мин", "Since 14:02 · 2 leads waiting, the oldest 6 min"),
        (5, "С 14:02 · ждут 5 лидов, старший 6 мин", "Since 14:02 · 5 leads waiting, the oldest 6 min"),
        (21, "С 14:02 · ждёт 21 лид, старший 6 мин", "Since 14:02 · 21 leads waiting, the oldest 6 min"),
        (1250, "С 14:02 · ждут 1\u00a0250 лидов, старший 6 мин", "Since 14:02 · 1,250 leads waiting, the oldest 6 min"),
    ],
)
def test_counted_things_agree_with_their_number(count: int, ru: str, en: str) -> None:
    down = incident("connection_down", "http_503", count)
    assert text(down, RU_STYLE).split("\n")[1] == ru
    assert text(down, EN_STYLE).split("\n")[1] == en


@pytest.mark.parametrize(
    ("count", "ru", "en"),
    [
        (1, "🔴 1 лид не дошёл: amoCRM «Продажи»", '🔴 1 lead did not arrive: amoCRM "Продажи"'),
        (2, "🔴 2 лида не дошли: amoCRM «Продажи»", '🔴 2 leads did not arrive: amoCRM "Продажи"'),
        (5, "🔴 5 лидов не дошли: amoCRM «Продажи»", '🔴 5 leads did not arrive: amoCRM "Продажи"'),
        (21, "🔴 21 лид не дошёл: amoCRM «Продажи»", '🔴 21 leads did not arrive: amoCRM "Продажи"'),
    ],
)
def test_failed_leads_are_counted_in_the_headline(count: int, ru: str, en: str) -> None:
    failed = incident("lead_failed", "field:Бюджет", count)
    assert text(failed, RU_STYLE).split("\n")[0] == ru
    assert text(failed, EN_STYLE).split("\n")[0] == en


def test_a_failed_lead_says_why_and_what_to_do_and_names_nobody() -> None:
    error = "create deal: HTTP 400: Ivan ivan@example.ru +7 916 123-45-67 is not valid"
    people = [{"name": "Иван", "phone": "+7 916 123-45-67", "received_at": OPENED.isoformat()}]
    failed = incident("lead_failed", error, 1, leads=people)
    shown = text(failed, RU_STYLE)
    assert "Причина: CRM не приняла данные." in shown
    assert "Ответ CRM: create deal: HTTP 400" in shown
    assert shown.endswith("Исправьте причину и повторите: leadhub leads retry --all-failed")
    for private in ("Иван", "123-45-67", "ivan@example.ru"):
        assert private not in shown


def test_names_and_phones_stand_there_only_where_config_allows() -> None:
    people = [
        {"name": f"Иван {number}", "phone": "+7 916 123-45-67", "received_at": OPENED.isoformat()}
        for number in range(7)
    ]
    style = Style("ru", MOSCOW, personal=True)
    lines = text(incident("lead_late", "timeout", 9, leads=people), style).split("\n")
    assert lines[2] == "Иван 0, +7 916 123-45-67, 14:02"
    assert lines[7] == "и ещё 4"


def test_a_revoked_token() -> None:
    refused = incident("token_refused", "token", 3, connection="b24", vendor="Bitrix24", title="Сервис")
    assert text(refused, RU_STYLE) == (
        "🔴 Токен Bitrix24 «Сервис» отозван\nС 14:02 · ждут 3 лида, старший 6 мин.\nНужен новый вход: leadhub auth b24"
    )
    style = Style("ru", MOSCOW, "https://hub.example.com/")
    linked = incident("token_refused", "token", 3, connection="b24", path="/connections/b24")
    assert text(linked, style).endswith("Нужен новый вход: https://hub.example.com/connections/b24")
    by_hand = incident("token_refused", "token", oauth=False)
    assert "Выпустите в CRM новый токен" in text(by_hand, RU_STYLE)
    assert "не хватает прав" in text(incident("token_refused", "rights"), RU_STYLE)
    assert "не хватает прав" in text(incident("token_refused", "ping: HTTP 403: no rights for this"), RU_STYLE)
    unpaid = text(incident("token_refused", "ping: HTTP 402: the account is not paid"), RU_STYLE)
    lost = text(incident("token_refused", f"token: {CANNOT_OPEN}", 3, connection="b24"), RU_STYLE)
    assert ("не открыть" in lost, "Верните старый ключ" in lost, "leadhub auth b24" in lost) == (True, True, True)
    assert ("аккаунт не оплачен" in unpaid, "Оплатите" in unpaid) == (True, True)


def test_a_deleted_field() -> None:
    removed = incident("field_removed", "removed:Источник", 8, mapping="mappings/amocrm-leads.yaml:18")
    assert text(removed, RU_STYLE) == (
        "🟡 В amoCRM «Продажи» удалено поле «Источник»\n"
        "С 14:02 · 8 лидов доставлены без него, поле дописано в примечание\n"
        "Где: mappings/amocrm-leads.yaml:18.\n"
        "Верните поле или уберите строку из маппинга, тогда leadhub допишет эти лиды. Лиды: leadhub leads list"
    )
    refused = incident("field_removed", "refused:Budget", 1)
    assert text(refused, EN_STYLE).startswith('🟡 amoCRM "Продажи" refuses the field "Budget"')
    unknown = incident("field_removed", "field:Бюджет", 1)
    assert text(unknown, RU_STYLE).startswith("🟡 amoCRM «Продажи»: не записывается поле «Бюджет»")
    over = resolve(removed, NOW, {"done": 8})
    assert text(over, RU_STYLE) == (
        "🟢 amoCRM «Продажи»: поле «Источник» снова в порядке\n14:02–14:08. Дописано 8 лидов."
    )


def test_a_silent_form() -> None:
    last = (NOW - timedelta(hours=3)).isoformat()
    silent = incident("source_silent", connection="calc", title="Калькулятор", last_at=last, per_hour=4)
    assert text(silent, RU_STYLE) == (
        "🟡 «Калькулятор» молчит 3 ч\nОбычно в это время 4 заявки в час. Последняя в 11:08.\nПроверьте сайт и форму."
    )


def test_a_silent_line() -> None:
    last = (NOW - timedelta(hours=3)).isoformat()
    silent = incident("source_silent", connection="ats", title="АТС", last_at=last, per_hour=21, group="telephony")
    assert text(silent, RU_STYLE) == (
        "🟡 «АТС» молчит 3 ч\nОбычно в это время 21 звонок в час. Последний в 11:08.\n"
        "Позвоните на номер сами и проверьте вебхук в АТС: leadhub sources"
    )


ADS = {"vendor": "Meta Lead Ads", "title": "Реклама"}


def test_enquiries_that_could_not_be_read_yet_say_what_the_settings_lack() -> None:
    why = "no page_token in the settings of source fb"
    late = incident("errand_late", why, 3, connection="fb", **ADS)
    assert text(late, RU_STYLE) == (
        "🔴 3 обращения ещё не прочитаны: «Реклама» (Meta Lead Ads)\n"
        "Старшее ждёт 6 мин, с 14:02. Причина: в настройках источника нет page_token.\n"
        "Номера сохранены, сами обращения лежат у источника. Добавьте page_token в config.yaml (sources.fb) и "
        "перезапустите leadhub. Список: leadhub errands list"
    )
    assert "Cause: there is no page_token in the settings of the source." in text(late, EN_STYLE)
    assert text(resolve(late, NOW), RU_STYLE).startswith("🟢 «Реклама» (Meta Lead Ads): всё, что ждало, прочитано")


def test_a_vendor_that_is_down_is_named_as_the_cause() -> None:
    late = incident("errand_late", "meta.lead: HTTP 503: overloaded", 1, connection="fb", **ADS)
    assert "Причина: Meta Lead Ads отвечает 503 (их сторона)." in text(late, RU_STYLE)


def test_enquiries_that_were_given_up_say_the_answer_and_how_to_retry() -> None:
    failed = incident("errand_failed", "meta.lead: HTTP 400: no such object", 1, connection="fb", **ADS)
    assert text(failed, RU_STYLE) == (
        "🔴 1 обращение не удалось прочитать: «Реклама» (Meta Lead Ads)\n"
        "С 14:02.\n"
        "Ответ: meta.lead: HTTP 400: no such object\n"
        "Сам повторять не буду. Номера обращений: leadhub errands list. Исправьте причину и повторите: "
        "leadhub errands retry --all-failed"
    )


def test_what_was_recovered_is_counted_with_why_it_matters() -> None:
    since = (OPENED - timedelta(hours=1)).isoformat()
    found = incident("source_recovered", "x", 3, "ats", what="call", since=since, until=OPENED.isoformat(), title="АТС")
    assert text(found, RU_STYLE).splitlines()[0] == "🟢 Восстановлены 3 звонка: «АТС» (amoCRM)"
    payments = incident("source_recovered", "x", 1, "ats", what="payment", title="АТС")
    assert text(payments, RU_STYLE).splitlines()[0] == "🟢 Восстановлена 1 оплата: «АТС» (amoCRM)"
    assert "нашлись при сверке со списком у источника, 13:02–14:02" in text(found, RU_STYLE)


@pytest.mark.parametrize(
    ("kind", "ru", "over"),
    [
        ("spam_held", "🟡 2 заявки похожи на спам и отложены", "🟢 Отложенные заявки просмотрены"),
        ("source_unrouted", "🔴 Есть лиды, для которых нет маршрута", "🟢 Лидов без маршрута больше нет"),
    ],
)
def test_trouble_of_all_sources_together_names_none(kind: str, ru: str, over: str) -> None:
    one = observe(None, Observation(kind, count=2), OPENED, "i1")
    assert text(one, RU_STYLE).split("\n")[0] == ru
    assert text(resolve(one, NOW), RU_STYLE).split("\n")[0] == over
    assert '""' not in text(one, EN_STYLE) + text(resolve(one, NOW), EN_STYLE)


CAUSED = {"field_removed": "removed:Бюджет", "storage_trouble": "disk_low:2 GB", "lead_failed": "validation"}


@pytest.mark.parametrize("locale", ["ru", "en"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_a_headline_and_ends_with_what_to_do(kind: str, locale: str) -> None:
    html = {"html": {"ru": "Вчера\n2 обращения", "en": "Yesterday\n2 enquiries"}} if kind == "owner_digest" else {}
    one = incident(kind, CAUSED.get(kind, "http_503"), 2, down_from=(OPENED - timedelta(minutes=3)).isoformat(), **html)
    lines = text(one, STYLES[locale]).split("\n")
    assert len(lines) >= 2
    assert all(line == line.strip() and "{" not in line and "  " not in line for line in lines)
    over = text(resolve(one, NOW, {"delivered": 2}), STYLES[locale])
    assert KINDS[kind].level == "info" or over.startswith("🟢")


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_a_name_that_looks_like_html_is_only_a_name(locale: str) -> None:
    odd = incident("field_removed", "removed:<b>&", 2, title='<a href="x">&"', mapping="a<b>.yaml")
    assert '<a href="x">&"' in text(odd, STYLES[locale])


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=40), st.text(max_size=40), st.integers(0, 10**7))
def test_whatever_the_cause_says_telegram_can_read_it(kind: str, cause: str, name: str, count: int) -> None:
    for style in STYLES.values():
        one = incident(kind, cause, count, connection=name, title=name, field=name, detail=cause)
        assert text(one, style).strip()
        assert text(resolve(one, NOW), style).strip()


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    russian, english = catalog("ru"), catalog("en")
    assert set(russian) == set(english)

    def values(entry: Any) -> set[str]:
        forms = entry.values() if isinstance(entry, dict) else [entry]
        return {name for form in forms for _, name, _, _ in Formatter().parse(form) if name}

    differing = {key for key in russian if values(russian[key]) != values(english[key])}
    assert differing == set()


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_plural_forms_are_those_that_the_language_has(locale: str) -> None:
    known = set(Locale.parse(locale).plural_form.tags) | {"other"}
    for key, entry in catalog(locale).items():
        if isinstance(entry, dict):
            assert "other" in entry, key
            assert set(entry) <= known, key


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_every_cause_has_words(locale: str) -> None:
    worded = CODES - {"removed", "refused", "mandatory"}  # these stand in the headline
    for code in [*sorted(worded), "http_500", "http_504"]:
        shown = cause_text(f"{code}:X" if code in ("field", "mapping", "disk_low") else code, STYLES[locale])
        assert shown
        assert shown != code
        assert "_" not in shown


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AuthError("no", "x", 401), "token"),
        (AuthError("no", "x", 403), "rights"),
        (RateLimitedError("no", "x", 429), "rate_limited"),
        (RateLimitedError("blocked as a flood", "x", 403), "flood"),
        (PermanentError("no", "x", 400, fields=("Бюджет",)), "field:Бюджет"),
        (PermanentError("no", "x", 404, gone=True), "gone"),
        (PermanentError("no", "x", 400), "validation"),
        (UnknownOutcomeError("the answer cannot be read", "x", 502), "http_502"),
        (UnknownOutcomeError("the answer cannot be read", "x", 200), "unreadable"),
        (RetryableError("ConnectTimeout", "x"), "timeout"),
        (UnknownOutcomeError("ReadError", "x"), "network"),
        (UnknownOutcomeError("no answer in time", "batch"), "timeout"),
        (RetryableError(NO_SUCH_HOST, "x"), "no_host"),
        (RetryableError(NOT_TRUSTED, "x"), "untrusted"),
        (AuthError("no", "x", 402), "unpaid"),
        (RateLimitedError("QUERY_LIMIT_EXCEEDED", "batch", 503), "rate_limited"),
        (RateLimitedError("OPERATION_TIME_LIMIT", "crm.deal.add", 429), "rate_limited"),
        (RateLimitedError("the portal is blocked as a flood (OVERLOAD_LIMIT)", "batch", 503), "flood"),
        (AuthError(CANNOT_OPEN, "token"), "sealed"),
    ],
)
def test_an_error_and_its_text_lead_to_the_same_cause(error: Any, code: str) -> None:
    assert cause_of(error) == code
    if code not in ("gone", "validation", "field:Бюджет"):
        assert code_of(str(error)) == code
    assert code_of(code) == code


@pytest.mark.parametrize(
    ("seconds", "ru", "en"),
    [
        (0, "0 с", "0 s"),
        (59.9, "59 с", "59 s"),
        (60, "1 мин", "1 min"),
        (1740, "29 мин", "29 min"),
        (3600, "1 ч", "1 h"),
        (12000, "3 ч 20 мин", "3 h 20 min"),
        (47 * 3600, "47 ч", "47 h"),
        (2 * 86400, "2 дня", "2 days"),
        (5 * 86400, "5 дней", "5 days"),
        (21 * 86400, "21 день", "21 days"),
        (-5, "0 с", "0 s"),
    ],
)
def test_durations(seconds: float, ru: str, en: str) -> None:
    assert (RU_STYLE.duration(seconds), EN_STYLE.duration(seconds)) == (ru, en)


def test_times_are_of_the_readers_zone_and_name_another_day() -> None:
    late = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)
    assert RU_STYLE.time(late, NOW) == "00:30"
    assert RU_STYLE.time(late - timedelta(hours=1), NOW) == "23.11 23:30"
    assert EN_STYLE.time(late - timedelta(hours=1), NOW, seconds=True) == "23 Nov 23:30:00"


def test_buttons_lead_only_where_telegram_lets_them_and_act_only_where_asked() -> None:
    down = incident("connection_down", count=1)
    assert render(down, RU_STYLE, NOW).buttons == ()
    for local in ("http://localhost:8080", "http://127.0.0.1:8080", "http://hub:8080"):
        assert render(down, Style("ru", public_url=local), NOW).buttons == ()
    style = Style("ru", public_url="https://hub.example.com/", actions=True)
    show, mute, take = render(down, style, NOW).buttons
    assert show == Button("Показать", url="https://hub.example.com/")
    assert (mute.text, take.text) == ("Заглушить на 1 ч", "Взять на себя")
    taken = render(acknowledge(down, "Анна", NOW), style, NOW)
    assert [button.text for button in taken.buttons] == ["Показать", "Заглушить на 1 ч"]
    assert taken.html.endswith("Занимается: Анна")
    assert len(render(resolve(down, NOW), style, NOW).buttons) == 1


def test_many_at_once_are_one_list_of_headlines() -> None:
    notices = [render(incident("lead_late", count=n), RU_STYLE, NOW) for n in range(1, 13)]
    lines = parse_html(bundle(notices, RU_STYLE).html)[0].split("\n")
    assert lines[0] == "🔴 Сразу 12 событий"
    assert lines[1] == "🔴 1 лид ещё не дошёл: amoCRM «Продажи»"
    assert lines[11:] == ["и ещё 2", "Всё сохранено. Полный список: leadhub status"]


def test_a_hub_that_was_restarted_again_tells_of_the_last_time_it_was_away() -> None:
    later = OPENED + timedelta(minutes=1)
    away = {"down_from": later.isoformat(), "up_at": (later + timedelta(minutes=2)).isoformat()}
    lines = parse_html(render(incident("hub_restarted", "", 2, **away), RU_STYLE, NOW).html)[0].split("\n")
    first, last = RU_STYLE.time(later, NOW), RU_STYLE.time(later + timedelta(minutes=2), NOW)
    assert lines[1] == f"Не работал {first}–{last}."


def test_a_note_that_cannot_be_written_is_not_told_of_as_a_field() -> None:
    missing = incident("field_removed", "field:note", 3, field="note")
    assert text(missing, RU_STYLE) == (
        "🟡 amoCRM «Продажи»: у 3 сделок нет примечания\n"
        "С 14:02. CRM их не принимает, сами сделки на месте. Пробую дальше."
    )
    over = resolve(incident("field_removed", "field:task", 1, field="task"), NOW, {"done": 1})
    assert text(over, EN_STYLE).startswith('🟢 amoCRM "Продажи": all call tasks are made')


def test_good_news_alone_are_not_told_under_a_red_sign() -> None:
    over = [render(resolve(incident("connection_down"), NOW), RU_STYLE, NOW) for _ in range(3)]
    assert bundle(over, RU_STYLE).headline == "<b>🟢 Сразу 3 события</b>"
    mixed = [*over, render(incident("lead_late", count=1), RU_STYLE, NOW)]
    assert bundle(mixed, RU_STYLE).headline == "<b>🔴 Сразу 4 события</b>"


# --- the daily digest -------------------------------------------------------------------------

DAY = DayDigest(
    day=date(2026, 11, 24),
    accepted=143,
    delivered=143,
    not_arrived=0,
    within_5s=142,
    slowest_s=1740,
    slowest_why="amoCRM не отвечала",
    repeats=2,
    recovered=((3, "Mango"),),
    conflicts=1,
    no_source=4,
    no_source_form="Калькулятор",
    no_source_of_form=4,
)


def test_the_owners_day() -> None:
    assert digest_text(DAY, date(2026, 11, 25), RU_STYLE) == (
        "Вчера, вторник 24 ноября\n"
        "143 обращения → 143 в CRM. Не дошло: 0.\n"
        "Быстрее 5 с: 142 · самое долгое: 29 мин (amoCRM не отвечала)\n"
        "2 повторных, 3 звонка восстановлены из статистики Mango, 1 ждёт решения о дубле\n"
        "Без источника: 4 (все с формы «Калькулятор»)"
    )
    assert digest_text(DAY, date(2026, 11, 25), EN_STYLE) == (
        "Yesterday, Tuesday 24 November\n"
        "143 enquiries → 143 in the CRM. Not arrived: 0.\n"
        "Within 5 s: 142 · the longest: 29 min (amoCRM не отвечала)\n"
        "2 repeats, 3 calls recovered from the statistics of Mango, 1 waits for a decision about a duplicate\n"
        'Without a source: 4 (all from the form "Калькулятор")'
    )


def test_a_day_with_losses_says_where_they_are_and_a_quiet_one_is_short() -> None:
    bad = DayDigest(day=date(2026, 11, 24), accepted=5, delivered=3, not_arrived=2, within_5s=3)
    lines = digest_text(bad, date(2026, 11, 26), RU_STYLE).split("\n")
    assert lines == [
        "вторник 24 ноября",
        "5 обращений → 3 в CRM. Не дошло: 2, вот они: <code>leadhub status --day 2026-11-24</code>",
        "Быстрее 5 с: 3",
    ]
    quiet = DayDigest(day=date(2026, 11, 24), accepted=0, delivered=0, not_arrived=0)
    assert digest_text(quiet, date(2026, 11, 25), RU_STYLE) == "Вчера, вторник 24 ноября\nОбращений не было."


def test_the_digest_is_an_incident_of_its_day_in_the_language_of_the_channel() -> None:
    seen = digest_observation(DAY, date(2026, 11, 25), STYLES)
    one = observe(None, seen, NOW, "i9")
    assert one.key == "owner_digest:2026-11-24"
    assert text(one, RU_STYLE).startswith("Вчера, вторник")
    assert text(one, EN_STYLE).startswith("Yesterday, Tuesday")


# --- the second way out -----------------------------------------------------------------------

LEAD = Lead(
    id="0192",
    source="site",
    received_at=OPENED,
    name="Иван <Петров>",
    phones=("+79161234567", "+74951112233"),
    emails=("ivan@example.ru",),
    messengers=(("telegram", "5210001"),),
    comment="Нужны 3 окна & дверь",
    form="Расчёт окон",
    page_url="https://example.ru/okna/raschet",
    extra={"Этаж": "5"},
    touch=Touch(at=OPENED, utm={"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "окна_весна"}),
)


def test_the_fallback_has_what_a_seller_needs_to_call() -> None:
    notice = fallback_notice(LEAD, "amoCRM «Продажи»", "http_503", Style("ru", MOSCOW, "https://hub.example.com"), NOW)
    assert parse_html(notice.html)[0] == (
        "🟠 Заявка ещё не в CRM, позвоните сами\n"
        "«Расчёт окон», 14:02\n"
        "Иван <Петров>\n"
        "Телефон: +7 916 123-45-67\n"
        "Телефон: +7 495 111-22-33\n"
        "Почта: ivan@example.ru\n"
        "telegram: 5210001\n"
        "Нужны 3 окна & дверь\n"
        "Этаж: 5\n"
        "Пришёл: Яндекс.Директ, кампания «окна_весна»\n"
        "Страница: https://example.ru/okna/raschet\n"
        "amoCRM «Продажи»: CRM отвечает 503 (их сторона). "
        "В CRM заявка появится, когда та ответит; второй раз сюда она не придёт."
    )
    assert notice.buttons == (Button("Показать заявку", url="https://hub.example.com/leads/0192"),)


def test_the_fallback_of_a_bare_lead_is_short_and_of_a_long_one_fits_a_message() -> None:
    bare = Lead(id="1", source="site", received_at=OPENED)
    assert len(fallback_notice(bare, "hs", "", EN_STYLE, NOW).html.split("\n")) == 3
    extra = {f"Поле {number}": "ы" * 5000 for number in range(30)}
    long = Lead(id="1", source="site", received_at=OPENED, comment="я" * 20000, extra=extra, page_url="p" * 3000)
    assert len(fallback_notice(long, "hs", "", RU_STYLE, NOW).html) <= 4096
    assert not re.search(r"я{1501}", fallback_notice(long, "hs", "", RU_STYLE, NOW).html)


def test_a_message_of_which_nobody_knows_whether_it_reached_the_client() -> None:
    about: dict[str, Any] = {"vendor": "Telegram", "title": "Бот", "ids": ["m1"], "path": "/leads/l1"}
    lost = incident("reply_failed", "telegram.send: ReadError", 1, "tg", **about, unknown=1)
    assert text(lost, RU_STYLE) == (
        "🔴 «Бот» (Telegram): дошло ли 1 сообщение до клиента, неизвестно\n"
        "С 14:02. Причина: нет связи с Telegram (их сторона или сеть).\n"
        "Сам второй раз не отправлю, чтобы клиент не получил одно и то же дважды.\n"
        "Посмотрите в мессенджере. Отправить ещё раз: leadhub conversations retry m1; "
        "не отправлять: leadhub conversations discard m1"
    )
    public = Style("en", MOSCOW, public_url="https://hub.example.com")
    assert text(lost, public).splitlines() == [
        '🔴 "Бот" (Telegram): whether 1 message reached the client is not known',
        "Since 14:02. Cause: Telegram cannot be reached (their side or the network).",
        "I do not send it a second time by myself: the client would have it twice.",
        "Look into the messenger and decide whether to send it again: https://hub.example.com/leads/l1",
    ]


def test_messages_that_failed_beside_some_of_which_it_is_not_known() -> None:
    two = incident("reply_failed", "http_503", 2, "tg", vendor="Telegram", ids=["m1"], unknown=1)
    assert text(two, RU_STYLE).splitlines()[:3] == [
        "🔴 «Продажи» (Telegram): 2 сообщения клиентам не отправлены",
        "С 14:02. Причина: Telegram отвечает 503 (их сторона).",
        "Про 1 из них неизвестно, дошло ли: сам второй раз не отправлю.",
    ]


@pytest.mark.parametrize(
    ("said", "ru"),
    [
        ("would change 12 of 12 paired records, more than 30 %", "изменил бы слишком много пар: 12/12 > 30 %"),
        ("would touch 620 records, more than 500", "затронул бы слишком много записей: 620 > 500"),
        ("would remove 12 records, more than 10", "удалил бы слишком много записей: 12 > 10"),
        (
            'amoCRM "sales" cannot archive by its API; deletions: tag would work',
            'по API этого нельзя (amoCRM "sales": archive)',
        ),
        (
            "changed on the other side since they agreed",
            "её изменили с тех пор, как стороны были равны",
        ),
    ],
)
def test_what_a_sync_says_is_told_in_the_readers_language(said: str, ru: str) -> None:
    assert unescape(cause_text(said, STYLES["ru"])) == ru
