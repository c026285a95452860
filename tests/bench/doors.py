"""What a door costs: parsing plus signature of each, and mixed events of twenty doors at a real hub."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, urlencode

from connectors import samples
from connectors.doors import DoorSettings, Inbound
from connectors.registry import SOURCES, sample_of
from tests.bench import machine, processes, servers
from tests.bench.forms import phone_of
from tests.bench.machine import Watched
from tests.bench.scale import Scale
from tests.bench.table import Row, at_most, percentile
from tests.support.all_doors import BY_REQUEST, KEYS, MORE, settings_of

AIM_DOOR_MS, AIM_ACCEPTED_MS = 1.0, 50.0
RATE = 200
WARM_S = 1.5
"""In which every door is asked for the first time, and its code loaded."""
ROUND_S, ROUNDS = 0.02, 7
"""A door is timed in rounds, of which the middle one counts: others use this machine too."""
MIXED = (
    *("webform", "tilda", "generic", "typeform", "tally", "elementor", "google-ads", "shopify", "woocommerce"),
    *("stripe", "mango", "zadarma", "twilio", "uis", "sipuni", "megafon", "telegram", "whatsapp", "vk", "calltouch"),
)


def measure(folder: Path, scale: Scale, postgres_uri: str) -> list[Row]:
    times = {name: door_ms(name, scale) for name in BY_REQUEST}
    slowest = max(times, key=times.__getitem__)
    return [
        at_most(f"parsing and signature, slowest of {len(times)} doors ({slowest})", times[slowest], 1, "ms", digits=3),
        *(Row(f"  {name}", f"{ms:.3f} ms") for name, ms in sorted(times.items(), key=lambda one: -one[1])),
        *_mixed(folder / "sqlite", scale, "SQLite", f"sqlite:///{folder / 'sqlite' / 'leadhub.db'}"),
        *_mixed(folder / "postgres", scale, "PostgreSQL", servers.new_database(postgres_uri)),
    ]


def _mixed(folder: Path, scale: Scale, title: str, database: str) -> list[Row]:
    folder.mkdir()
    result, watched = mixed(folder, scale, database)
    events = result["latencies_ms"]
    what = f"mixed events of {len(MIXED)} doors at {RATE}/s, {title}, accepted, p99"
    return [
        at_most(what, percentile(events, 0.99), AIM_ACCEPTED_MS, "ms", digits=1),
        watched.row(watched.undisturbed_ms(result), AIM_ACCEPTED_MS),
        Row("  p50", f"{percentile(events, 0.5):.1f} ms"),
    ]


# --- one door ----------------------------------------------------------------------------------------------------


def door_ms(name: str, scale: Scale) -> float:
    """Milliseconds for its sample, with every proof that the door knows, in this process."""
    door, settings = SOURCES[name], settings_of(name)
    request = sample_of(name)(settings, f"https://hub.example.test/in/{name}", datetime.now(UTC))

    def once() -> None:
        door.verify(settings, request)
        door.parse(settings, request, "RU")

    once()
    rounds = ROUNDS if scale.starts > 1 else 1
    return percentile([_round_ms(once) for _ in range(rounds)], 0.5)


def _round_ms(once: Any) -> float:
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < ROUND_S or count < 3:
        once()
        count += 1
    return took / count * 1000


# --- twenty doors ---------------------------------------------------------------------------------------------------


def mixed(folder: Path, scale: Scale, database: str) -> tuple[dict[str, Any], Watched]:
    """How long each event waited for its answer (as `processes.send_load` tells it), while the CRM is written to as
    fast as its limit allows."""
    sources = ", ".join(f"s-{name}: {json.dumps(_settings(name), ensure_ascii=False)}" for name in MIXED)
    with (
        processes.crm(folder, delay_ms=50) as crm_port,
        processes.hub(folder, database, crm_port=crm_port, sources=sources) as hub,
    ):
        some, many = int(RATE * WARM_S), int(RATE * (scale.steady_s + 1) * 1.3)
        wire = [base64.b64encode(one).decode() for one in requests(hub.port, some * 2 + many)]
        for file, lines in (("warm", wire[: some * 2]), ("measured", wire[some * 2 :])):
            (folder / file).write_text("\n".join(lines))
        processes.send_load(hub.port, rate=RATE, seconds=WARM_S, requests=folder / "warm")
        with machine.watched() as watched:
            result = processes.send_load(hub.port, rate=RATE, seconds=scale.steady_s, requests=folder / "measured")
    if result["bad"] or result["lost"]:
        raise RuntimeError(f"{result['bad']} events were refused, {result['lost']} connections lost")
    return result, watched


def _settings(name: str) -> dict[str, Any]:
    own = {key: value for key, value in KEYS.get(name, {}).items() if value != ""}
    return {"type": name, "url_token": f"tok-{name}-1", **own, **MORE.get(name, {})}


def requests(port: int, count: int) -> Iterator[bytes]:
    """Signed requests of all doors in turn, each of a new person, as bytes on the wire."""
    base = f"http://127.0.0.1:{port}"
    began = datetime.now(UTC)
    made_for = {name: settings_of(name) for name in MIXED}
    for number in range(count):
        name = MIXED[number % len(MIXED)]
        yield _wire(f"s-{name}", port, _sample(name, made_for[name], base, began, number))


def _sample(name: str, settings: DoorSettings, base: str, began: datetime, number: int) -> Inbound:
    """Samples are all of one invented person; here each is of another, or one person's lane would be measured."""
    own = {"PHONE": phone_of(number), "EMAIL": f"person.{number}@example.com", "USER_ID": number + 1}
    for module in (samples, import_module(sample_of(name).__module__)):
        for constant, value in own.items():
            _set(module, constant, value)
    token = settings.url_token.get_secret_value() if settings.url_token else ""
    address = f"{base}/in/s-{name}/{quote(token, safe='')}"
    return sample_of(name)(settings, address, began + timedelta(milliseconds=number))


def _set(module: ModuleType, name: str, value: object) -> None:
    if hasattr(module, name):
        setattr(module, name, value)


def _wire(source: str, port: int, request: Inbound) -> bytes:
    tail = "".join(f"/{quote(part, safe='')}" for part in request.path_tail.split("/") if part)
    query = f"?{urlencode(request.query)}" if request.query else ""
    headers = {"host": f"127.0.0.1:{port}", **request.headers, "content-length": str(len(request.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{request.method} /in/{source}{tail}{query} HTTP/1.1\r\n{lines}\r\n".encode() + request.body
