"""The state of the machine and of what the hub needs, in plain words, each with what to do."""

import asyncio
import contextlib
import os
import shutil
import socket
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

import httpx
from sqlalchemy import Connection, func, select, text

from connectors.base import Opening
from connectors.errors import ConnectorError
from connectors.registry import CONNECTORS
from jobs.alerts.opening import open_channels
from jobs.config.loading import Settings
from jobs.intake.spooled import spooled_leads
from jobs.live_check import NoTokens
from jobs.opening import opened, opening_of
from jobs.reports import owners
from jobs.secret import FILE, secret_keys
from jobs.trouble import Say, trouble
from leads.clock import Clock
from store import admin
from store.db import Database, InlineDatabase, StoreUnavailable
from store.inbox import backlog
from store.lateness import of_nobody
from store.sealed_by import SealedBy, sealed_by
from store.sealing import Sealer
from store.tables import t_lead

LITTLE_BYTES = 1_000_000_000
VERY_LITTLE_BYTES = 200_000_000
CLOCK_OFF_S = 30.0
FEW_FILES = 1024
ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class Found:
    """One look. `advice` says what to do about a warning or a problem."""

    name: str
    state: Literal["ok", "warning", "problem"]
    text: str
    advice: str = ""


async def examine(settings: Settings, clock: Clock, say: Say) -> AsyncIterator[Found]:
    """One look after the other; none of them changes anything, and none waits for long."""
    for look in (_config, _keys, _files, _disk, _spool):
        for found in look(settings, say):
            yield found
    db = None
    try:
        async with asyncio.timeout(ANSWER_S * 3):
            db = _open(settings)
            async for found in _database(settings, db, clock, say):
                yield found
    except (StoreUnavailable, TimeoutError) as error:
        advice = say(
            "hub.database in the configuration; until then leads go to the spool",
            "hub.database в конфигурации; пока лиды копятся в файле",
        )
        yield Found("database", "problem", say(f"not reachable: {error}", f"недоступна: {error}"), advice)
    yield await _port(settings, say)
    async for found in _connections(settings, db, clock, say):
        yield found
    async for found in _channels(settings, clock, say):
        yield found
    if db is not None:
        with contextlib.suppress(StoreUnavailable):  # told above
            for found in _sealed(settings, await db.read(sealed_by), say):
                yield found
    if db is not None:
        await db.close()


def _config(settings: Settings, say: Say) -> list[Found]:
    counts = f"{len(settings.connections)} / {len(settings.sources)} / {len(settings.routes)}"
    fine = say(
        f"{settings.file} is right: connections / sources / routes {counts}",
        f"{settings.file} в порядке: подключения / источники / маршруты {counts}",
    )
    warnings = [Found("config", "warning", problem.render().splitlines()[0]) for problem in settings.warnings]
    return [Found("config", "ok", fine), *warnings]


def _keys(settings: Settings, say: Say) -> list[Found]:
    found = []
    for path in (settings.base_dir / ".env", settings.base_dir / FILE):
        if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            told = say(
                f"others on this machine can read {path}", f"{path} могут читать другие пользователи этой машины"
            )
            found.append(Found("secrets", "warning", told, f"chmod 600 {path}"))
    if not settings.hub.secret_key and (settings.base_dir / FILE).exists():
        told = say(
            f"the secret key is in {settings.base_dir / FILE}: it belongs into the backup",
            f"секретный ключ в {settings.base_dir / FILE}: он нужен в резервной копии",
        )
        found.append(Found("secrets", "ok", told))
    return found


def _sealed(settings: Settings, stored: dict[str, SealedBy], say: Say) -> list[Found]:
    """Over a change of keys: refused requests that cannot be opened, and whether the old key may go."""
    made = settings.hub.secret_key or (settings.base_dir / FILE).exists()
    newest, *older = Sealer(secret_keys(settings)).key_ids if made else ("",)
    found = []
    lost = sum(one.requests for key, one in stored.items() if key not in (newest, *older))
    if lost:
        told = say(
            f"{lost} refused requests cannot be opened: the key that sealed them is not in hub.secret_key",
            f"отклонённых запросов не открыть: {lost}; ключа, которым они зашифрованы, нет в hub.secret_key",
        )
        advice = say("put it at the end of the list and restart", "верните его в конец списка и перезапустите")
        found.append(Found("secrets", "warning", told, advice))
    needed = [stored[key] for key in older if key in stored]
    names = [name for one in needed for name in one.connections]
    until = max((one.until for one in needed if one.until), default=None)
    if names:
        told = say(
            f"the old key still holds the token of {', '.join(names)}",
            f"старым ключом ещё зашифрован токен: {', '.join(names)}",
        )
        advice = say("leave it in hub.secret_key", "оставьте его в hub.secret_key")
        found.append(Found("secrets", "warning", told, advice))
    elif until is not None:
        day = f"{until.astimezone(settings.hub.zone):%d.%m %H:%M}"
        told = say(
            f"the old key is needed until {day}, by refused requests that may be run again",
            f"старый ключ нужен до {day}: им зашифрованы отклонённые запросы, которые можно запустить снова",
        )
        found.append(Found("secrets", "ok", told))
    elif older:
        told = say("nothing needs the old key in hub.secret_key", "старый ключ в hub.secret_key больше не нужен")
        found.append(Found("secrets", "ok", told))
    return found


def _files(settings: Settings, say: Say) -> list[Found]:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FEW_FILES:
        return []
    told = say(f"at most {soft} files and connections at once", f"не больше {soft} файлов и соединений сразу")
    return [Found("limits", "warning", told, "ulimit -n 65536, LimitNOFILE= (systemd)")]


def _disk(settings: Settings, say: Say) -> list[Found]:
    folders = {_existing(settings.hub.spool_dir)}
    if (file := admin.sqlite_path(settings.database_url)) is not None:
        folders.add(_existing(file.parent))
    found = []
    for device, folder in sorted({os.stat(one).st_dev: one for one in folders}.items()):
        assert device is not None
        free = shutil.disk_usage(folder).free
        told = say(f"{_size(free)} free for {folder}", f"{_size(free)} свободно для {folder}")
        state: Literal["ok", "warning", "problem"] = "ok"
        if free < LITTLE_BYTES:
            state = "problem" if free < VERY_LITTLE_BYTES else "warning"
        advice = (
            say("make room: a full disk stops intake", "освободите место: с полным диском лиды не принять")
            if state != "ok"
            else ""
        )
        found.append(Found("disk", state, told, advice))
    return found


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _spool(settings: Settings, say: Say) -> list[Found]:
    folder = settings.hub.spool_dir
    if not os.access(_existing(folder), os.W_OK):
        told = say(f"{folder} cannot be written", f"нет прав на запись в {folder}")
        return [
            Found(
                "spool",
                "problem",
                told,
                say("leads need it while the database is away", "он нужен лидам, пока база недоступна"),
            )
        ]
    waiting = spooled_leads(folder)
    if not waiting:
        return [Found("spool", "ok", say("empty", "пуст"))]
    since = min(one.received_at for one in waiting).astimezone(settings.hub.zone)
    told = say(
        f"{len(waiting)} leads wait in {folder} since {since:%d.%m %H:%M}",
        f"{len(waiting)} лидов ждут в {folder} с {since:%d.%m %H:%M}",
    )
    return [
        Found(
            "spool",
            "warning",
            told,
            say(
                "a running hub takes them in once the database works",
                "работающий хаб примет их, как только заработает база",
            ),
        )
    ]


def _open(settings: Settings) -> Database | None:
    file = admin.sqlite_path(settings.database_url)
    return None if file is not None and not file.exists() else InlineDatabase(settings.database_url)


async def _database(settings: Settings, db: Database | None, clock: Clock, say: Say) -> AsyncIterator[Found]:
    make = "leadhub serve, leadhub db upgrade"
    if db is None:
        yield Found("database", "warning", say("there is none yet", "ещё не создана"), make)
        return
    schema = await db.read(admin.current_revision)
    if schema != admin.HEAD:
        told = say(f"schema {schema}, this leadhub wants {admin.HEAD}", f"схема {schema}, нужна {admin.HEAD}")
        yield Found("database", "problem", told, make)
        return
    kind = "SQLite" if db.is_sqlite else "PostgreSQL"
    leads, size = await db.read(
        lambda conn: (conn.execute(select(func.count()).select_from(t_lead)).scalar_one(), _bytes(conn))
    )
    yield Found("database", "ok", say(f"{kind}, {leads} leads, {_size(size)}", f"{kind}, лидов {leads}, {_size(size)}"))
    now = clock.now()
    events = await db.read(backlog)
    if events.failed:
        told = say(
            f"{events.failed} accepted cannot be worked on: {events.error}",
            f"не удаётся обработать принятые: {events.failed}; {events.error}",
        )
        advice = say(
            "they are stored and tried again; update leadhub, or see `leadhub sources stuck`",
            "они сохранены и пробуются снова; обновите leadhub или посмотрите `leadhub sources stuck`",
        )
        yield Found("events", "problem", told, advice)
    owned = await db.read(owners, now)
    idle = [name for name in settings.connections if not owned.get(name)]
    if idle:
        told = say(f"nobody works on: {', '.join(idle)}", f"никто не занимается: {', '.join(idle)}")
        yield Found("worker", "warning", told, "leadhub serve")
    for name, (count, _) in (await db.read(of_nobody, settings.connections)).items():
        told = say(
            f"{count} leads wait for {name}, which is not in config.yaml any more",
            f"лидов ждут {name}: {count}, но этого подключения больше нет в config.yaml",
        )
        advice = say(
            "put it back under this name and restart, or `leadhub leads discard ID --why TEXT`",
            "верните его под этим именем и перезапустите или `leadhub leads discard ID --why TEXT`",
        )
        yield Found("worker", "problem", told, advice)
    if settings.connections and not idle:
        yield Found("worker", "ok", say("each connection has its worker", "у каждого подключения есть исполнитель"))


def _bytes(conn: Connection) -> int:
    if conn.dialect.name == "postgresql":
        return int(conn.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    pages = conn.execute(text("PRAGMA page_count")).scalar_one()
    return int(pages) * int(conn.execute(text("PRAGMA page_size")).scalar_one())


async def _port(settings: Settings, say: Say) -> Found:
    host, port = settings.hub.address
    asked = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host  # noqa: S104  # asked, not bound
    url = f"http://{f'[{asked}]' if ':' in asked else asked}:{port}"
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            answer = await client.get(f"{url}/healthz")
        if answer.is_success:
            return Found("hub", "ok", say(f"runs at {url}", f"работает: {url}"))
        other = True
    except httpx.ConnectError:
        other = False
    except httpx.HTTPError:
        other = True
    if other or _taken(host, port):
        told = say(f"another program answers at {url}", f"по адресу {url} отвечает другая программа")
        return Found(
            "hub", "problem", told, say("stop it, or change hub.listen", "остановите её или смените hub.listen")
        )
    return Found(
        "hub", "warning", say(f"does not run ({url} is free)", f"не запущен ({url} свободен)"), "leadhub serve"
    )


def _taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
        except OSError:
            return True
    return False


async def _connections(settings: Settings, db: Database | None, clock: Clock, say: Say) -> AsyncIterator[Found]:
    for name, configured in settings.connections.items():
        title = f'{CONNECTORS[configured.type].title} "{name}"'
        oauth = getattr(configured.settings, "oauth", None) is not None
        if oauth and db is None:
            yield Found(title, "warning", say("not signed in yet", "вход ещё не выполнен"), f"leadhub auth {name}")
            continue
        opening = Opening(name, configured.settings, clock, NoTokens())
        if oauth and db is not None:
            opening = opening_of(settings, name, db, clock)
        started = clock.monotonic()
        try:
            async with asyncio.timeout(ANSWER_S * 2), opened(configured.type, opening) as target:
                await target.ping()
        except (ConnectorError, TimeoutError) as error:
            sign_in = f"leadhub auth {name}" if oauth else ""
            yield Found(title, "problem", *trouble(error, settings.hub.locale, sign_in=sign_in))
        else:
            took = round((clock.monotonic() - started) * 1000)
            yield Found(title, "ok", say(f"answers in {took} ms", f"отвечает за {took} мс"))
            async for found in _clock(configured.settings, clock, say):
                yield found


async def _clock(settings: object, clock: Clock, say: Say) -> AsyncIterator[Found]:
    """Our clock against the Date of the vendor's server."""
    webhook = getattr(settings, "webhook_url", None)
    address = webhook.get_secret_value().partition("/rest/")[0] if webhook else str(getattr(settings, "base_url", ""))
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            answer = await client.head(address)
        theirs = parsedate_to_datetime(answer.headers["date"])
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError):
        return
    now = clock.now()
    apart = abs((now - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))).total_seconds())
    if apart > CLOCK_OFF_S:
        told = say(
            f"differs from the CRM's by {apart:.0f} s: it is {now:%H:%M:%S} UTC here",
            f"расходятся с CRM на {apart:.0f} с: здесь {now:%H:%M:%S} UTC",
        )
        yield Found("clock", "warning", told, "timedatectl set-ntp true")


async def _channels(settings: Settings, clock: Clock, say: Say) -> AsyncIterator[Found]:
    states = open_channels(settings, clock, lambda _vendor: None)
    if not states:
        told = say(
            "no channel: nobody hears when leads do not arrive", "нет канала: никто не узнает, что лиды не доходят"
        )
        yield Found("alerts", "warning", told, "alerts.channels")
    for state in states:
        try:
            async with asyncio.timeout(ANSWER_S * 2):
                await state.channel.ping()
        except (ConnectorError, TimeoutError) as error:
            told = trouble(error, settings.hub.locale, who=state.name).text
            yield Found(f"alerts {state.name}", "problem", told, f"leadhub alerts test {state.name}")
        else:
            yield Found(f"alerts {state.name}", "ok", say("reachable", "доступен"))
        await state.channel.close()
