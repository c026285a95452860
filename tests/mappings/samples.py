"""Invented enquiries that the tests of mappings share."""

from dataclasses import replace
from datetime import UTC, datetime

from leads.records import Lead, Touch
from mappings.views import Assigned, Facts, Hub, Named, Repeat

NOW = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)  # 14:02 in Moscow
AD = Touch(
    at=NOW,
    source="site",
    utm={
        "utm_source": "yandex",
        "utm_medium": "cpc",
        "utm_campaign": "окна_весна",
        "utm_content": "",
        "utm_term": "купить окна",
    },
    click_ids={"yclid": "123456"},
    landing_page="https://example.ru/okna?utm_source=yandex",
    channel="ad",
)
ORGANIC = Touch(
    at=datetime(2026, 11, 2, 22, 30, tzinfo=UTC),  # already 3 November in Moscow
    source="site",
    referrer="https://www.google.com/",
    channel="organic",
)
LEAD = Lead(
    id="0199f0a0-0000-7000-8000-000000000001",
    source="site",
    received_at=NOW,
    name="Иван",
    phones=("+79161234567",),
    emails=("ivan@example.ru",),
    comment="Нужны 3 окна, дом кирпичный, этаж 5",
    form="Расчёт окон",
    page_url="https://example.ru/okna/raschet/?utm_source=yandex#form",
    utm=dict(AD.utm),
    click_ids=dict(AD.click_ids),
    extra={"Этаж": "5", "amount": "12 500,50 ₽", "empty": " "},
    touch=AD,
)
FACTS = Facts(
    lead=LEAD,
    now=NOW,
    hub=Hub("ru", "Europe/Moscow", "https://hub.example.com"),
    source=Named("site", "webform", "Сайт"),
    connection=Named("sales", "amocrm", "Продажи"),
    route="site-to-sales",
    first_touch=ORGANIC,
    last_touch=AD,
    assigned=Assigned("101", "Анна Петрова", "очередь «Окна», по кругу"),
)
REPEATED = replace(FACTS, repeat=Repeat(2, 30))
BARE = Facts(lead=Lead(id="x", source="site", received_at=NOW), now=NOW)
