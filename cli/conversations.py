"""`leadhub conversations`: what was said in messengers, answers, and what a person decides about them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say

if TYPE_CHECKING:
    from jobs.config.loading import Settings
    from store.db import Database

RUSSIAN = {
    "received": "",
    "sent": "отправлено",
    "pending": "ждёт отправки",
    "failed": "не отправлено",
    "unknown": "неизвестно, дошло ли",
}
NOTES = {
    "ready": ("waiting", "ждёт"),
    "written": ("written", "записана"),
    "dead": ("not written", "не записана"),
    "discarded": ("discarded", "снята"),
}
Id = Annotated[str, typer.Argument(metavar="ID", show_default=False)]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Conversations in messengers, and answers to clients.")

    @group.command("list")
    def list_(
        source: Annotated[str, typer.Option(help="Only of this source.", show_default=False)] = "",
        lead: Annotated[str, typer.Option(help="Only that of this lead.", show_default=False)] = "",
        limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """The one with the newest message first."""
        _list(load_settings(config), source, lead, limit, as_json=as_json)

    @group.command()
    def show(conversation: Id, config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """What was said, and the notes made of it."""
        _show(load_settings(config), conversation, as_json=as_json)

    @group.command()
    def reply(
        conversation: Id,
        text: Annotated[str, typer.Argument(metavar="TEXT", show_default=False)],
        config: ConfigOption = None,
    ) -> None:
        """Answer in the messenger that the client wrote from; the running hub sends it."""
        _reply(load_settings(config), conversation, text)

    @group.command()
    def note(conversation: Id, config: ConfigOption = None) -> None:
        """Note in the CRM now what was said so far."""
        _retry(load_settings(config), conversation)

    @group.command()
    def retry(
        which: Annotated[str, typer.Argument(metavar="ID", help="Of a conversation or a message.", show_default=False)],
        config: ConfigOption = None,
    ) -> None:
        """Write its notes again, or send a message again: also one that may have arrived."""
        _retry(load_settings(config), which)

    @group.command()
    def discard(
        which: Annotated[str, typer.Argument(metavar="ID", help="Of a conversation or a message.", show_default=False)],
        why: Annotated[str, typer.Option(help="The reason, kept with the lead.", show_default=False)] = "",
        config: ConfigOption = None,
    ) -> None:
        """Decide that its notes need not be written, or that a message need not be sent."""
        _discard(load_settings(config), which, why)

    app.add_typer(group, name="conversations")


def _list(settings: "Settings", source: str, lead: str, limit: int, *, as_json: bool) -> None:
    from rich.text import Text

    from cli.opened import with_database
    from cli.words import Words, console, table
    from jobs.talks.reports import list_json
    from store.conversations import TalkFilter

    wanted = TalkFilter(source=source, lead_id=lead)

    async def work(db: "Database") -> list[dict[str, Any]]:
        return await db.read(list_json, wanted, limit=limit, before=None)

    found = with_database(settings, work)
    if as_json:
        print_json(found)
        return
    words = Words.of(settings)
    if not found:
        say(words("Nobody has written yet.", "Никто ещё не писал."))
        return
    lines = table(*words("id,last,source,channel,who,lead", "id,последнее,источник,канал,кто,лид").split(","))
    now = datetime.now(settings.hub.zone)
    for one in found:
        last = words.time(datetime.fromisoformat(one["last_at"]), now)
        lines.add_row(one["id"], last, Text(one["source"]), one["channel"], Text(one["name"]), one["lead_id"])
    console().print(lines)


def _show(settings: "Settings", conversation: str, *, as_json: bool) -> None:
    from cli.opened import with_database
    from cli.words import Words
    from jobs.talks.reports import talk_json
    from leads.conversations import labels_of

    async def work(db: "Database") -> dict[str, Any] | None:
        return await db.read(talk_json, conversation)

    found = with_database(settings, work)
    if found is None:
        raise CannotRun(f"there is no conversation {conversation}", "leadhub conversations list")
    if as_json:
        print_json(found)
        return
    words, now = Words.of(settings), datetime.now(settings.hub.zone)
    labels = labels_of(settings.hub.locale)
    for one in found["messages"]:
        who = one["author_name"] or words(one["author"], {"client": "клиент", "us": "мы", "bot": "бот"}[one["author"]])
        arrow = "→ " if one["author"] != "client" else ""
        state = words(one["state"], RUSSIAN[one["state"]]) if one["state"] not in ("received", "sent") else ""
        media = "".join(f" [{labels.kinds[part['kind']]}] {part['url'] or part['name']}" for part in one["media"])
        changed = labels.deleted if one["deleted"] else labels.edited if one["edited"] else ""
        tail = (f"  ({changed})" if changed else "") + (f"  ({state}: {one['id']})" if state else "")
        say(f"{words.time(datetime.fromisoformat(one['at']), now)}  {arrow}{who}: {one['text']}{media}{tail}")
    for one in found["notes"]:
        record = one["record_id"] or one["error"]
        state = words(*NOTES[one["state"]])
        say(f"{words('note', 'заметка')} {one['number']}  {one['connection']}  {state}  {record}".rstrip())


def _reply(settings: "Settings", conversation: str, text: str) -> None:
    from cli.opened import actor, with_database
    from cli.words import Words
    from jobs.sources.links import close_links, open_links
    from jobs.talks import replying
    from leads.clock import SystemClock

    clock = SystemClock()

    async def work(db: "Database") -> replying.Answered:
        links = open_links(settings, clock, settings.hub.default_region or "", lambda _: None)
        try:
            return await db.write(replying.reply, links, conversation, text, actor=actor(), request_key="", clock=clock)
        finally:
            await close_links(links)

    answered = with_database(settings, work)
    if answered.missing:
        raise CannotRun(f"there is no conversation {conversation}", "leadhub conversations list")
    if answered.refusal is not None:
        raise CannotRun(f"not sent: {answered.refusal}")
    say(Words.of(settings)("It is in the queue", "Поставлено в очередь") + f": {answered.message_id}")


def _retry(settings: "Settings", which: str) -> None:
    from cli.opened import actor, with_database
    from cli.words import Words
    from jobs.talks import replying
    from jobs.talks.gathering import Gathering
    from leads.clock import SystemClock

    clock = SystemClock()

    async def work(db: "Database") -> bool:
        if await db.write(replying.decide, which, "retry", actor=actor(), clock=clock):
            return True
        gathering = Gathering(db, clock, settings, lambda _: None)
        return await replying.note_now(db, gathering, which, actor=actor(), clock=clock)

    if not with_database(settings, work):
        say(Words.of(settings)("There is nothing to do.", "Делать нечего."))
        raise not_fine()
    say(Words.of(settings)("It is in the queue.", "Поставлено в очередь."))


def _discard(settings: "Settings", which: str, why: str) -> None:
    from cli.opened import actor, with_database
    from cli.words import Words
    from jobs.talks import replying
    from leads.clock import SystemClock

    clock = SystemClock()

    async def work(db: "Database") -> bool:
        if await db.write(replying.decide, which, "discard", actor=actor(), clock=clock):
            return True
        return bool(await replying.let_be(db, which, actor=actor(), why=why, clock=clock))

    if not with_database(settings, work):
        say(Words.of(settings)("There is nothing to discard.", "Снимать нечего."))
        raise not_fine()
    say(Words.of(settings)("Discarded.", "Снято."))
