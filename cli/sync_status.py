"""How syncs stand and what waits for a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cli.frame import print_json
from cli.words import Words, console
from leads.clock import SystemClock
from store.leases import RENEW_S, TTL_S

if TYPE_CHECKING:
    from jobs.config.loading import Settings
    from jobs.sync.status import SyncStatus
    from store.db import Database

SHOWN = 20
SHOWN_CHARS, SHOWN_BEFORE = 160, 20
"""Of a value, and how much of that before the first difference."""
PASSES, PASSES_SHOWN = 100, 5
QUIET_S = 2 * RENEW_S
"""A process that lives gives a sign twice in this time."""
KINDS = {
    "ambiguous": ("unclear who is who", "неясно, кто есть кто"),
    "conflict": ("conflict", "спор"),
    "loop": ("to and fro, stopped", "ходит туда и обратно, остановлено"),
    "refused": ("refused", "не принято"),
    "left_out": ("left out", "поле пропущено"),
    "unknown": ("outcome unknown", "исход неизвестен"),
    "deleted": ("partner kept", "пара оставлена"),
    "merged": ("merged on one side", "объединены на одной стороне"),
}
STATES = {
    "never_ran": ("has not run yet", "ещё не запускалась", "yellow"),
    "running": ("running", "идёт", "cyan"),
    "ok": ("ok", "в порядке", "green"),
    "waits": ("waits for a yes", "ждёт разрешения", "yellow"),
    "failed": ("does not run", "не идёт", "red"),
    "stopped": ("stopped, goes on with the next pass", "прервана, продолжится со следующим проходом", "yellow"),
    "shadow": ("shadow, writes nothing", "теневая, ничего не пишет", "cyan"),
}


Found = tuple["SyncStatus", Sequence[Mapping[str, Any]]]
"""How a sync stands, and its last passes as `pass_json` tells them, newest first."""


def read_status(settings: "Settings", names: Sequence[str]) -> list[Found]:
    from cli.opened import with_database
    from jobs.sync.status import pass_json, status
    from store import sync_log

    now = SystemClock().now()

    async def one(db: "Database", name: str) -> Found:
        passes = await db.read(sync_log.passes, name, PASSES)
        return await db.read(status, name, settings.syncs[name], now), [pass_json(row, now) for row in passes]

    async def work(db: "Database") -> list[Found]:
        return [await one(db, name) for name in names]

    return with_database(settings, work, make=True)


def show_status(settings: "Settings", names: Sequence[str], name: str, *, as_json: bool) -> bool:
    """Whether all is well."""
    found = read_status(settings, names)
    if as_json:
        listed = [{**one.to_json(), "passes": passes} for one, passes in found]
        print_json(listed[0] if name else listed)
    else:
        for one, passes in found:
            _show(settings, one, passes)
    return all(one.fine for one, _ in found)


def show_issues(settings: "Settings", names: Sequence[str], *, as_json: bool) -> bool:
    """Whether there is any."""
    found = [one for one, _ in read_status(settings, names)]
    if as_json:
        print_json([{"sync": one.name, **issue} for one in found for issue in one.issues])
    else:
        words, out = Words.of(settings), console()
        for one in found:
            sides = {"left": one.settings.left, "right": one.settings.right}
            for issue in one.issues:
                out.print(f"{issue['id']}  {one.name}: {issue_line(words, issue, sides)}")
    return any(one.issues for one in found)


def issue_line(words: Words, issue: Mapping[str, Any], sides: Mapping[str, str]) -> str:
    """`conflict: position  sales 17 Анна: директор (Борис Белов, 14:02) · hs 501 Анна: бухгалтер (14:05)`."""
    now = SystemClock().now()
    kind = words(*KINDS.get(issue["kind"], (issue["kind"],) * 2))
    what = f"{kind}: {issue['field']}" if issue["field"] else kind
    ends = []
    values = dict(zip(("left", "right"), where_apart(issue.get("left"), issue.get("right")), strict=True))
    for side, connection in sides.items():
        names = issue.get(f"{side}_names", {})
        paired = {id for id in issue[f"{side}_ids"] if f"{side}:{id}" in issue.get("taken", ())}
        marks = {id: words("(has a partner)", "(уже в паре)") for id in paired}
        ids = ", ".join(" ".join((id, *filter(None, (names.get(id), marks.get(id))))) for id in issue[f"{side}_ids"])
        value = f": {values[side] or '—'}" if side in issue and issue["kind"] == "conflict" else ""
        at = issue.get(f"{side}_at")
        when = words.time(datetime.fromisoformat(at), now) if at else ""
        by = ", ".join(part for part in (issue.get(f"{side}_by"), when) if part)
        ends.append(f"{connection} {ids or '—'}{value}{f' ({by})' if by and value else ''}")
    why = f"  {words.cause(str(issue['why']))}" if issue.get("why") else ""
    return f"{what}  {' · '.join(ends)}{why}"


def where_apart(left: Any, right: Any) -> tuple[Any, Any]:
    """Two long texts cut to where they begin to differ; anything else as it is. --json has all of them."""
    if not (isinstance(left, str) and isinstance(right, str) and max(len(left), len(right)) > SHOWN_CHARS):
        return left, right
    pairs = enumerate(zip(left, right, strict=False))
    apart = next((at for at, (one, other) in pairs if one != other), min(len(left), len(right)))
    begin = max(0, apart - SHOWN_BEFORE)
    head, end = "…" if begin else "", begin + SHOWN_CHARS
    cut = [f"{head}{text[begin:end]}{'…' if len(text) > end else ''}" for text in (left, right)]
    return cut[0], cut[1]


def silence(words: Words, silent_s: float | None) -> str:
    """That a running pass may be dead already: a process that was killed tells nobody."""
    if silent_s is None or silent_s < QUIET_S:
        return ""
    quiet, left = words.duration(silent_s), words.duration(max(1.0, TTL_S - silent_s))
    return words(
        f", but its process has been silent for {quiet}; if it was killed, that is certain in {left}",
        f", но её процесс молчит {quiet}; убит ли он, будет ясно через {left}",
    )


def _show(settings: "Settings", one: "SyncStatus", passes: Sequence[Mapping[str, Any]]) -> None:
    from rich.text import Text

    from cli.sync_progress import counted

    words, out = Words.of(settings), console()
    english, russian, style = STATES[one.state]
    sides = {"left": one.settings.left, "right": one.settings.right}
    arrow = {"both": "↔", "left_to_right": "→", "right_to_left": "←"}[one.settings.direction]
    head = Text(f"{one.name}  {words.crm(sides['left'])} {arrow} {words.crm(sides['right'])}: ", style="bold")
    out.print(head.append(words(english, russian) + silence(words, one.silent_s), style=f"not bold {style}"))
    looked = "—"
    if one.lag_s is not None:
        lag = words.duration(one.lag_s)
        looked = words(f"{lag} ago", f"{lag} назад")
    paired = one.pairs.get("paired", 0)
    out.print(
        words(
            f"  looked {looked}   pairs {words.number(paired)}   due {words.number(one.due + one.creating)}",
            f"  просмотрено {looked}   пар {words.number(paired)}   ждёт {words.number(one.due + one.creating)}",
        )
    )
    if one.last_pass:
        error = f"  {words.cause(one.last_pass['error'])}" if one.last_pass["error"] else ""
        out.print(f"  {words('last pass', 'последний проход')} {one.last_pass['pass_id']}{error}")
    if one.would:
        did = ", ".join(counted(words, one.would, sides))
        out.print(f"  {words('would be', 'было бы')} {did}: leadhub sync plan {one.name}")
    now = SystemClock().now()
    for done in [done for done in passes if done["written"] and not done["shadow"]][:PASSES_SHOWN]:
        at = words.time(datetime.fromisoformat(done["started_at"]), now)
        did = ", ".join(counted(words, done["counts"], sides))
        out.print(f"  {at}  {words('pass', 'проход')} {done['pass_id']}  {did}")
    for issue in one.issues[:SHOWN]:
        out.print(Text(f"  {issue['id']}  {issue_line(words, issue, sides)}", style="yellow"))
    more = sum(one.counted.values()) - SHOWN
    if more > 0:
        out.print(words(f"  and {more} more: --json", f"  и ещё {more}: --json"))
