"""`leadhub audit`: is every delivered lead really in the CRM?"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json
from cli.status import DayOption, read_day

if TYPE_CHECKING:
    from rich.text import Text

    from cli.words import Words
    from jobs.audit import ConnectionAudit, DayAudit
    from jobs.config.loading import Settings
    from jobs.ledger import LedgerLine
    from store.db import Database

SHOWN = 20
PROBLEM_WORDS = {
    "absent": ("not in the CRM", "нет в CRM"),
    "doubled": ("there twice", "есть дважды"),
    "no_contact": ("without contact", "без контакта"),
    "no_source": ("without source", "без источника"),
    "no_responsible": ("without responsible user", "без ответственного"),
}


OWN_WORDS = {
    "held as spam": "отложено как спам",
    "an earlier lead of this person goes first": "сначала дойдёт прежний лид этого человека",
    "under way": "в работе",
    "not tried yet": "ещё не отправляли",
    "in the spool beside the database": "в файле рядом с базой",
    "no route matches": "нет подходящего маршрута",
}
"""What the ledger says of a lead, in Russian."""


def register(app: typer.Typer) -> None:
    @app.command()
    def audit(
        day: DayOption = None,
        ledger: Annotated[
            bool, typer.Option("--ledger", help="Also: per source what was received and where each lead is.")
        ] = False,
        days: Annotated[int, typer.Option(min=1, max=366, help="So many days of the ledger, up to --day.")] = 1,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Read every delivered lead of the day back from the CRM; exit status 1 if something is missing or double."""
        settings = load_settings(config)
        found, lines = _asked(settings, read_day(day, settings), days if ledger else 0)
        if as_json:
            print_json({**found.to_json(), **({"ledger": [line.to_json() for line in lines]} if ledger else {})})
        else:
            _show(settings, found, lines)
        if not found.asked:
            raise CannotRun("no CRM could be asked", "leadhub check --live says more")
        if not found.fine:
            raise not_fine()


def _asked(settings: "Settings", day: date, days: int) -> "tuple[DayAudit, list[LedgerLine]]":
    from cli.opened import with_database
    from jobs import audit
    from jobs.intake.spooled import spooled_leads
    from jobs.ledger import ledger
    from leads.clock import SystemClock

    async def work(db: "Database") -> "tuple[DayAudit, list[LedgerLine]]":
        found = await audit.audit(settings, db, SystemClock(), day)
        spooled = spooled_leads(settings.hub.spool_dir) if days else []
        lines: list[LedgerLine] = []
        for back in range(days):
            one = day - timedelta(days=back)
            lines += await db.read(ledger, one, settings.hub.zone, list(settings.sources), spooled)
        return found, lines

    return with_database(settings, work)


def _show(settings: "Settings", found: "DayAudit", lines: "list[LedgerLine]") -> None:
    from cli.words import Words, console

    words, out = Words.of(settings), console()
    now = datetime.now(settings.hub.zone)
    for line in audit_lines(words, found, now.date()):
        out.print(line)
    for entry in lines:
        for line in _ledger_lines(words, entry, now):
            out.print(line)


def audit_lines(words: "Words", found: "DayAudit", today: date) -> "Iterator[Text]":
    """The answer in a few lines: numbers first, then what is wrong with which lead."""
    from rich.text import Text

    delivered, checked = (sum(getattr(one, name) for one in found.connections) for name in ("delivered", "checked"))
    head = Text(f"{words.day(found.day, today)} ({words.zone_name})   ", style="bold")
    head.append(
        words(
            f"delivered {delivered}   read back {checked}   ", f"доставлено {delivered}   прочитано в CRM {checked}   "
        ),
        style="not bold",
    )
    if found.fine:
        yield head.append(words("all there, nothing double", "всё на месте, двойных нет"), style="not bold green")
    else:
        count = len(found.findings)
        text = words.count(count, ("finding", "findings"), ("расхождение", "расхождения", "расхождений"))
        yield head.append(text, style="bold red" if count else "not bold")
    for one in found.connections:
        yield from _connection_lines(words, one)


def _connection_lines(words: "Words", one: "ConnectionAudit") -> "Iterator[Text]":
    from rich.text import Text

    crm = words.crm(one.name)
    if one.error:
        unread = words.leads(one.delivered)
        text = words(f"could not be asked, {unread} not checked", f"не удалось спросить, не проверено: {unread}")
        yield Text(f"  {crm}: {text}: {words.cause(one.error)}", style="yellow")
        return
    by_problem = defaultdict(list)
    for finding in one.findings:
        by_problem[finding.problem].append(finding)
    for problem, findings in by_problem.items():
        yield Text(f"  {crm}: {words(*PROBLEM_WORDS[problem])}: {words.leads(len(findings))}", style="red")
        for finding in findings[:SHOWN]:
            others = f" + {', '.join(finding.others)}" if finding.others else ""
            yield Text(f"    {finding.lead_id}  {words('deal', 'сделка')} {finding.record_id}{others}")
        if len(findings) > SHOWN:
            yield Text(
                words(f"    and {len(findings) - SHOWN} more: --json", f"    и ещё {len(findings) - SHOWN}: --json")
            )


def _ledger_lines(words: "Words", line: "LedgerLine", now: datetime) -> "Iterator[Text]":
    from rich.text import Text

    def time(at: str) -> str:
        return words.time(datetime.fromisoformat(at), now, seconds=True)

    yield Text()
    head = Text(f"{line.source}, {words.day(line.day, now.date())}: ", style="bold")
    head.append(f"{words('received', 'получено')} {line.received}", style="not bold")
    if line.repeats:
        repeats = words.count(line.repeats, ("repeat", "repeats"), ("повтор", "повтора", "повторов"))
        head.append(words(f" (and {repeats})", f" (и {repeats})"), style="not bold")
    yield head
    yield from _records(words("in the CRM", "в CRM"), line.in_crm)
    yield from _records(words("joined to an open deal", "добавлено к открытой сделке"), line.merged)
    for entry in line.waiting:
        why = _own(words, entry["why"])
        where = f"{entry['lead_id']} {entry['connection']}".rstrip()
        since = words("since", "с")
        yield Text(f"  {words('waiting', 'ждёт')}: {where}: {why}, {since} {time(entry['since'])}", style="yellow")
    for entry in line.refused:
        where = f"{entry['lead_id']} {entry['connection']}".rstrip()
        why = _own(words, entry["reason"])
        yield Text(f"  {words('refused', 'не принято')}: {where}: {why}", style="red")
    for entry in line.discarded:
        yield Text(f"  {words('discarded', 'снято')}: {entry['lead_id']}: {entry['reason']}")
    for away in line.turned_away:
        yield Text(f"  {words('turned away', 'не впущено')}: {time(away['at'])}, {away['status']}: {away['reason']}")


def _own(words: "Words", text: str) -> str:
    return words(text, OWN_WORDS[text]) if text in OWN_WORDS else words.cause(text)


def _records(title: str, entries: list[dict[str, Any]]) -> "Iterator[Text]":
    from rich.text import Text

    by_connection = defaultdict(list)
    for entry in entries:
        by_connection[entry["connection"]].append(entry["record_id"])
    for connection, ids in by_connection.items():
        yield Text(f"  {title}: {connection}: {len(ids)}: {', '.join(ids)}")
