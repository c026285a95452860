"""Where a phone is from: country, region, time zone.

The geocoder of `phonenumbers` would name towns all over the world, for 147 MB and 4.6 s of a standing
program at its first use (measured, version 9.0.43): more than the whole hub. Regions come from our own table
of Russian area codes; countries and time zones from the small tables of `phonenumbers`, loaded when first asked.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

from leads.phones import country
from leads.russia_areas import AREAS


@dataclass(frozen=True, slots=True)
class Place:
    """`country` is an ISO code, `timezone` an IANA name; each is "" where the number does not tell."""

    country: str = ""
    region_ru: str = ""
    region_en: str = ""
    timezone: str = ""

    def region(self, locale: str) -> str:
        return self.region_ru if locale.startswith("ru") else self.region_en


NOWHERE = Place()


@lru_cache(4_096)
def place_of(phone: str) -> Place:
    """The place of an E.164 number. A Russian mobile tells its country only; "" and nonsense tell nothing."""
    if not phone.startswith("+"):
        return NOWHERE
    iso = country(phone)
    if iso == "RU":
        area = AREAS.get(phone[2:5])
        return Place("RU", *area) if area else Place("RU")
    if iso == "KZ":
        return Place("KZ", timezone="Asia/Almaty")  # one zone since March 2024
    return Place(iso, timezone=_timezone(phone)) if iso else NOWHERE


def _timezone(phone: str) -> str:
    """Its zone, if there is but one: a mobile of a wide country could be anywhere."""
    from phonenumbers import timezone  # here, not above: its table is of no use to who only has +7

    try:
        zones = timezone.time_zones_for_number(phonenumbers.parse(phone))
    except phonenumbers.NumberParseException:
        return ""
    return zones[0] if len(zones) == 1 and zones[0] != "Etc/Unknown" else ""


_KINDS = re.compile(
    r"\b(?:область|обл|край|республика|респ|город|г|ао|автономн\w+ (?:округ|область)|"
    r"oblast|krai|republic|city|region|autonomous okrug)\b"
)
_MARKS = re.compile(r"[\W_]+")
_ALIASES = {
    "спб": "санкт петербург",
    "петербург": "санкт петербург",
    "питер": "санкт петербург",
    "мск": "москва",
    "хмао": "ханты мансийский",
    "хмао югра": "ханты мансийский",
    "янао": "ямало ненецкий",
    "якутия": "саха якутия",
}
_TWO_REGIONS = frozenset(("moscow", "altai"))
"""Bare English names that two regions share: there the whole name decides."""


def _plain_region(name: str) -> str:
    return " ".join(_MARKS.sub(" ", _KINDS.sub(" ", name.casefold().replace("ё", "е"))).split())


@lru_cache(2_048)
def _same_region(own: str, name: str) -> bool:
    if own.casefold() == name.strip().casefold():
        return True
    wanted = _plain_region(name)
    return _plain_region(own) == _ALIASES.get(wanted, wanted) and bool(wanted) and wanted not in _TWO_REGIONS


def in_region(place: Place, name: str) -> bool:
    """Whether `place` is in the region that a person calls `name`: `Татарстан`, `Московская обл.`, `Tyumen Oblast`."""
    return bool(place.region_ru) and (_same_region(place.region_ru, name) or _same_region(place.region_en, name))
