"""`leadhub status`: how many leads did not arrive today?"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json

if TYPE_CHECKING:
    from rich.text import Text

    from cli.words import Words
    from jobs.config.loading import Settings
    from jobs.reports import DayStatus
    from store.db import Database
    from store.errands import OwedErrands
    from store.reading import OwedGroup

DayOption = Annotated[
    str | None,
    typer.Option("--day", metavar="YYYY-MM-DD", show_default=False, help="Default: today in the hub's time zone."),
]
PENDING = ("ready", "waiting", "claimed")
SHOWN_REASONS = 12
FIRST_YEAR, LAST_YEAR = 2000, 2999
"""Other years are slips of the pen, and near both ends of the calendar there is no day before or after."""


def register(app: typer.Typer) -> None:
    @app.command()
    def status(day: DayOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """How many leads did not arrive, and why; exit status 1 if any of the day."""
        from cli.opened import with_database

        settings = load_settings(config)
        wanted = read_day(day, settings)

        async def asked(db: "Database") -> "tuple[DayStatus, dict[str, bool]]":
            return await day_now(settings, db, wanted)

        found, owners = with_database(settings, asked)
        if as_json:
            print_json(found.to_json())
        else:
            show(settings, found, owners)
        if not found.fine:
            raise not_fine()


def read_day(text: str | None, settings: "Settings") -> date:
    """The day meant. Raises CannotRun for what is none."""
    if text is None or text == "today":
        return datetime.now(settings.hub.zone).date()
    try:
        day = date.fromisoformat(text)
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise ValueError(text)
        return day
    except ValueError:
        raise CannotRun(f"--day {text}: no such day", "write it like 2026-11-24") from None


async def day_now(settings: "Settings", db: "Database", day: date) -> "tuple[DayStatus, dict[str, bool]]":
    """The day's numbers, and which connections some process works on."""
    from jobs.intake.spooled import spooled_leads
    from jobs.reports import day_status, owners
    from leads.clock import SystemClock

    now, zone = SystemClock().now(), settings.hub.zone
    spooled = spooled_leads(settings.hub.spool_dir)
    return await db.read(
        lambda conn: (day_status(conn, day, zone, list(settings.connections), now, spooled), owners(conn, now))
    )


def show(settings: "Settings", found: "DayStatus", owners: dict[str, bool]) -> None:
    from rich.text import Text

    from cli.words import Words, console

    words, out = Words.of(settings), console()
    now = found.now
    today = now.astimezone(settings.hub.zone).date()
    head = Text(f"{words.day(found.day, today)} ({words.zone_name})", style="bold")
    head.append(" " * max(3, 36 - len(head)), style="not bold")
    numbers = [
        (words("accepted", "принято"), found.accepted, ""),
        (words("delivered", "дошло"), found.delivered, "green"),
        *([(words("discarded", "снято"), found.discarded, "")] if found.discarded else []),
        *([(words("NOT READ", "НЕ ПРОЧИТАНО"), found.not_read, "bold red")] if found.not_read else []),
        (words("NOT ARRIVED", "НЕ ДОШЛО"), found.not_arrived, "bold red" if found.not_arrived else "green"),
    ]
    for index, (name, number, style) in enumerate(numbers):
        head.append("   " if index else "", style="not bold")
        head.append(f"{name} {words.number(number)}", style=f"not bold {style}".replace("not bold bold", "bold"))
    out.print(head)
    for line in reasons(words, found, owners):
        out.print(Text("  ").append_text(line))
    out.print(Text(_latency(words, found)))


def _latency(words: "Words", found: "DayStatus") -> str:
    parts = [
        f"{name} {words.seconds(found.latency.quantile(share))}"
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    ]
    text = f"{words('time to CRM', 'до CRM')}  {'   '.join(parts)}"
    if found.latency.looked_up:
        apart = len(found.latency.looked_up)
        text += words(f"   ({apart} looked up first, counted apart)", f"   ({apart} с проверкой в CRM, отдельно)")
    if found.oldest_pending is not None:
        age = words.duration((found.now - found.oldest_pending).total_seconds())
        text += f"      {words('oldest waiting', 'старший ждёт')} {age}"
    return text


def reasons(words: "Words", found: "DayStatus", owners: dict[str, bool]) -> "Iterator[Text]":
    """A line for everything that is owed, of whatever day, and what to do about it."""
    from rich.text import Text

    from jobs.alerts.parts import text_of
    from jobs.alerts.texts import access_todo

    by_connection: dict[str, list[OwedGroup]] = defaultdict(list)
    for group in found.groups:
        if group.state in PENDING:
            by_connection[group.connection].append(group)
    for connection, groups in by_connection.items():
        held = [group for group in groups if group.error_kind == "hold"]
        waiting = [group for group in groups if group.error_kind != "hold"]
        if waiting:
            yield Text(_waiting(words, connection, waiting, found, owned=owners.get(connection, False)), style="yellow")
        if held:
            yield Text(_until_morning(words, connection, held, found))
    for incident in found.refused:
        told = f"{words.crm(incident.connection)}: {words.cause(incident.cause)}. "
        yield Text(told + text_of(access_todo(incident, words.style)), style="red")
    stopped = [group for group in found.groups if group.state not in PENDING]
    for group in stopped[:SHOWN_REASONS]:
        yield Text(_stopped(words, group), style="red" if group.state == "dead" else "yellow")
    if len(stopped) > SHOWN_REASONS:
        more = sum(group.count for group in stopped[SHOWN_REASONS:])
        yield Text(
            words(f"{more} more: leadhub leads list --status failed", f"ещё {more}: leadhub leads list --status failed")
        )
    if found.unrouted:
        text = words.count(found.unrouted, ("lead", "leads"), ("лид", "лида", "лидов"))
        yield Text(
            words(
                f"{text} that no route takes: add a route, then leadhub leads retry --all-failed",
                f"{text} без маршрута: добавьте маршрут, потом leadhub leads retry --all-failed",
            ),
            style="red",
        )
    for source, one in found.unread_now.items():
        yield from _unread(words, source, one)
    for source, one in found.unclaimed.items():
        yield Text(_unclaimed(words, source, one), style="yellow")
    if found.events.count:
        text = words.count(found.events.count, ("event", "events"), ("событие", "события", "событий"))
        cause = f": {words.cause(found.events.error)}" if found.events.error else ""
        yield Text(
            words(f"{text} accepted and not worked on yet{cause}", f"{text}: принято, ещё не обработано{cause}"),
            style="red" if found.events.failed else "yellow",
        )
    if found.recovered:
        text = words.count(found.recovered, ("enquiry", "enquiries"), ("обращение", "обращения", "обращений"))
        yield Text(
            words(
                f"{text} recovered: they never came by themselves, the source's own list had them",
                f"{text} восстановлено по списку источника: сами не приходили",
            )
        )
    yield from _conversations(words, found)
    if found.spooled:
        yield Text(
            words(
                f"{found.spooled} in the spool beside the database: leadhub serve takes them in",
                f"{found.spooled} в файле рядом с базой: их примет leadhub serve",
            ),
            style="yellow",
        )


def _unread(words: "Words", source: str, one: "OwedErrands") -> "Iterator[Text]":
    """What a request named and nobody has read yet: an enquiry that did not arrive."""
    from rich.text import Text

    name = words(f'"{source}"', f"«{source}»")
    if one.waiting:
        count = words.count(one.waiting, ("enquiry", "enquiries"), ("обращение", "обращения", "обращений"))
        cause = f": {words.cause(one.last_error, name)}" if one.last_error else ""
        text = words(f"{count} of {name} not read yet{cause}", f"{count} из {name} ещё не прочитано{cause}")
        yield Text(text + "; leadhub errands list", style="yellow")
    if one.failed:
        count = words.count(one.failed, ("enquiry", "enquiries"), ("обращение", "обращения", "обращений"))
        cause = f": {words.cause(one.failed_error, name)}" if one.failed_error else ""
        text = words(f"{count} of {name} could not be read{cause}", f"{count} из {name} не удалось прочитать{cause}")
        yield Text(text + "; leadhub errands retry --all-failed", style="red")


def _unclaimed(words: "Words", source: str, one: "OwedErrands") -> str:
    """A payment or an analysis of a call that no deal is known for."""
    name = words(f'"{source}"', f"«{source}»")
    count = words.count(one.waiting + one.failed, ("record", "records"), ("запись", "записи", "записей"))
    waits = words.form(one.waiting + one.failed, ("waits", "wait"), ("ждёт", "ждут", "ждут"))
    return words(
        f"{count} of {name} {waits} for a lead or call to belong to: leadhub errands list",
        f"{count} из {name} {waits} лида или звонка, к которым относятся: leadhub errands list",
    )


def _conversations(words: "Words", found: "DayStatus") -> "Iterator[Text]":
    """Notes and messages of chats: work of its own, beside the leads."""
    from rich.text import Text

    for work, name in (
        (found.notes, words("notes of chats", "заметки из переписки")),
        (found.replies, words("messages to clients", "сообщения клиентам")),
    ):
        if work.pending or work.failed:
            pending = f"{words('waiting', 'ждут')} {words.number(work.pending)}"
            failed = f"{words('not written or sent', 'не записаны или не отправлены')} {words.number(work.failed)}"
            parts = [*([pending] if work.pending else []), *([failed] if work.failed else [])]
            yield Text(f"{name}: {', '.join(parts)}", style="red" if work.failed else "yellow")


def _waiting(words: "Words", connection: str, groups: "list[OwedGroup]", found: "DayStatus", *, owned: bool) -> str:
    count = sum(group.count for group in groups)
    crm = words.crm(connection)
    shown = words.number(count)
    text = words(f"{shown} waiting for {crm}", f"{shown} {words.form(count, ('', ''), ('ждёт', 'ждут', 'ждут'))} {crm}")
    if connection not in words.vendors:
        return text + words(
            ", which is not in config.yaml any more: put it back under this name and restart, or leads discard",
            ", но этого подключения больше нет в config.yaml: верните его под этим именем или leads discard",
        )
    failing = [group for group in groups if group.last_error]
    since = words.time(min(group.since for group in failing or groups), found.now)
    if failing:
        text += f": {words.cause(failing[0].last_error)} {words('since', 'с')} {since}"
    elif count:
        text += f" {words('since', 'с')} {since}"
    if not owned:
        return text + words(
            "; no hub is running: leadhub serve (if one is: leadhub doctor)",
            "; хаб не запущен: leadhub serve (если запущен: leadhub doctor)",
        )
    due = min(group.next_due for group in groups if group.state != "waiting") if failing else found.now
    if (wait_s := (due - found.now).total_seconds()) > 1:
        text += f", {words('next try in', 'следующая попытка через')} {words.duration(wait_s)}"
    return text


def _until_morning(words: "Words", connection: str, groups: "list[OwedGroup]", found: "DayStatus") -> str:
    count = sum(group.count for group in groups)
    until = words.time(min(group.next_due for group in groups), found.now)
    shown, crm = words.number(count), words.crm(connection)
    return words(f"{shown} held for {crm} until {until}", f"{shown} отложено до {until} для {crm}")


def _stopped(words: "Words", group: "OwedGroup") -> str:
    shown, crm = words.number(group.count), words.crm(group.connection)
    command = f"leadhub leads show {group.lead_id}"
    if group.state == "held":
        return words(
            f"{shown} held as spam for {crm}, a person decides: leadhub leads list --status pending",
            f"{shown} похоже на спам для {crm}, решает человек: leadhub leads list --status pending",
        )
    cause = words.cause(group.last_error)
    return words(
        f"{shown} not taken by {crm}: {cause}; {command}",
        f"{crm} не приняла {words.leads(group.count)}: {cause}; {command}",
    )
