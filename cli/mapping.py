"""`leadhub mapping try / test` and `leadhub fields`: writing a mapping without sending anything to a CRM."""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.auth import Connection, known_connection
from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say, warn

if TYPE_CHECKING:
    from jobs.config.loading import Settings
    from mappings.engine import FieldProblem
    from mappings.trace import Traced
    from mappings.views import Facts
    from store.db import Database

OBJECTS = ("contact", "company", "deal", "lead")
SHOWN_VALUES = 8


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Try out mappings.", no_args_is_help=True)

    @group.command(name="try")
    def try_out(
        name: Annotated[str, typer.Argument(metavar="NAME", help="Of a mapping of enquiries.", show_default=False)],
        lead: Annotated[str, typer.Option(metavar="ID", help="A lead that came in.", show_default=False)] = "",
        file: Annotated[
            Path | None, typer.Option(metavar="F", help="YAML or JSON: fields as a form sends them.")
        ] = None,
        source: Annotated[str, typer.Option(help="The source that --file is taken to come from.")] = "site",
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """What a lead becomes by a mapping, each value with the line it came from; nothing is written to a CRM."""
        from cli.words import Words

        settings = load_settings(config)
        words = Words.of(settings)
        if bool(lead) == (file is not None):
            how = words(
                "--lead ID of one that came in, or --file with the fields of a form",
                "--lead ID пришедшего или --file с полями формы",
            )
            raise CannotRun(words("which lead?", "какой лид?"), how)
        if name.startswith("sync/"):
            raise CannotRun(
                words("this tries mappings of enquiries", "здесь пробуют маппинги заявок"),
                words(
                    "for those of syncs: examples in mappings/tests and `leadhub mapping test`, or `leadhub sync plan`",
                    "для синхронизаций: примеры в mappings/tests и `leadhub mapping test` или `leadhub sync plan`",
                ),
            )
        _try(settings, name, _facts(settings, lead, file, source), as_json=as_json)

    @group.command()
    def test(config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Run the examples of mappings/tests/*.yaml and show where they come out differently."""
        _test(load_settings(config), as_json=as_json)

    app.add_typer(group, name="mapping")

    @app.command()
    def fields(
        connection: Connection,
        object_: Annotated[
            str, typer.Argument(metavar="[OBJECT]", help="contact, company, deal or lead; default: all.")
        ] = "",
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """List a CRM's fields: what a mapping may name them by, their types and values."""
        from cli.words import Words

        settings = load_settings(config)
        known_connection(settings, connection)
        if object_ and object_ not in OBJECTS:
            words = Words.of(settings)
            raise CannotRun(words(f'there is no object "{object_}"', f"«{object_}» нет"), words.near(object_, OBJECTS))
        _fields(settings, connection, (object_,) if object_ else OBJECTS, as_json=as_json)


# --- try -----------------------------------------------------------------------------------------


def _facts(settings: "Settings", lead: str, file: Path | None, source: str) -> "Facts":
    from cli.words import Words
    from jobs.mapping_trials import facts_from_fields, facts_of_stored, read_fields, source_named
    from leads.clock import SystemClock

    now = SystemClock().now()
    if file is not None:
        if not file.is_file():
            raise CannotRun(f"{file}: {Words.of(settings)('no such file', 'такого файла нет')}")
        try:
            return facts_from_fields(settings, read_fields(file), source_named(settings, source), now)
        except ValueError as error:
            raise CannotRun(f"{file}: {error}") from error
    from cli.opened import with_database

    async def read(db: "Database") -> "Facts | None":
        return await facts_of_stored(settings, db, lead, now)

    found = with_database(settings, read)
    if found is None:
        warn(f"leadhub: {Words.of(settings)(f'there is no lead {lead}', f'лида {lead} нет')}")
        raise not_fine()
    return found


def _try(settings: "Settings", name: str, facts: "Facts", *, as_json: bool) -> None:
    from jobs.config.errors import ConfigError
    from mappings.load import load_mapping
    from mappings.problems import MappingError
    from mappings.trace import trace

    try:
        mapping = load_mapping(name, settings.base_dir / "mappings", locale=settings.hub.locale)
    except MappingError as error:
        raise ConfigError(error.problems) from error
    values, problems = trace(mapping, facts)
    if as_json:
        print_json(
            {
                "mapping": name,
                "lead": facts.lead.id,
                "values": [_traced(one) for one in values],
                "problems": [_problem(one) for one in problems],
            }
        )
    else:
        _print_tried(settings, facts, values, problems)
    if problems:
        raise not_fine()


def _traced(one: "Traced") -> dict[str, Any]:
    place = one.place
    return {
        "target": one.target,
        "value": one.value,
        "file": place.file,
        "line": place.line,
        "column": place.column,
    }


def _problem(one: "FieldProblem") -> dict[str, Any]:
    return {"path": one.path, "message": one.message, "file": one.file, "line": one.line}


def _print_tried(
    settings: "Settings", facts: "Facts", values: "tuple[Traced, ...]", problems: "tuple[FieldProblem, ...]"
) -> None:
    from cli.words import Words
    from mappings.values import text_of

    words = Words.of(settings)
    wide = max((len(one.target) for one in values), default=0)
    for name, own in (("contact.phones", facts.lead.phones), ("contact.emails", facts.lead.emails)):
        if own:  # these go there whatever the mapping says
            of_lead = words("of the lead itself", "самого лида")
            say(f"{name:{wide}}  {', '.join(own)}\n{'':{wide}}    {of_lead}")
    for one in values:
        text = text_of(one.value)
        shown = f"\n{text}".replace("\n", "\n    ") if "\n" in text else text
        say(f"{one.target:{wide}}  {shown}\n{'':{wide}}    {one.place.file}:{one.place.line}")
    for problem in problems:
        warn(f"{problem.file}:{problem.line}  {problem.path}: {problem.message}")


# --- test ----------------------------------------------------------------------------------------


def _test(settings: "Settings", *, as_json: bool) -> None:
    from jobs.mapping_trials import run_tests
    from leads.clock import SystemClock

    outcome = run_tests(settings, SystemClock().now())
    if as_json:
        tests = [{"name": name, "expectations": count} for name, count in outcome.tests]
        print_json({"tests": tests, "differences": list(outcome.differences)})
    elif not outcome.tests:
        say("there are no examples: write one into mappings/tests/, see docs/mappings.md")
    else:
        for difference in outcome.differences:
            say(difference.render())
        broken = len({(one.file, one.test) for one in outcome.differences})
        total = sum(count for _, count in outcome.tests)
        say(f"{len(outcome.tests) - broken} of {len(outcome.tests)} examples come out as expected ({total} values).")
    if outcome.differences:
        raise not_fine()


# --- fields --------------------------------------------------------------------------------------


def _fields(settings: "Settings", connection: str, objects: tuple[str, ...], *, as_json: bool) -> None:
    from cli.words import Words
    from connectors.errors import ConnectorError

    try:
        found = asyncio.run(_asked(settings, connection))
    except ConnectorError as error:
        words = Words.of(settings)
        warn(f"leadhub: {words.crm(connection)}: {words.cause(str(error))} ({error})")
        raise not_fine() from error
    rows = [row for row in found if row["object"] in objects]
    if as_json:
        print_json(rows)
        return
    if not rows:
        words = Words.of(settings)
        warn(
            words("leadhub: the CRM has no leads", "leadhub: лидов в этой CRM нет")
            if found and objects == ("lead",)
            else words(
                "leadhub: the CRM did not tell its fields: has the token the right to read them?",
                "leadhub: CRM не показала свои поля: есть ли у токена право их читать?",
            )
        )
        raise not_fine()
    _print_fields(rows)


async def _asked(settings: "Settings", connection: str) -> list[dict[str, Any]]:
    from cli.check import connection_tokens
    from connectors.base import Opening
    from connectors.registry import CONNECTORS
    from jobs.field_list import field_rows
    from jobs.opening import WAITS_S, patiently
    from jobs.sync.opening import Opened, account_for
    from leads.clock import SystemClock

    clock = SystemClock()
    configured = settings.connections[connection]
    connector = CONNECTORS[configured.type]
    async with connection_tokens(settings, clock) as tokens:
        target = connector.open(Opening(connection, configured.settings, clock, tokens(connection)))
        try:
            await patiently(target.ping, clock)
            metadata = await target.metadata()
            for wait_s in WAITS_S:  # a hub that runs beside us uses up the vendor's rate, too
                if metadata.known >= {"fields", "pipelines"}:
                    break
                await clock.sleep(wait_s)
                metadata = await target.metadata()
            if metadata.deal_is == "deal":
                return field_rows(connector, metadata)
            opened = Opened(connection, connector, target, configured.settings)
            deals = await patiently(partial(account_for, settings, "deal", opened, opened.port()), clock)
            return field_rows(connector, metadata, deals)
        finally:
            await target.close()


def _print_fields(rows: list[dict[str, Any]]) -> None:
    from cli.words import console, table

    lines = table("object", "id", "code", "name", "type", "values")
    for row in rows:
        names = list(row["values"])
        more = f" … ({len(names)})" if len(names) > SHOWN_VALUES else ""
        kind = row["type"] + (", several" if row["several"] else "") + (", read-only" if row["read_only"] else "")
        shown = ", ".join(names[:SHOWN_VALUES]) + more
        lines.add_row(row["object"], row["id"], row["code"], row["name"], kind, shown)
    console().print(lines)
