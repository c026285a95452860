"""What a pass would do, for people, as JSON and as CSV."""

import csv as csv_module
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cli.frame import CannotRun, print_json, say
from cli.words import Words, console

if TYPE_CHECKING:
    from sqlalchemy import Row

    from jobs.config.loading import Settings
    from jobs.sync.run import Run
    from store.db import Database

SAMPLES = 10
SHOWN_CHARS = 80
"""Of a value in a line; --json and --csv have all of it."""
WRITES = ("create", "update", "link", "archive", "delete", "tag")
VERBS = {
    "create": "создать",
    "update": "изменить",
    "link": "связать",
    "unlink": "отвязать",
    "archive": "в архив",
    "delete": "удалить",
    "tag": "пометить",
}
OBJECTS = {"contact": "контакт", "company": "компания", "deal": "сделка", "lead": "лид"}
STATES = {
    "sent": ("not answered yet", "ответа ещё нет"),
    "failed": ("refused", "не принято"),
    "unknown": ("outcome unknown, looked up later", "исход неизвестен, проверяется позже"),
}
COLUMNS = ("sync", "op", "side", "record_id", "of", "field", "before", "after")


def show_plans(settings: "Settings", names: Sequence[str], name: str, *, full: bool, csv: bool, as_json: bool) -> bool:
    """Whether anything would be done."""
    plans = [_plan(settings, one, full=full, whole=as_json or csv) for one in names]
    if as_json:
        print_json(plans[0] if name else plans)
    elif csv:
        _csv(plans)
    else:
        for plan in plans:
            _show(settings, plan)
    return any(plan["writes"] for plan in plans)


def _plan(settings: "Settings", name: str, *, full: bool, whole: bool) -> dict[str, Any]:
    from cli.opened import check_live, crm_failed, with_database
    from cli.sync_progress import Shown
    from connectors.errors import ConnectorError
    from jobs.sync.beside import opened_sync
    from jobs.sync.opening import CannotSync
    from jobs.sync.passes import over, plan
    from jobs.sync.status import issue_json, write_json
    from leads.clock import SystemClock
    from mappings.problems import MappingError
    from store import sync_log, sync_pairs

    clock = SystemClock()

    async def look(run: "Run") -> dict[str, Any]:
        changes: list[dict[str, Any]] = []
        after = ""
        while rows := await run.db.read(sync_log.writes_of, run.pass_id, after=after):
            changes += [write_json(row) for row in rows]
            after = rows[-1].id
            if not whole and len(changes) >= SAMPLES:
                break
        issues = await run.db.read(sync_log.issues, name)
        paired = (await run.db.read(sync_pairs.counts, name)).get("paired", 0)
        counts = {key: count for key, count in run.counts.items() if count}
        listed = [issue_json(row) for row in issues]
        return {
            "sync": name,
            "writes": sum(counts.get(f"{op}_{side}", 0) for op in WRITES for side in ("left", "right")),
            "counts": counts,
            "brake": over(counts, paired, settings.syncs[name]),
            "changes": changes if whole else changes[:SAMPLES],
            "ambiguous": [one for one in listed if one["kind"] == "ambiguous"],
            "conflicts": [one for one in listed if one["kind"] == "conflict"],
            "problems": [one for one in listed if one["kind"] not in ("ambiguous", "conflict")],
        }

    async def work(db: "Database") -> dict[str, Any]:
        shown = Shown(settings, name, clock)
        try:
            async with opened_sync(settings, name, db, clock) as sync:
                found: dict[str, Any] = await plan(sync, db, clock, look, full=full, progress=shown.told)
                return found
        finally:
            shown.end()

    try:
        return with_database(settings, work, make=True)
    except CannotSync as error:
        raise CannotRun(f"{name}: {error.said(settings.hub.locale)}", check_live(Words.of(settings))) from error
    except MappingError as error:
        raise CannotRun(f"{name}: {error}", check_live(Words.of(settings))) from error
    except ConnectorError as error:
        raise crm_failed(settings, error, f"{name}: ") from error


def show_pass(settings: "Settings", row: "Row[Any]", *, csv: bool, as_json: bool) -> None:
    """Everything that a pass wrote, the failed and unknown ones too."""
    from cli.opened import with_database
    from cli.sync_progress import counted
    from jobs.sync.status import pass_json, write_json
    from leads.clock import SystemClock
    from store import sync_log

    async def read(db: "Database") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = ""
        while rows := await db.read(sync_log.writes_of, row.id, after=after):
            found += [write_json(one) for one in rows]
            after = rows[-1].id
        return found

    now, changes = SystemClock().now(), with_database(settings, read)
    told = {"sync": row.sync, **pass_json(row, now), "changes": changes}
    if as_json:
        print_json(told)
    elif csv:
        _csv([told])
    else:
        words, out = Words.of(settings), console()
        sides = {"left": settings.syncs[row.sync].left, "right": settings.syncs[row.sync].right}
        did = ", ".join(counted(words, row.counts, sides, would=row.shadow))
        out.print(f"{row.sync}: {words.time(row.started_at, now, seconds=True)}  {did}")
        for change in changes:
            state = change.get("state", "done")
            how = "" if state == "done" else f"  ({words(*STATES.get(state, (state, state)))})"
            out.print(f"  {_line(words, change, sides)}{how}", markup=False)


def _csv(plans: Sequence[Mapping[str, Any]]) -> None:
    writer = csv_module.writer(sys.stdout)
    writer.writerow(COLUMNS)
    for plan in plans:
        for change in plan["changes"]:
            head = [plan["sync"], change["op"], change["side"], change["record_id"], change["of"]]
            for field in change["after"] or change["before"] or {"": ""}:
                before, after = change["before"].get(field), change["after"].get(field)
                writer.writerow([*head, field, _cell(before), _cell(after)])


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _show(settings: "Settings", plan: Mapping[str, Any]) -> None:
    from rich.text import Text

    from cli.sync_progress import counted
    from cli.sync_status import issue_line

    words, out = Words.of(settings), console()
    sync = settings.syncs[plan["sync"]]
    sides = {"left": sync.left, "right": sync.right}
    total = words.count(plan["writes"], ("write", "writes"), ("запись", "записи", "записей"))
    head = Text(f"{plan['sync']}: ", style="bold")
    issues = [*plan["ambiguous"], *plan["conflicts"], *plan["problems"]]
    nothing = words("nothing to do, both sides agree", "делать нечего, стороны равны")
    if issues:
        nothing = words("nothing to write, some of it waits for a person", "писать нечего, есть что решить человеку")
    out.print(head.append(total if plan["writes"] else nothing, style="not bold"))
    for text in counted(words, plan["counts"], sides, would=True):
        out.print(Text(f"  {text}"))
    if plan["brake"]:
        out.print(Text(f"  {words.cause(plan['brake'])}: leadhub sync run {plan['sync']} --yes", style="yellow"))
    for change in plan["changes"]:
        out.print(Text(f"    {_line(words, change, sides)}"))
    if plan["writes"] > len(plan["changes"]):
        say(words("    all of them: --json or --csv", "    все: --json или --csv"))
    for issue in issues[:SAMPLES]:
        out.print(Text(f"  {issue_line(words, issue, sides)}", style="yellow"))
    if (more := len(issues) - SAMPLES) > 0:
        say(words(f"  and {more} more: --json", f"  и ещё {more}: --json"))


def _short(value: Any) -> str:
    text = " ".join(_cell(value).split())
    return (text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…") or "—"


def _line(words: Words, change: Mapping[str, Any], sides: Mapping[str, str]) -> str:
    from jobs.sync.model import title_of

    where = f"{sides[change['side']]} {change['record_id'] or words('new', 'новая')}"
    if change["of"]:
        where += f" ← {change['of']}"
    if change["op"] in ("link", "unlink"):
        to = change["after"]["to"]
        return f"{words(change['op'], VERBS[change['op']])} {where}  {words(to, OBJECTS[to])} {change['after']['id']}"
    fields = ", ".join(
        f"{name}: {_short(change['before'].get(name))} → {_short(value)}" for name, value in change["after"].items()
    ) or title_of(change["before"])
    return f"{words(change['op'], VERBS[change['op']])} {where}  {fields}"
