"""Leads as no form should send them: strategies for property tests."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from leads.records import CLICK_KEYS, FLAGS, UTM_KEYS, Lead, Touch
from mappings.load import load_mapping, parse_mapping
from mappings.views import Assigned, Facts, Hub, Known, Named, Repeat

NASTY = st.sampled_from(
    (
        *("", " ", "\n", "{{ lead.name }}", "{% if %}", "<b>", "\x00", "\ud800", "%s", "٣", "1" * 30, "-0", "1e999999"),
        *("NaN", "ё" * 300, "null", "'", '"', "\\", "\u202e", "1.2.3,4", "+", "a" * 30_000),
    )
)
TEXT = NASTY | st.text(max_size=30)
PHONE = st.text(st.sampled_from("0123456789"), min_size=5, max_size=15).map("+{}".format) | TEXT
TIME = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))
TOUCH = st.builds(
    Touch,
    at=TIME,
    source=TEXT,
    utm=st.dictionaries(st.sampled_from(UTM_KEYS), TEXT),
    click_ids=st.dictionaries(st.sampled_from(CLICK_KEYS), TEXT),
    referrer=TEXT,
    landing_page=TEXT,
    channel=st.sampled_from(["", "ad", "organic", "direct", "referral", "new-channel"]),
)
LEAD = st.builds(
    Lead,
    id=st.text(min_size=1, max_size=5),
    source=TEXT,
    received_at=TIME,
    name=TEXT,
    phones=st.lists(PHONE, max_size=3).map(tuple),
    emails=st.lists(TEXT, max_size=3).map(tuple),
    messengers=st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
    company=TEXT,
    comment=TEXT,
    form=TEXT,
    page_url=TEXT,
    referrer=TEXT,
    utm=st.dictionaries(st.sampled_from(UTM_KEYS) | TEXT, TEXT, max_size=6),
    click_ids=st.dictionaries(st.sampled_from(CLICK_KEYS), TEXT),
    extra=st.dictionaries(TEXT | st.sampled_from(["amount", "city", "date"]), TEXT, max_size=6),
    flags=st.lists(st.sampled_from([*FLAGS, "?"]), max_size=3).map(tuple),
)
FACTS = st.builds(
    Facts,
    lead=LEAD,
    now=TIME,
    hub=st.builds(
        Hub,
        locale=st.sampled_from(["ru", "en", "de", ""]),
        timezone=st.sampled_from(["UTC", "Europe/Moscow", "Asia/Kathmandu", "America/St_Johns"]),
        public_url=st.sampled_from(["", "https://hub.example.com", "https://hub.example.com/"]),
    ),
    source=st.builds(Named, TEXT, TEXT, TEXT),
    first_touch=st.none() | TOUCH,
    last_touch=st.none() | TOUCH,
    person=st.builds(Known, TEXT, TEXT),
    assigned=st.builds(Assigned, TEXT, TEXT, TEXT),
    repeat=st.builds(Repeat, st.integers(0, 200), st.integers(0, 400)),
    due_at=st.none() | TIME,
)

PRESETS = [
    load_mapping(name, locale=locale)
    for name in ("amocrm-leads", "bitrix24-leads", "hubspot-leads")
    for locale in ("ru", "en")
]
EVERYTHING = parse_mapping(
    b"""
deal:
  title: "{{ lead.name | translit | title | truncate(10) }}"
  price: "{{ lead.extra.amount or lead.comment }}"
  stage: "{{ lead.form }}"
  tags: ["{{ lead.utm | lines }}", "{{ lead.phones }}", "{{ lead.extra }}"]
  fields:
    a: "{{ lead.extra.amount | number }}"
    b: "{{ (lead.extra.amount | number) / (lead.comment | number) }}"
    c: "{{ lead.extra.date | date('%d.%m.%Y') }}"
    d: "{{ lead.comment | split(lead.name) | join(lead.form) }}"
    e: "{{ lead.comment | replace(lead.name, lead.form) }}"
    f: "{{ lead.phones | phone }}"
    g: {value: "{{ lead.comment | money(lead.form) }}", when: "lead.name > lead.form", default: "{{ lead.flags }}"}
    h: "{{ lead.received_at }}"
    i: "{{ lead.comment * 2 }}"
    j: "{{ lead.extra }}"
    k: "{{ lead.comment < 3 }}"
    l: "{{ lead.comment | number | plural('a', 'b', 'c') }} {{ lead.page_url | page }}"
    m: "{{ last_touch | channel }} {{ lead.form | channel }}"
    n: "{{ lead.comment | number * 1000000000000 * (lead.extra.amount | number) }}"
    o: "{{ lead.comment | number % 7 }}"
    p: "{{ (lead.comment | number) // (lead.extra.amount | number(1)) }}"
""",
    "m.yaml",
)
