"""Where a phone is from."""

import subprocess
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import timezone

from leads.regions import NOWHERE, Place, in_region, place_of
from leads.russia_areas import AREAS


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("+74951234567", Place("RU", "Москва", "Moscow", "Europe/Moscow")),
        ("+78121234567", Place("RU", "Санкт-Петербург", "Saint Petersburg", "Europe/Moscow")),
        ("+73431234567", Place("RU", "Свердловская область", "Sverdlovsk Oblast", "Asia/Yekaterinburg")),
        ("+74012123456", Place("RU", "Калининградская область", "Kaliningrad Oblast", "Europe/Kaliningrad")),
        ("+79161234567", Place("RU")),
        ("+78005553535", Place("RU")),
        ("+77011234567", Place("KZ", timezone="Asia/Almaty")),
        ("+4930123456", Place("DE", timezone="Europe/Berlin")),
        ("+12125550123", Place("US", timezone="America/New_York")),
        ("", NOWHERE),
        ("nonsense", NOWHERE),
        ("+999123456789", NOWHERE),
    ],
)
def test_the_place_of_a_phone(phone: str, expected: Place) -> None:
    assert place_of(phone) == expected


THEIRS_IS_OLD = {"845"}  # Saratov moved to UTC+4 in 2016


@pytest.mark.parametrize("code", [code for code in AREAS if code not in THEIRS_IS_OLD])
def test_the_clock_of_every_area_agrees_with_the_tables_of_phonenumbers(code: str) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)  # in winter: Kaliningrad is there as Bucharest
    theirs = timezone.time_zones_for_geographical_number(phonenumbers.parse(f"+7{code}2123456"))
    ours = now.astimezone(ZoneInfo(AREAS[code].timezone)).utcoffset()
    assert ours in {now.astimezone(ZoneInfo(name)).utcoffset() for name in theirs}


@pytest.mark.parametrize(
    ("phone", "name", "expected"),
    [
        ("+78432123456", "Татарстан", True),
        ("+78432123456", "Республика Татарстан", True),
        ("+78432123456", "tatarstan", True),
        ("+74962123456", "Московская обл.", True),
        ("+74962123456", "Москва", False),
        ("+74962123456", "Moscow", False),
        ("+74962123456", "Moscow Oblast", True),
        ("+74951234567", "г. Москва", True),
        ("+74951234567", "Moscow", True),
        ("+74951234567", "Московская область", False),
        ("+73852123456", "Республика Алтай", False),
        ("+73882123456", "Республика Алтай", True),
        ("+73882123456", "altai krai", False),
        ("+78121234567", "СПб", True),
        ("+74112123456", "Якутия", True),
        ("+79161234567", "Москва", False),
        ("+74951234567", "", False),
        ("+74951234567", "область", False),
    ],
)
def test_a_region_is_known_by_the_names_people_use(phone: str, name: str, expected: bool) -> None:
    assert in_region(place_of(phone), name) is expected


@given(st.text(max_size=20))
def test_any_text_has_a_place_or_none(text: str) -> None:
    assert place_of(text).country in ("", place_of(text).country)
    assert not in_region(NOWHERE, text)


def test_the_geocoder_of_147_megabytes_is_never_loaded() -> None:
    code = (
        "import sys; from leads.regions import place_of; place_of('+4930123456'); place_of('+74951234567');"
        "sys.exit('phonenumbers.geodata' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
