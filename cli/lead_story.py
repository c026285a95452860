"""One lead's whole story as text."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.leads import RUSSIAN_STATUS, STATUS_STYLE
from cli.words import Words, console
from jobs.reports import folded
from leads.attribution import touch_from_json
from leads.records import FLAGS
from leads.touch_text import describe_touch

if TYPE_CHECKING:
    from jobs.config.loading import Settings

SHOWN_BODY, SHOWN_CALL = 2000, 400
RUSSIAN_FLAGS = {
    "no_contact": "нет ни телефона, ни почты",
    "bad_phone": "телефон не удалось прочитать",
    "bad_email": "почту не удалось прочитать",
    "spam_honeypot": "заполнено скрытое поле",
    "spam_rate": "слишком много лидов с одного адреса",
    "identity_conflict": "связывает двух известных людей",
    "contact_shared": "не новое обращение: контакты, присланные в переписке",
    "recovered": "сам не пришёл: найден в списке источника",
    "charset_guessed": "текст был не в UTF-8, прочитан как windows-1251",
    "rerun": "сначала отклонён, потом впущен человеком",
    "test": "отправлен командой leadhub source test",
}
RUSSIAN_STATES = {
    "ready": "ждёт",
    "waiting": "ждёт предыдущего лида этого человека",
    "claimed": "передаётся сейчас",
    "held": "придержан, решает человек",
    "delivered": "доставлен",
    "failed": "не принят",
    "discarded": "снят",
}
STATES = {
    "ready": "waiting",
    "waiting": "waiting for an earlier lead of this person",
    "claimed": "being delivered now",
    "held": "held, a person decides",
    "delivered": "delivered",
    "failed": "not taken",
    "discarded": "discarded",
}
OUTCOMES = {
    "created": ("created", "создано"),
    "joined": ("joined an open deal", "добавлено к открытой сделке"),
    "looked": ("looked up, nothing found yet", "проверено в CRM, пока не найдено"),
    "held": ("held", "отложено"),
    "auth": ("no access", "нет доступа"),
    "refused": ("refused", "не принято"),
    "gave_up": ("gave up", "попытки прекращены"),
    "retryable": ("failed, nothing was written", "не удалось, ничего не записано"),
    "rate_limited": ("asked to wait", "просят подождать"),
    "unknown": ("no answer: will be looked up first", "нет ответа: сначала проверю в CRM"),
    "not_sent": ("not sent", "не отправлено"),
}
ACTIONS = {
    "lead.retry": ("retried by {}", "повтор: {}"),
    "lead.discard": ("discarded by {}", "снят: {}"),
    "lead.rerun": ("let in after all by {}", "впущен повторно: {}"),
    "person.joined": (
        "joined with the person of other enquiries by {}",
        "объединён с человеком из других обращений: {}",
    ),
    "person.apart": ("is another person, said {}", "это другой человек, решил: {}"),
}


def tell(settings: "Settings", lead: Mapping[str, Any]) -> None:
    out = console()
    for line in _Story(settings, lead).lines():
        out.print(line)


class _Story:
    def __init__(self, settings: "Settings", lead: Mapping[str, Any]) -> None:
        self._lead = lead
        self._words = Words.of(settings)
        self._zone = settings.hub.zone
        self._now = datetime.now(settings.hub.zone)

    def lines(self) -> Iterator[Text]:
        lead, words = self._lead, self._words
        status = words(lead["status"], RUSSIAN_STATUS[lead["status"]])
        head = Text(lead["name"] or words("no name", "без имени"), style="bold")
        head.append(f"   {status}", style=STATUS_STYLE[lead["status"]])
        yield head.append(f"   {lead['id']}", style="not bold dim")
        yield from self._facts()
        yield from self._section(words("Where it goes", "Куда"), self._deliveries())
        yield from self._section(words("What happened", "Что было"), self._timeline())
        yield from self._section(words("What came in", "Что пришло"), self._raw())

    def _section(self, title: str, lines: Iterator[Text]) -> Iterator[Text]:
        yield Text()
        yield Text(title, style="bold")
        yield from lines

    def _facts(self) -> Iterator[Text]:
        lead, words = self._lead, self._words
        at = self._moment(lead["received_at"])
        yield self._fact(words("received", "принят"), f"{at}, {words('source', 'источник')} {lead['source']}")
        named = {
            words("phone", "телефон"): ", ".join(lead["phones"]),
            words("e-mail", "почта"): ", ".join(lead["emails"]),
            words("messenger", "мессенджер"): ", ".join(": ".join(pair) for pair in lead["messengers"]),
            words("company", "компания"): lead["company"],
            words("comment", "комментарий"): lead["comment"].replace("\n", "\n" + " " * 15),
            words("form", "форма"): lead["form"],
            words("page", "страница"): lead["page_url"],
            words("came from", "пришёл"): self._touch(lead["last_touch"]),
            words("first", "впервые"): self._touch(lead["first_touch"]),
            words("ids", "метки"): ", ".join(f"{key}={value}" for key, value in lead["click_ids"].items()),
            words("sender's id", "id события"): lead["lead_uid"],
        }
        yield from (self._fact(name, text) for name, text in named.items() if text)
        yield from (self._fact(name, value) for name, value in lead["extra"].items())
        for flag in lead["flags"]:
            yield self._fact(words("flag", "отметка"), words(FLAGS.get(flag, flag), RUSSIAN_FLAGS.get(flag, flag)))
        if lead["status_why"]:
            yield self._fact(words("why", "почему"), lead["status_why"])
        if lead["duplicates"]:
            again = words.count(lead["duplicates"], ("time", "times"), ("раз", "раза", "раз"))
            differs = any(event["event"] == "lead.sent_again" for event in lead["timeline"])
            otherwise = words(", with other content: see below", ", с другим содержимым: см. ниже") if differs else ""
            yield self._fact(words("repeated", "повторён"), again + otherwise)
        yield from self._person()

    def _person(self) -> Iterator[Text]:
        lead, words = self._lead, self._words
        keys = ", ".join(one["value"] for one in lead["identities"])
        yield self._fact(words("person", "человек"), " ".join(filter(None, (lead["person_id"], keys and f"({keys})"))))
        for other in lead["other_leads"][:5]:
            status = words(other["status"], RUSSIAN_STATUS[other["status"]])
            text = f"{self._moment(other['received_at'])} {other['source']} {status} {other['id']}"
            yield self._fact(words("also wrote", "ещё писал"), text)

    def _touch(self, touch: Mapping[str, Any] | None) -> str:
        if not touch:
            return ""
        known = touch_from_json(touch)
        return f"{describe_touch(known, self._words.style.locale)} ({self._moment(known.at.isoformat())})"

    def _fact(self, name: str, text: str) -> Text:
        return Text(f"  {name:<12} ", style="dim").append(str(text), style="not dim")

    def _deliveries(self) -> Iterator[Text]:
        words = self._words
        if not self._lead["deliveries"]:
            yield Text(words("  nowhere: no route takes it", "  никуда: нет маршрута"), style="red")
        for one in self._lead["deliveries"]:
            state = words(STATES[one["state"]], RUSSIAN_STATES[one["state"]])
            line = Text(f"  {words.crm(one['connection'])}: {state}")
            if one["record_id"]:
                line.append(words(f", deal {one['record_id']}", f", сделка {one['record_id']}"))
            if one["contact_id"]:
                line.append(words(f", contact {one['contact_id']}", f", контакт {one['contact_id']}"))
            if one["assigned_to"]:
                line.append(words(f", responsible {one['assigned_to']}", f", ответственный {one['assigned_to']}"))
            if one["outcome"] == "joined":
                line.append(f", {words(*OUTCOMES['joined'])}")
            yield line
            if one["last_error"] and one["state"] != "delivered":
                yield Text(f"    {words.cause(one['last_error'])} ({one['last_error']})", style="red")
            if one["state"] == "ready":
                due = self._moment(one["due_at"])
                yield Text(words(f"    next try {due}", f"    следующая попытка {due}"))
            for left in one["incomplete"]:
                noted, empty = (
                    words("not taken, stands in the note", "не принято, записано в примечание"),
                    words("not filled", "не заполнено"),
                )
                where = f" ({left['where']})" if left.get("where") else ""
                what = noted if left.get("value") else empty
                why = words.cause(str(left.get("why", "")))
                yield Text(f"    {left.get('field', '')}{where}: {what}: {why}", style="yellow")

    def _timeline(self) -> Iterator[Text]:
        for event in folded(self._lead["timeline"]):
            at = f"  {datetime.fromisoformat(event['at']).astimezone(self._zone):%d.%m %H:%M:%S.%f}"[:-3]
            yield Text(f"{at}  {self._event(event)}")
            for call in event.get("calls", ()):
                yield from self._call(call)

    def _event(self, event: Mapping[str, Any]) -> str:
        words = self._words
        match event["event"]:
            case "received":
                text = words(f"received from {event['source']}", f"принят из {event['source']}")
                if event["spooled"]:
                    text += words(", through the spool", ", через файл рядом с базой")
                return text + (
                    words(f", route {event['route']}", f", маршрут {event['route']}") if event["route"] else ""
                )
            case "assigned":
                who = words(f"responsible {event['user'] or '—'}", f"ответственный {event['user'] or '—'}")
                return f"{words.crm(event['connection'])}: {who}: {event['why']}"
            case "attempt":
                outcome = words(*OUTCOMES.get(event["outcome"], (event["outcome"], event["outcome"])))
                number = words(f"attempt {event['number']}", f"попытка {event['number']}")
                if "count" in event:
                    number += f"–{event['last_number']}" if event["last_number"] > event["number"] else ""
                    times = words.count(event["count"], ("time", "times"), ("раз", "раза", "раз"))
                    outcome += f", {times}, {words('last', 'последний')} {self._moment(event['until'])}"
                took = words.seconds(event["took_ms"] / 1000)
                error = f": {event['error']}" if event["error"] else ""
                return f"{words.crm(event['connection'])}, {number}: {outcome}, {took}{error}"
            case "lead.sent_again":
                said = "; ".join(f"{name}: «{value}»" for name, value in event["data"].items())
                return words(f"came again, now with other content: {said}", f"пришёл ещё раз, уже с другим: {said}")
            case "person.tied":
                source = event["data"].get("source", "")
                return words(
                    f"turned out to be the person of other enquiries, by a contact given in {source}",
                    f"оказался тем же человеком, что и в других обращениях: контакт назван в {source}",
                )
        text = words(*ACTIONS.get(event["event"], (event["event"] + " {}", event["event"] + " {}")))
        return text.format(event.get("actor", "")) + (f": {event['why']}" if event.get("why") else "")

    def _call(self, call: Mapping[str, Any]) -> Iterator[Text]:
        answer = call["status"] or call["error"] or "—"
        yield Text(f"      {call['method']} {call['url']}  {answer}  {call['took_ms']} ms", style="dim")
        for arrow, text in (("→", call["request"]), ("←", call["answer"])):
            if text:
                yield Text(f"        {arrow} {_short(text, SHOWN_CALL)}", style="dim")

    def _raw(self) -> Iterator[Text]:
        raw = self._lead["raw"]
        if raw is None:
            return
        size = self._words(f"{raw['size_bytes']} bytes", f"{raw['size_bytes']} байт")
        yield Text(f"  {raw['method']} {raw['url']} {self._words('from', 'от')} {raw['remote_ip'] or '—'}, {size}")
        for name, value in raw["headers"].items():
            yield Text(f"  {name}: {value}", style="dim")
        yield Text(f"  {_short(raw['body'], SHOWN_BODY)}")

    def _moment(self, text: str) -> str:
        return self._words.time(datetime.fromisoformat(text), self._now, seconds=True)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … (--json: {len(text)})"
