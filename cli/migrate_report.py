"""The plan and the outcome of a move, for people."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.sync_status import issue_line
from cli.words import Words

if TYPE_CHECKING:
    from jobs.migrate.model import Move

OBJECTS = {
    "company": (("company", "companies"), ("компания", "компании", "компаний")),
    "contact": (("contact", "contacts"), ("контакт", "контакта", "контактов")),
    "deal": (("deal", "deals"), ("сделка", "сделки", "сделок")),
}
NAMES = {"company": ("companies", "компании"), "contact": ("contacts", "контакты"), "deal": ("deals", "сделки")}
NAMES |= {"lead": ("leads", "лиды")}
BY = {
    "name": ("", ""),
    "meaning": ("  (the same meaning)", "  (тот же смысл)"),
    "place": ("  (by its place: check it)", "  (по месту: проверьте)"),
    "": ("  (nothing like it)", "  (ничего похожего)"),
}
WHY = {
    "absent": ("not there", "нет в новой CRM"),
    "ambiguous": ("unclear who is who, see below", "неясно, кто есть кто, см. ниже"),
    "refused": ("refused by the new CRM", "новая CRM не приняла"),
    "creating": ("outcome unknown, the next run looks", "исход неизвестен, выяснит следующий запуск"),
}
WHAT = {
    "notes": ("notes", "примечания"),
    "tasks": ("tasks", "задачи"),
    "calls": ("calls", "звонки"),
    "messages": ("messages", "сообщения"),
    "letters": ("e-mails", "письма"),
    "meetings": ("meetings", "встречи"),
    "files": ("files", "файлы"),
    "contents of files": ("contents of files", "содержимое файлов"),
}
HISTORY_MOVES = (
    "Notes, tasks and calls go along as notes, tasks and calls; messages, letters, meetings, links of files and what "
    "the new CRM cannot hold as its own go into a note of history on each record.",
    "Примечания, задачи и звонки переходят примечаниями, задачами и звонками; сообщения, письма, встречи, ссылки "
    "на файлы и то, чего новая CRM отдельно не хранит, — примечанием с историей у каждой записи.",
)
HISTORY = {
    "before": ("written before", "перенесено раньше"),
    "changed": ("changed since in the old CRM, not written again", "изменились в прежней CRM, повторно не пишутся"),
    "cut": ("cut short", "сокращены"),
    "unknown": ("outcome unknown, the next run looks", "исход неизвестен, выяснит следующий запуск"),
    "declined": ("not taken as its own, in the note of history", "отдельно не приняты, стоят в примечании с историей"),
    "tasks_left": ("open tasks in the note of history alone", "открытых задач только в примечании с историей"),
    "refused": ("notes of history refused by the new CRM", "примечаний с историей новая CRM не приняла"),
}
KINDS = {"note": "notes", "task": "tasks", "call": "calls", "message": "messages", "letter": "letters"}
KINDS |= {"meeting": "meetings", "file": "files"}
LEADS = {
    "before": ("moved before", "перенесены раньше"),
    "closed": ("closed ones, which stay", "закрытых, они остаются"),
    "closed_since": ("closed in the old CRM since they were moved", "после переноса закрыты в прежней CRM"),
    "unknown": HISTORY["unknown"],
    "refused": ("refused by the new CRM", "новая CRM не приняла"),
}
SHOWN = 10


def command(move: "Move") -> str:
    sample = f" --sample {move.sample}" if move.sample else ""
    return f"leadhub migrate --from {move.source} --to {move.target}{sample} --yes"


def plan_lines(words: Words, plan: Mapping[str, Any]) -> Iterator[Text]:
    yield _head(words, plan)
    for name, one in plan["objects"].items():
        yield Text(f"  {words.count(one['old'], *OBJECTS[name])}")
    for money in plan["objects"]["deal"]["sums"]:
        yield Text(f"    {words('sum', 'сумма')} {_money(words, money['old'], money['currency'])}")
    yield from _one_currency(words, plan["objects"]["deal"])
    yield from _dictionary(words, plan["dictionary"], plan["objects"])
    for name, one in plan["objects"].items():
        about = f"{words(*NAMES[name])}: "
        yield from _unmapped(words, one, about)
        yield from _left_behind(words, one, about)
    yield from _not_moved(words, plan)


def report_lines(words: Words, report: Mapping[str, Any]) -> Iterator[Text]:
    yield _head(words, report)
    for one in report["passes"]:
        if one["state"] != "done":
            again = words(
                "not finished, run it again: it goes on where it was", "не закончено, запустите ещё раз: продолжит"
            )
            yield Text(
                f"  {words(*NAMES[one['object']])}: {again}. {words.cause(one['error']) if one['error'] else ''}",
                style="red",
            )
    for name, one in report["objects"].items():
        yield from _object(words, name, one)
    for name, one in report["history"].items():
        yield from _history(words, name, one)
    if report["leads"] is not None:
        yield from _leads(words, report["leads"])
    yield from _issues(words, report["issues"])
    yield from _not_moved(words, report)
    if report["differences"]:
        many = words.count(
            report["differences"], ("difference", "differences"), ("расхождение", "расхождения", "расхождений")
        )
        yield Text(many, style="yellow")
    elif report["finished"]:
        yield Text(words("Both CRMs agree.", "Обе CRM совпадают."), style="green")


def sync_lines(words: Words, move: "Move") -> Iterator[str]:
    """What to paste so that it goes on as syncs."""
    own = [step for step in move.steps if step.own]
    if not own:
        return
    yield words(
        "To go on as a sync while people change over, add to the configuration:",
        "Чтобы до конца переезда изменения шли дальше, добавьте в конфигурацию:",
    )
    yield "syncs:"
    for step in own:
        ends = f"left: {move.source}, right: {move.target}, object: {step.object}"
        yield f"  {step.sync}: {{{ends}, direction: left_to_right, mapping: {step.sync}}}"


def _head(words: Words, report: Mapping[str, Any]) -> Text:
    head = Text(f"{words.crm(report['from'])} → {words.crm(report['to'])}", style="bold")
    if report["sample"]:
        head.append(words(f"   sample of {report['sample']}", f"   проба: {report['sample']}"), style="not bold")
    return head


def _dictionary(words: Words, found: Mapping[str, Any], objects: Mapping[str, Any]) -> Iterator[Text]:
    for name, one in found.items():
        if "sync" in one:
            yield Text(f"  {words(*NAMES[name])}: {words('by the sync', 'синхронизацией')} {one['sync']}")
            continue
        new = words("   new: look through it", "   новый: просмотрите") if one["new"] else ""
        fields = words.count(one["fields"], ("field", "fields"), ("поле", "поля", "полей"))
        yield Text(f"  {one['file']}: {fields}{new}")
    stages = found["deal"].get("stages", ())
    used = {row["old"]: (row["new"], row["records"]) for row in objects["deal"]["stages"]}
    proposed = {row["old"]: row["by"] for row in stages}
    for old, (becomes, count) in used.items():
        by = words(*BY[proposed.get(old, "name")]) if found["deal"].get("new") else ""
        missing = words("no stage: the first one of the new CRM", "стадии нет: первая в новой CRM")
        yield Text(f"    {old} → {becomes or missing}: {words.number(count)}{by}", style="" if becomes else "yellow")
    users = {email for one in found.values() for email in one.get("users_not_found", ())}
    if users:
        yield Text(
            f"  {words('users not found', 'пользователи не найдены')}: {', '.join(sorted(users))}", style="yellow"
        )


def _object(words: Words, name: str, one: Mapping[str, Any]) -> Iterator[Text]:
    total = "" if one["new_total"] is None else words(f", {one['new_total']} in all", f", всего там {one['new_total']}")
    head = words.count(one["old"], *OBJECTS[name])
    there = words(f"{words.number(one['there'])} there", f"в новой {words.number(one['there'])}")
    line = Text(f"  {head}: {there}{total}", style="" if one["there"] == one["old"] else "yellow")
    yield line
    if one["filtered"]:
        yield Text(f"    {words('kept out by the condition', 'не подходят под условие')}: {one['filtered']}")
    for why, count in one["absent"].items():
        ids = ", ".join(row["id"] for row in one["absent_examples"] if row["why"] == why)
        yield Text(f"    {words(*WHY[why])}: {words.number(count)}  ({ids})", style="yellow")
    for row in one["stages"]:
        style = "" if row["there"] == row["records"] and row["new"] else "yellow"
        yield Text(f"    {row['old']} → {row['new'] or '—'}: {row['records']} / {row['there']}", style=style)
    for money in one["sums"]:
        yield from _sum(words, money)
    yield from _one_currency(words, one)
    links = one["links"]
    if links["old"]:
        style = "yellow" if links["orphans"] else ""
        yield Text(f"    {words('links', 'связей')}: {links['old']} / {links['there']}", style=style)
        for row in links["examples"][:SHOWN]:
            yield Text(f"      {row['id']} → {row['to']} {row['to_id']}: {row['why']}", style="yellow")
    yield from _unmapped(words, one)
    fields = one["fields"]
    compared = words(
        f"{words.number(fields['compared'])} values compared", f"сверено значений: {words.number(fields['compared'])}"
    )
    yield Text(f"    {compared}")
    for field, count in fields["different"].items():
        yield Text(f"    {words('differs', 'отличается')}: {field}: {words.number(count)}", style="yellow")
    for row in fields["examples"][:SHOWN]:
        yield Text(f"      {row['old_id']} · {row['new_id']}  {row['field']}: {row['old']} / {row['new']}")
    for field, count in fields["kept"].items():
        yield Text(f"    {words('left as it was in the new CRM', 'оставлено, как было в новой CRM')}: {field}: {count}")
    yield from _left_behind(words, one)


def _history(words: Words, name: str, one: Mapping[str, Any]) -> Iterator[Text]:
    written = sum(one["made"].values()) + one["entries"]
    entries = words.count(written, ("entry", "entries"), ("запись", "записи", "записей"))
    line = f"  {words('history', 'история')}, {words(*NAMES[name])}: {words('written', 'перенесено')}: {entries}"
    for key, told in HISTORY.items():
        if one[key]:
            line += f", {words(*told)}: {words.number(one[key])}"
    yield Text(line, style="yellow" if one["refused"] or one["unknown"] else "")
    for kind in KINDS:
        if (sides := one["kinds"].get(kind)) is None:
            continue
        line = f"    {words(*WHAT[KINDS[kind]])}: {words.number(sides['old'])} / {words.number(sides['own'])}"
        if sides["noted"]:
            line += words(", in the note of history: ", ", в примечании с историей: ") + words.number(sides["noted"])
        if sides["absent"]:
            line += f", {words('not there', 'нет в новой CRM')}: {words.number(sides['absent'])}"
            line += f"  ({', '.join(dict.fromkeys(sides['absent_ids']))})"
        yield Text(line, style="yellow" if sides["absent"] else "")
    yield from _trouble(words, one)


def _trouble(words: Words, one: Mapping[str, Any]) -> Iterator[Text]:
    for row in one["examples"]:
        what = f" ({words(*WHAT[KINDS[row['what']]])})" if row.get("what") else ""
        yield Text(f"    {row['id']}{what}: {row['why']}", style="yellow")
    if one["error"]:
        again = words("not finished, run it again", "не закончено, запустите ещё раз")
        yield Text(f"    {again}. {words.cause(one['error'])}", style="red")


def _leads(words: Words, one: Mapping[str, Any]) -> Iterator[Text]:
    moved = words(f"{words.number(one['moved'])} moved", f"перенесено {words.number(one['moved'])}")
    line = f"  {words.leads(one['old'])}: {moved}"
    for key, told in LEADS.items():
        if one[key]:
            line += f", {words(*told)}: {words.number(one[key])}"
            line += f" ({', '.join(one['closed_ids'])})" if key == "closed_since" else ""
    yield Text(line, style="yellow" if one["refused"] or one["unknown"] else "")
    yield from _trouble(words, one)


def _sum(words: Words, money: Mapping[str, Any]) -> Iterator[Text]:
    style = "" if Decimal(money["expected"]) == Decimal(money["new"]) else "yellow"
    told = [_money(words, money[side], money["currency"]) for side in ("old", "new")]
    rounded = Decimal(money["expected"]) - Decimal(money["old"])
    note = words(f"  (rounded there: {rounded})", f"  (там округлено: {rounded})") if rounded and not style else ""
    yield Text(f"    {words('sum', 'сумма')}: {told[0]} / {told[1]}{note}", style=style)


def _one_currency(words: Words, one: Mapping[str, Any]) -> Iterator[Text]:
    if len(one["sums"]) > 1 and not one["keeps_currency"]:
        told = words(
            "the new CRM keeps no currency: there all of these are sums in its own",
            "валюту новая CRM не хранит: там всё это станет суммами в её собственной",
        )
        yield Text(f"    {told}", style="yellow")


def _unmapped(words: Words, one: Mapping[str, Any], about: str = "") -> Iterator[Text]:
    """`about`: of which records, where no line above says it."""
    told = words("no counterpart", "нет пары")
    for row in one["unmapped"][:SHOWN]:
        what = f"{row['field']}: {row['value']}" if row["value"] else row["field"]
        yield Text(f"    {about}{told}: {what}: {words.number(row['records'])}", style="yellow")


def _left_behind(words: Words, one: Mapping[str, Any], about: str = "") -> Iterator[Text]:
    if one["left_behind"]:
        what = words("not in the dictionary, stays behind", "нет в словаре, остаётся")
        told = ", ".join(f"{row['field']} ({row['records']})" for row in one["left_behind"])
        yield Text(f"    {about}{what}: {told}")


def _not_moved(words: Words, report: Mapping[str, Any]) -> Iterator[Text]:
    if report["history_moves"]:
        yield Text(words(*HISTORY_MOVES))
    left = [words(*WHAT[name]) for name in report["not_moved"] if name in WHAT]
    yield Text(
        words(
            f"Not moved, stays in the old CRM: {', '.join(left)}.",
            f"Не переносится, остаётся в прежней CRM: {', '.join(left)}.",
        )
    )
    if report["leads_left"]:
        many = words.leads(report["leads_left"])
        yield Text(words(f"Not moved: {many} of the classic mode.", f"Не переносятся: {many} классического режима."))
    elif report["old_leads"] and not report["moved"]:
        many = words.leads(report["old_leads"])
        yield Text(
            words(
                f"{many} of the classic mode: the open ones become deals (or leads, where the new CRM has those).",
                f"{many} классического режима: открытые станут сделками (или лидами, если они в новой CRM есть).",
            )
        )
    for name, one in report["dictionary"].items():
        if one.get("created_at_kept") is False:
            yield Text(
                words(
                    f"{words(*NAMES[name])}: the new CRM sets the time of creation itself; see the dictionary.",
                    f"{words(*NAMES[name])}: время создания новая CRM ставит сама; см. словарь.",
                )
            )


def _issues(words: Words, issues: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """With what decides each; `conflicts list` shows only syncs of the configuration."""
    for issue in issues[:SHOWN]:
        line = issue_line(words, issue, issue["ends"])
        yield Text(f"  {issue['id']}  {words(*NAMES[issue['object']])}: {line}", style="yellow")
    if issues:
        how = words("decide, then run again", "решите и запустите ещё раз")
        yield Text(f"  {how}: leadhub sync conflicts resolve ID --pair L R | --apart | --again | --done")
    if len(issues) > SHOWN:
        yield Text(words(f"  and {len(issues) - SHOWN} more: --json", f"  и ещё {len(issues) - SHOWN}: --json"))


def _money(words: Words, text: str, currency: str) -> str:
    value = Decimal(text)
    whole = value == value.to_integral_value()
    shown = words.number(int(value)) if whole else words.money(value)
    return f"{shown} {currency}".strip()
