"""A minute of realistic traffic: who writes what, when, through which door; and what became of it."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import httpx
from sqlalchemy import Connection

from jobs.config.loading import Settings
from leads.clock import Clock
from store import reading

PER_S = 2.0
"""Leads per second: what the smallest CRM account takes, with something to spare for the outage."""
OUTAGE_FROM, OUTAGE_TO = 0.4, 0.65
"""Shares of the time between which one CRM is down: 15 s of a minute."""
AGAIN_S = 1.0
GIVES_UP_S = 120.0


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    phone: str
    email: str
    russian: bool


@dataclass(frozen=True, slots=True)
class Submission:
    """One request. `uid`: the event's id; the same one twice is the sender repeating itself."""

    at_s: float
    source: str
    form: Mapping[str, str]
    uid: str


class Door(Protocol):
    """One way in. Further doors (calls, chats) make submissions of their own."""

    def submission(self, rng: random.Random, person: Person, at_s: float, *, again: bool) -> Submission: ...


RUSSIAN = (
    ("Иван Петров", "Анна Кузнецова", "Олег Сидоров", "Мария Лебедева", "Павел Орлов", "Елена Соколова"),
    ("Нужны три окна, дом кирпичный, этаж 5", "Сколько стоит остекление балкона?", "Перезвоните после 18:00", ""),
    ("Расчёт окон", "Обратный звонок", "Калькулятор"),
    ("Добавлю: ещё балконный блок", "Жду звонка, никто не позвонил", "Можно замер в субботу?"),
)
ENGLISH = (
    ("Emma Clark", "James Walker", "Olivia Turner", "Harry Bennett", "Grace Foster", "Jack Howard"),
    ("Three windows for a brick house", "How much is a balcony?", "Please call after 6 pm", ""),
    ("Window quote", "Call me back", "Calculator"),
    ("One more thing: a balcony door as well", "Nobody called yet", "Could you measure on Saturday?"),
)
VISITS: tuple[dict[str, str], ...] = (
    {"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "окна_весна", "utm_term": "купить окна"},
    {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "windows_spring", "gclid": "demo-gclid"},
    {"utm_source": "newsletter", "utm_medium": "email"},
    {"referrer": "https://www.google.com/"},
    {"referrer": "https://yandex.ru/"},
    {},
)


@dataclass(frozen=True, slots=True)
class Form:
    """A web form of one source."""

    source: str

    def submission(self, rng: random.Random, person: Person, at_s: float, *, again: bool) -> Submission:
        _, comments, forms, more = RUSSIAN if person.russian else ENGLISH
        form = {
            "name": person.name,
            "phone": person.phone,
            "comment": rng.choice(more if again else comments),
            "form": rng.choice(forms),
            "page_url": "https://example.ru/okna" if person.russian else "https://example.com/windows",
            **rng.choice(VISITS),
        }
        if rng.random() < 0.4:
            form["email"] = person.email
        uid = f"demo-{UUID(int=rng.getrandbits(128))}"
        return Submission(at_s, self.source, {key: value for key, value in form.items() if value}, uid)


def people(rng: random.Random, count: int) -> list[Person]:
    """Invented ones, each with a phone and an e-mail of its own."""
    found = []
    for number in range(count):
        russian = rng.random() < 0.6
        name = rng.choice((RUSSIAN if russian else ENGLISH)[0])
        digits = f"{rng.randrange(10**7):07d}"
        phone = f"8 (999) {digits[:3]}-{digits[3:5]}-{digits[5:]}" if russian else f"+44 7700 9{digits[:5]}"
        found.append(Person(name, phone, f"demo{number}.{digits}@example.{'ru' if russian else 'com'}", russian))
    return found


def plan(rng: random.Random, doors: Sequence[Door], seconds: float, *, per_s: float = PER_S) -> list[Submission]:
    """In the order of sending. About one in six writes again, one in twenty requests is sent twice."""
    count = max(3, round(seconds * per_s))
    crowd = people(rng, max(2, round(count * 0.85)))
    found: list[Submission] = []
    for number in range(count):
        at_s = seconds * (number + rng.random()) / count
        again = number >= len(crowd)
        person = rng.choice(crowd[: number // 2]) if again else crowd[number]
        one = rng.choice(doors).submission(rng, person, at_s, again=again)
        found.append(one)
        if rng.random() < 0.05:
            found.append(Submission(at_s + 1.0, one.source, one.form, one.uid))
    return sorted(found, key=lambda one: one.at_s)


@dataclass(slots=True)
class Sent:
    """How the sending went. `lead_ids`: distinct ones that the hub accepted."""

    total: int
    answered: int = 0
    repeats: int = 0
    refused: int = 0
    lead_ids: dict[str, None] = field(default_factory=dict)


async def send(client: httpx.AsyncClient, settings: Settings, one: Submission, sent: Sent, clock: Clock) -> None:
    """As a careful sender does: again until there is an answer below 300."""
    key = getattr(settings.sources[one.source].settings, "key", None)
    headers = {"idempotency-key": one.uid, **({"x-leadhub-key": key.get_secret_value()} if key else {})}
    give_up = clock.monotonic() + GIVES_UP_S
    while clock.monotonic() < give_up:
        try:
            answer = await client.post(f"/in/{one.source}", data=dict(one.form), headers=headers)
        except httpx.HTTPError:
            await clock.sleep(AGAIN_S)
            continue
        if answer.status_code < 300:
            told = answer.json()
            sent.answered += 1
            sent.repeats += told.get("status") == "duplicate"
            sent.lead_ids[str(told["lead_id"])] = None
            return
        if answer.status_code < 500:
            break
        await clock.sleep(AGAIN_S)
    sent.refused += 1


async def send_all(
    client: httpx.AsyncClient, settings: Settings, submissions: Sequence[Submission], sent: Sent, clock: Clock
) -> None:
    started = clock.monotonic()
    async with asyncio.TaskGroup() as group:
        for one in submissions:
            await clock.sleep(max(0.0, one.at_s - (clock.monotonic() - started)))
            group.create_task(send(client, settings, one, sent, clock))


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of the leads so far. `slowest_s`: receipt to the CRM's record, of those that arrived."""

    accepted: int
    stored: int
    delivered: int
    pending: int
    failed: int
    joined: int
    seconds: tuple[float, ...]
    by_connection: Mapping[str, int]

    @property
    def slowest_s(self) -> float | None:
        return max(self.seconds, default=None)

    @property
    def median_s(self) -> float | None:
        return sorted(self.seconds)[len(self.seconds) // 2] if self.seconds else None


def arrived(conn: Connection, lead_ids: Sequence[str]) -> Arrived:
    leads = reading.leads_by_id(conn, lead_ids)
    deliveries: list[Any] = [one for many in reading.deliveries_of(conn, lead_ids).values() for one in many]
    done = [one for one in deliveries if one.state == "delivered"]
    by_connection: dict[str, int] = {}
    for one in done:
        by_connection[one.connection] = by_connection.get(one.connection, 0) + 1
    statuses = [lead.status for lead in leads.values()]
    return Arrived(
        accepted=len(lead_ids),
        stored=len(leads),
        delivered=statuses.count("delivered"),
        pending=statuses.count("pending"),
        failed=statuses.count("failed"),
        joined=sum(one.outcome == "joined" for one in done),
        seconds=tuple((one.settled_at - leads[one.lead_id].received_at).total_seconds() for one in done),
        by_connection=by_connection,
    )


@dataclass(slots=True)
class Outage:
    """Takes one vendor of the sandbox down and brings it back."""

    client: httpx.AsyncClient
    vendor: str
    down: bool = False

    async def begin(self) -> None:
        answer = await self.client.post("/_sandbox/faults", json={"vendor": self.vendor, "kind": "503"})
        answer.raise_for_status()
        self.down = True

    async def end(self) -> None:
        if self.down:
            await self.client.delete("/_sandbox/faults", params={"vendor": self.vendor})
            self.down = False

    async def run(self, seconds: float, clock: Clock) -> None:
        """Down in the middle of `seconds`."""
        await clock.sleep(seconds * OUTAGE_FROM)
        await self.begin()
        try:
            await clock.sleep(seconds * (OUTAGE_TO - OUTAGE_FROM))
        finally:
            await self.end()
