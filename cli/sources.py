"""`leadhub sources`: each door, what came in by it, and what was refused."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say, warn

if TYPE_CHECKING:
    from rich.text import Text

    from cli.words import Words
    from jobs.config.loading import Settings
    from jobs.sources.report import SourceLine
    from jobs.sources.rerun import Rerun
    from store.db import Database

SHOWN = 50
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of a source.", show_default=False)]
SinceOption = Annotated[
    str,
    typer.Option(
        metavar="WHEN", help="Only what came since: 2h, 1d, 2026-11-24, 2026-11-24T14:00.", show_default=False
    ),
]
COUNTS = {
    "leads": (("lead", "leads"), ("лид", "лида", "лидов")),
    "calls": (("call", "calls"), ("звонок", "звонка", "звонков")),
    "messages": (("message", "messages"), ("сообщение", "сообщения", "сообщений")),
    "payments": (("payment", "payments"), ("оплата", "оплаты", "оплат")),
    "notices": (("notice", "notices"), ("уведомление", "уведомления", "уведомлений")),
}
OUTCOMES = {
    "accepted": ("let in", "впущен"),
    "repeat": ("had arrived already", "уже был принят"),
    "nothing": ("a test of the vendor's, nothing to take in", "проверка сервиса, принимать нечего"),
    "refused": ("refused again", "снова отклонён"),
    "lost": ("cannot be run again", "повторить нельзя"),
}


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Each source: its address, its secrets, what came in, what was refused.")

    @group.callback(invoke_without_command=True)
    def sources(
        context: typer.Context,
        show_secrets: Annotated[
            bool, typer.Option("--show-secrets", help="Addresses with their tokens, as the vendor needs them.")
        ] = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Each source: address to paste at the vendor, secret, last event, today; exit status 1 if one only refuses."""
        if context.invoked_subcommand is None:
            _show(load_settings(config), show_secrets=show_secrets, as_json=as_json)

    @group.command()
    def refused(
        name: Annotated[str, typer.Argument(metavar="[NAME]", help="Only of this source.", show_default=False)] = "",
        since: SinceOption = "",
        limit: Annotated[int, typer.Option(min=1, max=1000)] = SHOWN,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Requests of the last week that were not let in, newest first, without their secrets."""
        settings = load_settings(config)
        if name:
            known_source(settings, name)
        _refused(settings, name, read_since(since, settings), limit, as_json=as_json)

    @group.command()
    def rerun(
        name: NameArgument,
        since: SinceOption = "",
        ids: Annotated[
            list[str] | None, typer.Option("--id", metavar="ID", help="Only this one; may be repeated.")
        ] = None,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Run refused requests again after the secret was mended; those that pass become leads of their own time."""
        settings = load_settings(config)
        known_source(settings, name)
        _rerun(settings, name, read_since(since, settings), ids or [], as_json=as_json)

    from cli.stuck import add_stuck

    add_stuck(group)
    app.add_typer(group, name="sources")


def known_source(settings: "Settings", name: str) -> None:
    """Raises CannotRun, with the nearest name."""
    from jobs.config.errors import choices

    if name not in settings.sources:
        raise CannotRun(f"there is no source {name!r}", choices(name, settings.sources))


def read_since(text: str, settings: "Settings") -> datetime | None:
    """`2h` before now, a day, or a time; without a zone of its own in the hub's."""
    from leads.durations import parse_duration

    if not text:
        return None
    now = datetime.now(UTC)
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=settings.hub.zone)
    except ValueError:
        today = date.today().isoformat()  # noqa: DTZ011  # an example
        raise CannotRun(f"--since {text}: no time", f"such as 2h, 1d, {today} or {today}T14:00") from None


# --- leadhub sources -------------------------------------------------------------------------------------------


def _show(settings: "Settings", *, show_secrets: bool, as_json: bool) -> None:
    from cli.opened import with_database
    from cli.words import Words, console
    from jobs.sources.report import source_lines

    words, now = Words.of(settings), datetime.now(UTC)

    async def asked(db: "Database") -> "list[SourceLine]":
        return await db.read(source_lines, settings, now, show_secrets=show_secrets)

    lines = with_database(settings, asked)
    if as_json:
        print_json([line.to_json(words.style, now) for line in lines])
    else:
        out = console()
        for line in lines:
            for text in _told(words, line, now):
                out.print(text)
        if not lines:
            say(words("No sources are configured.", "Источники не настроены."))
    if any(line.only_refuses for line in lines):
        raise not_fine()


def _told(words: "Words", line: "SourceLine", now: datetime) -> "Iterator[Text]":
    from rich.text import Text

    from jobs.sources.texts import proof_text

    title = f" «{line.title}»" if line.title != line.name else ""
    head = Text(f"{line.name}{title}", style="bold red" if line.only_refuses else "bold")
    yield head.append(f"  {line.vendor} ({line.type})  {line.address}", style="default not bold")
    proofs = proof_text(words.style.locale, tuple(one.kind for one in line.proofs), asks=not line.address)
    checked = words(f"checks: {proofs}", f"проверяет: {proofs}")
    last = words("nothing came yet", "ещё ничего не приходило")
    if line.last_at is not None:
        ago = words.duration((now - line.last_at).total_seconds())
        at = words.time(line.last_at, now)
        last = words(f"last {at}, {ago} ago", f"последнее {at}, {ago} назад")
    yield Text(f"    {checked} · {last} · {words('today', 'сегодня')}: {counts(words, line)}")
    for hint in line.hints(words.style, now):
        yield Text(f"    ! {hint}", style="yellow")
    if line.kept:
        shown = words.number(line.kept)
        command = f"leadhub sources rerun {line.name}"
        yield Text(
            words(
                f"    {shown} kept; once it is mended: {command}",
                f"    сохранено {shown}; когда исправите: {command}",
            )
        )
    if line.dropped:
        shown = words.number(line.dropped)
        yield Text(words(f"    {shown} not kept: too many", f"    {shown} не сохранено: слишком много"), style="red")


def counts(words: "Words", line: "SourceLine") -> str:
    found = [words.count(line.today[kind], *forms) for kind, forms in COUNTS.items() if line.today[kind]]
    return ", ".join(found) or words("nothing", "ничего")


# --- leadhub sources refused ---------------------------------------------------------------------------------------


def _refused(settings: "Settings", name: str, since: datetime | None, limit: int, *, as_json: bool) -> None:
    from rich.text import Text

    from cli.opened import with_database
    from cli.words import Words, console
    from jobs.sources.refusing import refused_json
    from store.refused import refused_requests

    async def asked(db: "Database") -> list[Any]:
        return await db.read(refused_requests, source=name, since=since, limit=limit, rerun_too=True)

    rows = with_database(settings, asked)
    if as_json:
        print_json([refused_json(row) for row in rows])
        return
    words, now, out = Words.of(settings), datetime.now(UTC), console()
    if not rows:
        say(words("Nothing was refused in the last week.", "За неделю ничего не отклонено."))
    for row in rows:
        size = (
            words(f"{row.size_bytes} bytes", f"{row.size_bytes} байт")
            if row.is_kept
            else words("not kept", "не сохранён")
        )
        if row.rerun_at is not None:
            size = words("let in since", "впущен позже")
        at = words.time(row.at, now, seconds=True)
        why = _why(words, row.status, row.reason)
        out.print(Text(f"{row.id}  {at}  {row.source}  {row.status} {why}  {row.remote_ip}  {size}"))
        if row.look:
            out.print(Text(f"    {row.method} {row.look}", style="dim"))


def _why(words: "Words", status: int, reason: str) -> str:
    """The door's own words, in Russian behind what they mean."""
    from jobs.sources.texts import TEXTS, trouble_of

    return words(reason, f"{TEXTS[trouble_of(status, reason)][1]} ({reason})") if reason else ""


# --- leadhub sources rerun -----------------------------------------------------------------------------------------


def _rerun(settings: "Settings", name: str, since: datetime | None, ids: list[str], *, as_json: bool) -> None:
    from cli.opened import actor, with_database
    from cli.words import Words
    from jobs.app import build_hub
    from jobs.sources.rerun import Reruns
    from leads.clock import SystemClock

    async def work(db: "Database") -> "list[Rerun]":
        hub = build_hub(settings, clock=SystemClock(), db=db, inline_spool=True)
        source = hub.intake.source(name)
        assert source is not None
        try:
            reruns = Reruns(hub.intake, db, hub.sealer, hub.clock)
            return await reruns.run(source, since=since, ids=[one.lower() for one in ids], actor=actor())
        finally:
            await asyncio.shield(hub.stop())

    found = with_database(settings, work)
    missing = sorted({one.lower() for one in ids} - {one.id for one in found})
    words = Words.of(settings)
    if as_json:
        print_json({"requests": found, "missing": missing})
    else:
        for one in found:
            told = words(*OUTCOMES[one.outcome])
            more = " ".join(one.lead_ids) or (
                _why(words, one.status, one.reason) if one.outcome == "refused" else one.reason
            )
            say(f"{one.id}  {told}{f': {more}' if more else ''}")
        if not found and not missing:
            say(words("Nothing is kept that could be run again.", "Повторять нечего."))
        why = words("no such request, or let in already", "нет такого запроса, или он уже впущен")
        for one_id in missing:
            warn(f"leadhub: {one_id}: {why}")
    if missing or any(one.outcome in ("refused", "lost") for one in found):
        raise not_fine()
