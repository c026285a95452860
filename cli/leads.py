"""`leadhub leads`: the leads, each with its story, and what a person may do with them."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say, warn
from cli.lead_import import register_import
from cli.status import DayOption, read_day

if TYPE_CHECKING:
    from cli.words import Words
    from jobs.config.loading import Settings
    from store.db import Database
    from store.reading import LeadFilter

STATUSES = ("pending", "delivered", "failed", "discarded", "owed")
SHOWN = 50
PAGE = 500
SHORTEST_START = 8

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID…", show_default=False, help="Or how an id begins.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The leads, each with its whole story.")

    @group.command("list")
    def list_(
        day: DayOption = None,
        source: Annotated[str, typer.Option(help="Only of this source.", show_default=False)] = "",
        connection: Annotated[str, typer.Option(help="Only those for this connection.", show_default=False)] = "",
        status: Annotated[str, typer.Option(help=f"Only {', '.join(STATUSES)}.", show_default=False)] = "",
        flag: Annotated[str, typer.Option(help="Only with this flag, such as no_contact.", show_default=False)] = "",
        search: Annotated[
            str,
            typer.Option(metavar="TEXT", help="A name, phone, e-mail, comment, id, or CRM record.", show_default=False),
        ] = "",
        limit: Annotated[
            int | None, typer.Option(min=1, show_default=False, help=f"Default: {SHOWN}; with --json all.")
        ] = None,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """The leads, newest first."""
        settings = load_settings(config)
        if status and status not in STATUSES:
            raise CannotRun(f"--status {status}: no such status", f"allowed: {', '.join(STATUSES)}")
        wanted = _filter(settings, day, source, connection, status, flag, search)
        if as_json:
            print_json(_read(settings, lambda db: _pages(db, wanted, limit)))
            return
        shown = limit or SHOWN
        leads = _read(settings, lambda db: _pages(db, wanted, shown + 1))
        _list(settings, leads[:shown], more=len(leads) > shown)

    @group.command()
    def show(
        lead_id: Annotated[str, typer.Argument(metavar="ID", help="Or how it begins.", show_default=False)],
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """One lead's whole story: what came in, what was understood, where it went, every attempt."""
        settings = load_settings(config)
        found = _read(settings, lambda db: story_of(db, settings, lead_id))
        if isinstance(found, str):
            warn(f"leadhub: {found}")
            raise not_fine()
        if as_json:
            print_json(found)
            return
        from cli.lead_story import tell

        tell(settings, found)

    @group.command()
    def retry(
        ids: Ids = None,
        all_failed: Annotated[bool, typer.Option("--all-failed", help="Every lead that failed.")] = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Deliver again, now; also releases leads held as spam and routes those that no route took.

        Exits 0 when each lead is due now or delivered already, 1 when one is not: unknown, discarded, without a route.
        """
        if bool(ids) == all_failed:
            raise CannotRun("which leads?", "leadhub leads retry ID… or leadhub leads retry --all-failed")
        settings = load_settings(config)
        _retry(settings, ids or [], as_json=as_json)

    @group.command()
    def discard(
        ids: Ids = None,
        why: Annotated[str, typer.Option(help="The reason, kept with the lead.", show_default=False)] = "",
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Decide that a lead need not arrive; it stays in the database with the reason.

        Exits 0 when each is discarded, now or before, 1 when one is not: unknown, delivered, being delivered.
        """
        if not ids:
            raise CannotRun("which lead?", "leadhub leads discard ID --why TEXT")
        if not why.strip():
            raise CannotRun("discarding needs a reason", "--why TEXT")
        _discard(load_settings(config), ids, why.strip(), as_json=as_json)

    register_import(group)
    app.add_typer(group, name="leads")


def _read(settings: "Settings", work: Any) -> Any:
    from cli.opened import with_database

    return with_database(settings, work)


def _filter(
    settings: "Settings", day: str | None, source: str, connection: str, status: str, flag: str, search: str
) -> "LeadFilter":
    from jobs.reports import day_window
    from leads.phones import phones
    from store.reading import LeadFilter

    since: datetime | None = None
    until: datetime | None = None
    if day:
        since, until = day_window(read_day(day, settings), settings.hub.zone)
    phone = ""
    if sum(char.isdigit() for char in search) >= 7:
        phone = next(iter(phones(search, settings.hub.default_region or "").found), "")
    return LeadFilter(since, until, source, connection, status, search.strip(), phone, flag)


async def _pages(db: "Database", wanted: "LeadFilter", limit: int | None) -> list[dict[str, Any]]:
    from jobs.reports import list_leads

    found: list[dict[str, Any]] = []
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        before = found[-1]["id"] if found else ""
        page = await db.read(list_leads, wanted, limit=size, before=before)
        found += page
        if len(page) < size:
            break
    return found


def _list(settings: "Settings", leads: list[dict[str, Any]], *, more: bool) -> None:
    from cli.words import Words, console, table

    words = Words.of(settings)
    if not leads:
        say(words("No such leads.", "Таких лидов нет."))
        return
    titles = words("id,received,source,name,contact,status,where", "id,принят,источник,имя,контакт,статус,где")
    lines = table(*titles.split(","))
    now = datetime.now(settings.hub.zone)
    for lead in leads:
        lines.add_row(*_row(words, lead, now))
    console().print(lines)
    if more:
        say(words("… and more: --limit, or --search", "… и ещё: --limit или --search"))


def _row(words: "Words", lead: dict[str, Any], now: datetime) -> "Iterator[Any]":
    from rich.text import Text

    yield lead["id"]
    yield words.time(datetime.fromisoformat(lead["received_at"]), now)
    yield Text(lead["source"])
    yield Text(lead["name"])
    yield Text(next(iter([*lead["phones"], *lead["emails"]]), "—"))
    yield Text(words(lead["status"], RUSSIAN_STATUS[lead["status"]]), style=STATUS_STYLE[lead["status"]])
    yield Text(", ".join(_where(words, one) for one in lead["deliveries"]) or lead["status_why"])


def _where(words: "Words", delivery: dict[str, Any]) -> str:
    from cli.lead_story import RUSSIAN_STATES, STATES

    if delivery["record_id"]:
        return f"{delivery['connection']} {delivery['record_id']}"
    state = delivery["state"]
    return f"{delivery['connection']}: {words(STATES[state], RUSSIAN_STATES[state])}"


RUSSIAN_STATUS = {"pending": "ждёт", "delivered": "дошёл", "failed": "не дошёл", "discarded": "снят"}
STATUS_STYLE = {"pending": "yellow", "delivered": "green", "failed": "bold red", "discarded": "dim"}


async def lead_ids(db: "Database", named: list[str]) -> tuple[list[str], dict[str, str]]:
    """(whole ids, what was named -> why it means no lead)."""
    from store.reading import ids_beginning, known_ids

    wanted = list(dict.fromkeys(one.strip().lower() for one in named))
    known = await db.read(known_ids, wanted)
    found: list[str] = []
    problems: dict[str, str] = {}
    for one in wanted:
        if one in known:
            found.append(one)
        elif len(one) < SHORTEST_START:
            problems[one] = f"no such lead; at least {SHORTEST_START} characters of the id are needed"
        else:
            starts = await db.read(ids_beginning, one, limit=6)
            if len(starts) == 1:
                found += starts
            elif starts:
                shown = ", ".join(starts[:5]) + (", …" if len(starts) > 5 else "")
                problems[one] = f"several leads begin so: {shown}"
            else:
                problems[one] = "no such lead"
    return list(dict.fromkeys(found)), problems


async def story_of(db: "Database", settings: "Settings", named: str) -> dict[str, Any] | str:
    """A lead's story, or why there is none to tell."""
    from jobs.reports import story_json
    from jobs.sources.masking import Masks
    from store.reading import story

    found, problems = await lead_ids(db, [named])
    for name, why in problems.items():
        return f"{name}: {why}"
    told = await db.read(story, found[0])
    return story_json(told, Masks(settings)) if told else f"{named}: no such lead"


def _retry(settings: "Settings", named: list[str], *, as_json: bool) -> None:
    """An empty `named` means all that failed."""
    from cli.opened import actor
    from jobs.retrying import make_router, retry_leads
    from leads.clock import SystemClock
    from store.operator import Done, failed_leads

    clock = SystemClock()

    async def work(db: "Database") -> tuple[Done, dict[str, str]]:
        ids, problems = await lead_ids(db, named) if named else (await db.read(failed_leads), {})
        return await retry_leads(db, make_router(settings, clock), clock, ids, actor()), problems

    done, problems = _read(settings, work)
    reasons = {
        "unrouted": "no route takes it: add one to the configuration",
        "claimed": "it is being delivered at this moment",
        "discarded": "it was discarded",
        "delivered": "it is delivered already",
    }
    bad = {**problems, **{one: reasons.get(why, why) for one, why in done.refused.items()}}
    fine = not problems and all(why in ("claimed", "delivered") for why in done.refused.values())
    missing = sorted(done.connections - settings.connections.keys())
    if missing:
        fine = False
        bad |= dict.fromkeys(missing, "not in config.yaml any more: nobody delivers there until it is back")
    _report(settings, done.changed, bad, ("due now", "поставлено в очередь"), as_json=as_json, fine=fine)


def _discard(settings: "Settings", named: list[str], why: str, *, as_json: bool) -> None:
    from cli.opened import actor
    from leads.clock import SystemClock
    from store.operator import DISCARDED, discard

    clock = SystemClock()

    async def work(db: "Database") -> tuple[list[str], dict[str, str]]:
        ids, problems = await lead_ids(db, named)
        changed: list[str] = []
        for lead_id in ids:
            done = await db.write(discard, lead_id, why=why, actor=actor(), clock=clock)
            changed += done.changed
            problems.update(done.refused)
        return changed, problems

    changed, problems = _read(settings, work)
    fine = set(problems.values()) <= {DISCARDED}
    _report(settings, changed, problems, ("discarded", "снято"), as_json=as_json, fine=fine)


def _report(
    settings: "Settings",
    changed: list[str],
    problems: dict[str, str],
    done: tuple[str, str],
    *,
    as_json: bool,
    fine: bool,
) -> None:
    """What was done to the leads that were named, and to which nothing was."""
    from cli.words import Words

    if as_json:
        print_json({"changed": changed, "refused": problems})
    else:
        words = Words.of(settings)
        if changed or not problems:
            say(f"{words(*done)}: {words.leads(len(changed))}")
        for name, why in problems.items():
            warn(f"leadhub: {name}: {why}")
    if not fine:
        raise not_fine()
