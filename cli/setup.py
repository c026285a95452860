"""`leadhub setup`: makes the custom fields that leadhub fills and asks for webhooks, after showing both."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.auth import Connection, known_connection
from cli.frame import ConfigOption, JsonOption, load_settings, not_fine, print_json, say, warn
from cli.setup_webhooks import can_be_asked_for, show_webhooks, webhooks, webhooks_json

if TYPE_CHECKING:
    from cli.words import Words
    from connectors.base import NeededField
    from jobs.config.loading import Settings
    from store.db import Database

KINDS = {
    "contact": ("contact", "контакт"),
    "company": ("company", "компания"),
    "deal": ("deal", "сделка"),
    "note": ("note", "примечание"),
    "task": ("task", "задача"),
    "call": ("call", "звонок"),
}


def register(app: typer.Typer) -> None:
    @app.command()
    def setup(
        connection: Connection,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Make them without asking.")] = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Create the custom fields that leadhub needs in a CRM and, for a sync, its webhooks, after showing them."""
        settings = load_settings(config)
        known_connection(settings, connection)
        missing = _missing(settings, connection, create=False)
        told = webhooks(settings, connection, make=False)
        if as_json and not yes:
            fields = {"missing": [_json(one) for one in missing], "made": []}
            print_json({"connection": connection, **fields, "webhooks": webhooks_json(settings, told)})
            return
        if not as_json:
            _show(settings, connection, missing)
            show_webhooks(settings, connection, told)
        asks = can_be_asked_for(told)
        if not (missing or asks) or not (yes or _agreed(settings)):
            if as_json:
                shown = webhooks_json(settings, told)
                print_json({"connection": connection, "missing": [], "made": [], "webhooks": shown})
            if missing or asks:
                raise not_fine()
            return
        if missing:
            _missing(settings, connection, create=True)
        left = _missing(settings, connection, create=False) if missing else []
        told = webhooks(settings, connection, make=True) if asks else told
        made = [one for one in missing if one not in left]
        if as_json:
            print_json(
                {
                    "connection": connection,
                    "missing": [_json(one) for one in left],
                    "made": [_json(one) for one in made],
                    "webhooks": webhooks_json(settings, told),
                }
            )
        else:
            if missing:
                _tell(settings, connection, made, left)
            if asks:
                show_webhooks(settings, connection, told)
        if left or can_be_asked_for(told):
            raise not_fine()


def _json(field: "NeededField") -> dict[str, object]:
    return {"kind": field.kind, "code": field.code, "name": field.name_en, "unique": field.unique}


def _missing(settings: "Settings", name: str, *, create: bool) -> "list[NeededField]":
    """Asks the CRM, or makes what is missing; ends the command with advice when it is refused."""
    from cli.opened import with_database
    from cli.words import Words
    from connectors.errors import ConnectorError
    from connectors.registry import CONNECTORS
    from jobs.opening import opened, opening_of, patiently
    from leads.clock import SystemClock

    kind = settings.connections[name].type

    clock, needed = SystemClock(), CONNECTORS[kind].needed_fields

    async def work(db: "Database") -> "list[NeededField]":
        async with opened(kind, opening_of(settings, name, db, clock)) as target:
            # Safe to repeat: it looks which are there before it makes any.
            return await patiently(lambda: target.ensure_fields(needed, create=create), clock)

    try:
        return with_database(settings, work, make=True)
    except ConnectorError as error:
        _advise(Words.of(settings), name, error)
        raise not_fine() from error


def _advise(words: "Words", name: str, error: Exception) -> None:
    from connectors.errors import NOT_SIGNED_IN, AuthError, PermanentError

    if NOT_SIGNED_IN in str(error):
        warn(f"leadhub: {words.crm(name)}: {words.cause(str(error))}\n    leadhub auth {name}")
        return
    warn(f"leadhub: {words.crm(name)}: {words.cause(str(error))} ({error})")
    if isinstance(error, AuthError) and getattr(error, "status", 0) == 401:
        warn(
            words(
                f"    The token is not accepted: give a new one, or leadhub auth {name}",
                f"    Токен не принят: впишите новый или leadhub auth {name}",
            )
        )
    elif isinstance(error, AuthError | PermanentError):
        warn(
            words(
                "    The token may not make fields: use one of an administrator (with the right to change the CRM's "
                "settings),\n    or make the fields by hand with the names and codes shown above. "
                "Leads arrive without them too.",
                "    У токена нет права создавать поля: нужен токен администратора (с правом менять настройки CRM),\n"
                "    или создайте поля вручную с показанными названиями и кодами. Лиды доходят и без них.",
            )
        )


def _show(settings: "Settings", name: str, missing: "list[NeededField]") -> None:
    from cli.words import Words, console, table
    from connectors.registry import CONNECTORS

    words = Words.of(settings)
    needed = CONNECTORS[settings.connections[name].type].needed_fields
    lines = table(*words("record,field,code,", "запись,поле,код,").split(","))
    for field in needed:
        there = words("missing", "нет") if field in missing else words("there", "есть")
        lines.add_row(words(*KINDS[field.kind]), words(field.name_en, field.name_ru), field.code, there)
    console().print(lines)
    if not missing:
        say(words(f"{words.crm(name)} has all of them.", f"В {words.crm(name)} есть все."))


def _agreed(settings: "Settings") -> bool:
    from cli.words import Words

    words = Words.of(settings)
    try:
        return typer.confirm(words("Make the missing ones?", "Создать недостающие?"))
    except typer.Abort:
        say(
            words(
                "\nNothing was made; --yes makes them without asking.",
                "\nНичего не создано; --yes создаёт без вопроса.",
            )
        )
        return False


def _tell(settings: "Settings", name: str, made: "list[NeededField]", left: "list[NeededField]") -> None:
    from cli.words import Words

    words = Words.of(settings)
    fields = words.count(len(made), ("field", "fields"), ("поле", "поля", "полей"))
    say(words(f"Made {fields} in {words.crm(name)}.", f"В {words.crm(name)} создано: {fields}."))
    if left:
        names = ", ".join(words(one.name_en, one.name_ru) for one in left)
        warn(words(f"Still missing: {names}", f"Всё ещё нет: {names}"))
    elif made:
        say(
            words(
                "A running hub fills them within a quarter of an hour.",
                "Работающий хаб начнёт их заполнять в течение четверти часа.",
            )
        )
