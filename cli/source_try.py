"""`leadhub source test`: sends a signed sample as the vendor would, and shows what came of it."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say
from cli.sources import COUNTS, NameArgument, known_source

if TYPE_CHECKING:
    from cli.words import Words
    from jobs.config.loading import Settings
    from jobs.sources.try_source import Tried, Way
    from store.db import Database

PROBLEMS = {
    "unreachable": ("cannot be reached: {}", "не отвечает: {}"),
    "redirected": (
        "redirects to {}: vendors do not follow, paste that address instead",
        "перенаправляет на {}: сервисы за ним не пойдут, вставьте тот адрес",
    ),
    "answered": (
        "something answers {} there, and it is not the hub: see the reverse proxy and hub.public_url",
        "там отвечает {}, и это не хаб: проверьте прокси и hub.public_url",
    ),
    "not_ours": (
        "another program answers {} there, or a hub of an older version: see hub.public_url",
        "там отвечает {} другая программа или хаб старой версии: проверьте hub.public_url",
    ),
    "refused": ("the hub refuses it: {}", "хаб не принимает: {}"),
}
EVENTS = {**COUNTS, "errands": COUNTS["notices"]}


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="One source.")

    @group.callback()
    def source() -> None:
        """One source."""

    @group.command()
    def test(
        name: NameArgument,
        deliver: Annotated[
            bool, typer.Option("--deliver", help="The lead also goes to the CRMs, as a real one does.")
        ] = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Send a signed sample through the public address and show the lead it made; exit status 1 if it fails."""
        settings = load_settings(config)
        known_source(settings, name)
        _test(settings, name, deliver=deliver, as_json=as_json)

    app.add_typer(group, name="source")


def _test(settings: "Settings", name: str, *, deliver: bool, as_json: bool) -> None:
    from cli.opened import with_database
    from cli.words import Words
    from jobs.secret import secret_keys
    from jobs.sources.try_source import NoSample, try_source
    from leads.clock import SystemClock

    try:
        tried = asyncio.run(try_source(settings, name, secret_keys(settings), SystemClock(), deliver=deliver))
    except NoSample:
        raise CannotRun(f"source {name!r}: no request comes to it, the hub asks its vendor itself") from None
    lead = with_database(settings, lambda db: _remembered(db, settings, tried)) if tried.lead_ids else None
    if as_json:
        print_json(_json(tried, lead))
    else:
        _tell(Words.of(settings), tried, lead, deliver=deliver)
    if not (tried.arrived and tried.fine):
        raise not_fine()


async def _remembered(db: "Database", settings: "Settings", tried: "Tried") -> dict[str, Any] | None:
    """The story of the lead, and who tested."""
    from cli.leads import story_of
    from cli.opened import actor
    from leads.clock import SystemClock
    from store.operator import record_action

    clock, who = SystemClock(), actor()
    await db.write(record_action, clock, actor=who, action="source.test", subject=tried.source)
    found = await story_of(db, settings, tried.lead_ids[0])
    return None if isinstance(found, str) else found


def _json(tried: "Tried", lead: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "source": tried.source,
        "fine": tried.arrived and tried.fine,
        "ways": tried.ways,
        "made": dict(tried.made),
        "lead": lead,
        "reply": dict(tried.reply),
    }


def _tell(words: "Words", tried: "Tried", lead: dict[str, Any] | None, *, deliver: bool) -> None:
    for way in tried.ways:
        say(_way(words, way))
    if not tried.arrived:
        return
    made = [words.count(number, *EVENTS[kind]) for kind, number in tried.made.items()]
    say(f"{words('Understood', 'Понято')}: {', '.join(made) or words('nothing to take in', 'принимать нечего')}")
    if tried.reply:
        body = " ".join(str(tried.reply.get("body", "")).split())[:200]
        say(f"{words('Answer to the vendor', 'Ответ сервису')}: {tried.reply.get('status')} {body}")
    if lead is None:
        return
    contacts = ", ".join([*lead["phones"], *lead["emails"]]) or "—"
    say(f"{words('Lead', 'Лид')} {lead['id']}: {lead['name']}, {contacts}")
    where = ", ".join(words.crm(one["connection"]) for one in lead["deliveries"])
    if not where:
        say(words("No route takes leads of this source.", "Ни один маршрут не берёт лиды этого источника."))
    elif deliver:
        say(words(f"On its way to {where}", f"Отправлен в {where}"))
    else:
        say(
            words(
                f"A real one would go to {where}; this one is kept as a test (--deliver sends it)",
                f"Настоящий ушёл бы в {where}; этот сохранён как проверка (--deliver отправит)",
            )
        )


def _way(words: "Words", way: "Way") -> str:
    """A line for each address that was tried."""
    names = {"public": ("public address", "публичный адрес"), "listen": ("on this machine", "на этой машине")}
    head = f"{way.url} ({words(*names[way.through])})"
    if not way.problem:
        return f"{head}: {words('arrived', 'дошло')}"
    return f"{head}: {words(*PROBLEMS[way.problem]).format(way.detail)}"
