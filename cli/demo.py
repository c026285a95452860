"""`leadhub demo`: a minute of traffic through a hub, watched live, and what arrived."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.frame import CannotRun, ConfigOption, config_path, load_settings, not_fine, say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cli.words import Words
    from jobs.audit import DayAudit
    from jobs.config.loading import Settings
    from jobs.demo import Arrived, Sent
    from store.db import Database

START_S, STOP_S = 90.0, 20.0
SETTLES_S = 120.0
"""So long after the last request everything must have arrived."""
LOOK_S = 0.5
PLAIN_EVERY_S = 5.0


def register(app: typer.Typer) -> None:
    @app.command()
    def demo(
        seconds: Annotated[float, typer.Option(min=2, max=3600, help="How long requests are sent.")] = 60.0,
        config: ConfigOption = None,
    ) -> None:
        """Send realistic traffic through the running hub, or a temporary one, with a CRM outage in the middle."""
        settings = load_settings(config) if config_path(config).exists() else None
        with _tidy_when_killed():
            if settings is not None and _usable(settings):
                fine = _run(settings, seconds, "running")
            else:
                with _temporary_hub() as own:
                    fine = _run(own, seconds, "temporary")
        if not fine:
            raise not_fine()


@contextlib.contextmanager
def _tidy_when_killed() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does: the outage is over and the temporary hub is gone."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# --- which hub -------------------------------------------------------------------------------------


def _usable(settings: "Settings") -> bool:
    """A hub on this configuration runs, and whatever it delivers goes to its sandbox: never to a real CRM."""
    if settings.sandbox is None or not _form_sources(settings):
        return False
    sandbox = _base(settings.sandbox.address)
    if not all(_address(one.settings).startswith(sandbox) for one in settings.connections.values()):
        return False
    return (
        _answers(f"{_base(settings.hub.address)}/healthz")
        and _answers(f"{sandbox}/_sandbox/state")
        and _owned(settings)
    )


def _form_sources(settings: "Settings") -> list[str]:
    return [
        name
        for name, one in settings.sources.items()
        if one.type == "webform" and getattr(one.settings, "url_token", None) is None
    ]


def _address(settings: Any) -> str:
    webhook = getattr(settings, "webhook_url", None)
    return webhook.get_secret_value() if webhook is not None else str(getattr(settings, "base_url", ""))


def _base(address: tuple[str, int]) -> str:
    host, port = address
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104  # asked, not bound


def _answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _owned(settings: "Settings") -> bool:
    """What answers at our port works on our database."""
    from cli.opened import with_database
    from jobs.reports import owners
    from leads.clock import SystemClock

    now = SystemClock().now()

    async def work(db: "Database") -> bool:
        return any((await db.read(owners, now)).values())

    try:
        return with_database(settings, work)
    except CannotRun:
        return False


@contextlib.contextmanager
def _temporary_hub() -> "Iterator[Settings]":
    """A hub and sandbox CRMs of its own, on free ports, gone afterwards."""
    from cli.init import starter_file
    from jobs.config.loading import load

    with tempfile.TemporaryDirectory(prefix="leadhub-demo-") as name:
        folder = Path(name)
        text = starter_file("config.yaml").read_text(encoding="utf-8")
        for port in ("8080", "8090"):
            text = text.replace(f":{port}", f":{_free_port()}")
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        settings = load(folder / "config.yaml", {})
        with (folder / "serve.log").open("w+", encoding="utf-8") as log, _served(folder, log) as process:
            _wait(settings, process, log)
            yield settings


@contextlib.contextmanager
def _served(folder: Path, log: Any) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-m", "cli.main", "--config", str(folder / "config.yaml"), "serve"]
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(  # noqa: S603  # ourselves
        command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": path}, start_new_session=True
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(settings: "Settings", process: "subprocess.Popen[bytes]", log: Any) -> None:
    until = time.monotonic() + START_S
    while not _answers(f"{_base(settings.hub.address)}/readyz"):
        if process.poll() is not None or time.monotonic() > until:
            log.seek(0)
            raise CannotRun("the temporary hub did not start", "\n".join(log.read().splitlines()[-10:]))
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# --- the minute --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Minute:
    """What the live view shows."""

    words: "Words"
    seconds: float
    sent: "Sent"
    now: "Arrived | None" = None
    elapsed_s: float = 0.0
    down: str = ""

    def line(self) -> str:
        words, now = self.words, self.now
        parts = [
            f"{min(self.elapsed_s, self.seconds):3.0f}/{self.seconds:.0f} s",
            words(f"accepted {len(self.sent.lead_ids)}", f"принято {len(self.sent.lead_ids)}"),
            words(f"delivered {now.delivered if now else 0}", f"дошло {now.delivered if now else 0}"),
            words(f"waiting {now.pending if now else 0}", f"ждут {now.pending if now else 0}"),
        ]
        if self.down:
            parts.append(words(f"{self.down} IS DOWN", f"{self.down} НЕ РАБОТАЕТ"))
        elif self.elapsed_s > self.seconds:
            parts.append(words("the last ones arrive", "доходят последние"))
        return "   ".join(parts)

    def view(self) -> "RenderableType":
        from rich.columns import Columns
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        bar = ProgressBar(total=self.seconds, completed=min(self.elapsed_s, self.seconds), width=24)
        return Columns([bar, Text(self.line(), style="red" if self.down else "")])


def _run(settings: "Settings", seconds: float, which: str) -> bool:
    """Whether everything that was accepted arrived, once."""
    from cli.opened import with_database
    from cli.words import Words

    words = Words.of(settings)
    hub = _base(settings.hub.address)
    kinds = {
        "running": words("the running hub", "работающий хаб"),
        "temporary": words("a temporary hub", "временный хаб"),
    }
    say(words(f"Forms go to {kinds[which]} at {hub}/", f"Заявки идут в {kinds[which]} {hub}/"))
    if settings.sandbox is not None:
        sandbox = _base(settings.sandbox.address)
        say(words(f"and from there to the sandbox CRMs: {sandbox}/", f"и оттуда в CRM-песочницы: {sandbox}/"))
    fine = with_database(settings, lambda db: _minute(settings, db, words, seconds))
    if which == "running":
        say(words("More: leadhub status, leadhub leads list", "Подробнее: leadhub status, leadhub leads list"))
    return fine


async def _minute(settings: "Settings", db: "Database", words: "Words", seconds: float) -> bool:
    import random

    import httpx

    from jobs import demo
    from jobs.audit import audit
    from leads.clock import SystemClock

    assert settings.sandbox is not None
    clock = SystemClock()
    submissions = demo.plan(random.Random(), [demo.Form(name) for name in _form_sources(settings)], seconds)
    sent = demo.Sent(len(submissions))
    show = _Minute(words, seconds, sent)
    vendors = [one.type for one in settings.connections.values()]
    vendor = "amocrm" if "amocrm" in vendors else vendors[0]
    async with (
        httpx.AsyncClient(base_url=_base(settings.hub.address), timeout=30.0, trust_env=False) as client,
        httpx.AsyncClient(base_url=_base(settings.sandbox.address), timeout=30.0, trust_env=False) as sandbox,
    ):
        outage = demo.Outage(sandbox, vendor)
        watching = asyncio.create_task(_watch(db, show, outage))
        sending = asyncio.gather(demo.send_all(client, settings, submissions, sent, clock), outage.run(seconds, clock))
        try:
            await sending
            await _until_arrived(db, sent)
        finally:
            await outage.end()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    ids = list(sent.lead_ids)
    found = await db.read(demo.arrived, ids)
    say(words("Reading back what the CRMs hold …", "Читаю, что лежит в CRM …"))
    checked = await audit(settings, db, clock, clock.now().astimezone(settings.hub.zone).date())
    return _tell(words, settings, sent, found, checked)


async def _watch(db: "Database", show: _Minute, outage: Any) -> None:
    """Shows how it goes, until cancelled."""
    from rich.live import Live

    from cli.words import console
    from jobs import demo

    out, started = console(), time.monotonic()
    told = started
    with (
        Live(show.view(), console=out, transient=True, auto_refresh=False)
        if out.is_terminal
        else contextlib.nullcontext() as live
    ):
        while True:
            ids = list(show.sent.lead_ids)
            show.now = await db.read(demo.arrived, ids)
            show.elapsed_s = time.monotonic() - started
            show.down = outage.vendor if outage.down else ""
            if live is not None:
                live.update(show.view(), refresh=True)
            elif time.monotonic() - told >= PLAIN_EVERY_S:
                told = time.monotonic()
                say(show.line())
            await asyncio.sleep(LOOK_S)


async def _until_arrived(db: "Database", sent: "Sent") -> None:
    from jobs import demo

    until = time.monotonic() + SETTLES_S
    while time.monotonic() < until:
        ids = list(sent.lead_ids)
        now = await db.read(demo.arrived, ids)
        if now.pending == 0 and now.stored == now.accepted:
            return
        await asyncio.sleep(LOOK_S)


def _tell(words: "Words", settings: "Settings", sent: "Sent", found: "Arrived", checked: "DayAudit") -> bool:
    from cli.words import console, table

    ours = [one for one in checked.findings if one.lead_id in sent.lead_ids]
    absent = {one.lead_id for one in ours if one.problem == "absent"}
    doubled = {one.lead_id for one in ours if one.problem == "doubled"}
    bare = {one.lead_id for one in ours} - absent - doubled
    lost = found.accepted - found.stored + len(absent)
    lines = table("", "")
    rows = [
        (words("requests sent", "отправлено запросов"), f"{sent.total}"),
        (words("accepted leads", "принято лидов"), f"{found.accepted}"),
        (words("recognised as sent twice", "узнаны как повторная отправка"), f"{sent.repeats}"),
        (words("delivered", "дошло"), f"{found.delivered}"),
        (words("joined to an open deal", "добавлено к открытой сделке"), f"{found.joined}"),
        (words("still waiting", "ещё ждут"), f"{found.pending}") if found.pending else None,
        (words("not taken by the CRM", "не приняты CRM"), f"{found.failed}") if found.failed else None,
        (words("not answered by the hub", "без ответа хаба"), f"{sent.refused}") if sent.refused else None,
        (words("lost", "потеряно"), f"{lost}"),
        (words("doubled", "задвоено"), f"{len(doubled)}"),
        (words("without contact, source or user", "без контакта, источника или ответственного"), f"{len(bare)}")
        if bare
        else None,
        (words("to the CRM, median", "до CRM, медиана"), words.seconds(found.median_s)),
        (words("slowest (the outage)", "самый долгий (простой CRM)"), words.seconds(found.slowest_s)),
        *((words.crm(name), f"{count}") for name, count in sorted(found.by_connection.items())),
    ]
    for row in rows:
        if row is not None:
            lines.add_row(*row)
    console().print(lines)
    unread = [one for one in checked.connections if one.error]
    for one in unread:
        say(
            words(
                f"{words.crm(one.name)} could not be read: {one.error}",
                f"{words.crm(one.name)} не прочитана: {one.error}",
            )
        )
    return not (lost or doubled or found.pending or found.failed or sent.refused or unread)
