"""Two CRMs that know part of the same people: contacts, firms and sales by a seeded generator, put in directly."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from connectors.sandbox.hubspot import HubSpotSandbox
from leads.clock import Clock
from tests.connectors.records.amocrm_scene import ENTITY, item_of
from tests.connectors.records.bitrix24_scene import fields_of
from tests.connectors.records.hubspot_scene import TYPE, properties_of

FIRST = ("Анна", "Борис", "Вера", "Глеб", "Дарья", "Егор", "Жанна", "Захар", "Ирина", "Кирилл", "Лидия")
LAST = ("Орлова", "Белов", "Громова", "Зайцев", "Иванова", "Климов", "Лапина", "Мухин", "Носова")
POSITIONS = ("", "директор", "бухгалтер", "менеджер", "инженер")
SHARED = 0.3
SEED = 20_261_125


@dataclass(frozen=True, slots=True)
class Size:
    """Records of each side."""

    contacts: int = 20_000
    companies: int = 5_000
    deals: int = 8_000

    def part(self, share: float) -> "Size":
        return Size(*(max(10, round(many * share)) for many in (self.contacts, self.companies, self.deals)))

    @property
    def total(self) -> int:
        return self.contacts + self.companies + self.deals


@dataclass(slots=True)
class Filled:
    """A sandbox that people's records are put into without its HTTP; ids are texts."""

    box: Any
    put: Callable[[str, dict[str, Any]], str]
    edit: Callable[[str, str, dict[str, Any]], None]
    connect: Callable[[str, str, str, str], None]

    def fill(self, size: Size, *, second: bool) -> None:
        """The second side begins where the first's last SHARED of each kind begin."""
        companies = {
            number: self.put("company", {"name": f"ООО Фирма {number}", "phones": (_phone(3, number),)})
            for number in _numbers(size.companies, second=second)
        }
        contacts = {number: self._contact(number, second=second) for number in _numbers(size.contacts, second=second)}
        for number, id in contacts.items():
            if (company := companies.get(number * size.companies // size.contacts)) is not None:
                self.connect("contact", id, "company", company)
        for number in _numbers(size.deals, second=second):
            chance = random.Random(f"{SEED} deal {number}")
            deal = self.put("deal", {"title": f"Договор {number}", "price": str(chance.randrange(1, 900) * 500)})
            if (contact := contacts.get(number * size.contacts // size.deals)) is not None:
                self.connect("deal", deal, "contact", contact)

    def _contact(self, number: int, *, second: bool) -> str:
        chance = random.Random(f"{SEED} contact {number}")
        values: dict[str, Any] = {
            "first_name": chance.choice(FIRST),
            "last_name": chance.choice(LAST),
            "phones": (_phone(9, number),),
            "emails": (f"person.{number}@example.ru",),
        }
        position = chance.choice(POSITIONS)
        if position and not second:  # of those whom both know, the other side does not know this
            values["position"] = position
        return self.put("contact", values)


def _numbers(many: int, *, second: bool) -> range:
    start = many - round(SHARED * many) if second else 0
    return range(start, start + many)


def _phone(first: int, number: int) -> str:
    return f"+7{first}{number:09d}"


def amocrm(clock: Clock) -> Filled:
    box = AmocrmSandbox(clock, filters=True)
    return Filled(
        box,
        lambda about, values: box.put(ENTITY[about], item_of(values)),  # type: ignore[index]  # an object's name
        lambda about, id, values: box.edit(ENTITY[about], id, item_of(values)),  # type: ignore[index]
        lambda about, id, to, to_id: box.connect(ENTITY[about], id, ENTITY[to], to_id),  # type: ignore[index]
    )


def bitrix24(clock: Clock) -> Filled:
    box = Bitrix24Sandbox(clock)

    def fields(values: dict[str, Any]) -> dict[str, Any]:
        given = dict(values)
        position = given.pop("position", "")
        return fields_of(given) | ({"POST": position} if position else {})

    return Filled(
        box,
        lambda about, values: box.crm.save(about, fields(values)),
        lambda about, id, values: box.crm.change(about, id, fields(values), pipeline_too=True),
        lambda about, id, to, to_id: box.crm.links.join(about, id, to, to_id),
    )


def hubspot(clock: Clock) -> Filled:
    box = HubSpotSandbox(clock, search_lag_s=5.0)
    records = box.records

    def properties(about: str, values: dict[str, Any]) -> dict[str, str]:
        given = dict(values)
        position = given.pop("position", "")
        stage = {"dealstage": "appointmentscheduled", "pipeline": "default"} if about == "deal" else {}
        return {**stage, **properties_of(given), **({"jobtitle": position} if position else {})}

    return Filled(
        box,
        lambda about, values: str(records.create(TYPE[about], properties(about, values), [])["id"]),
        lambda about, id, values: _updated(records, TYPE[about], id, properties_of(values)),
        lambda about, id, to, to_id: records.link(TYPE[about], id, TYPE[to], to_id),
    )


def _updated(records: Any, type_: str, id: str, properties: dict[str, str]) -> None:
    records.update(type_, records.get(type_, id), properties)


SIDES: dict[str, Callable[[Clock], Filled]] = {"amocrm": amocrm, "bitrix24": bitrix24, "hubspot": hubspot}
