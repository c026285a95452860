"""`leadhub alerts`: do alerts reach people?"""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say, warn

if TYPE_CHECKING:
    from jobs.config.loading import Settings


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Alerts to people.")

    @group.command()
    def test(
        channel: Annotated[str, typer.Argument(metavar="CHANNEL", show_default=False, help="Default: all.")] = "",
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Send a test message to the alert channels; exit status 1 if one does not take it."""
        settings = load_settings(config)
        names = _channels(settings, channel)
        failures = asyncio.run(_send(settings, names))
        if as_json:
            print_json({name: {"sent": not why, "error": why} for name, why in failures.items()})
        else:
            _tell(settings, failures)
        if any(failures.values()):
            raise not_fine()

    @group.command("list")
    def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """The channels of the configuration."""
        channels = load_settings(config).alerts.channels
        if as_json:
            print_json({name: one.type for name, one in channels.items()})
            return
        for name, one in channels.items():
            say(f"{name} ({one.type})")

    app.add_typer(group, name="alerts")


def _channels(settings: "Settings", wanted: str) -> list[str]:
    from jobs.config.errors import choices

    known = settings.alerts.channels
    if not known:
        raise CannotRun("no alert channel is configured", "alerts: {channels: {ops: {type: telegram, …}}}")
    if wanted and wanted not in known:
        raise CannotRun(f'alert channel "{wanted}" is not defined', choices(wanted, known, "defined"))
    return [wanted] if wanted else list(known)


async def _send(settings: "Settings", names: list[str]) -> dict[str, str]:
    """Channel -> why it did not take the message, "" when it did."""
    from connectors.errors import ConnectorError
    from connectors.notify import Notice
    from jobs.alerts.opening import open_channels
    from jobs.trouble import trouble
    from leads.clock import SystemClock

    states = open_channels(settings, SystemClock(), lambda _vendor: None)
    found: dict[str, str] = {}
    for state in states:
        if state.name in names:
            text = _text(state.style.locale, str(settings.hub.public_url or ""))
            try:
                await state.channel.send(Notice(text, topic="leadhub test"))
                found[state.name] = ""
            except ConnectorError as error:
                found[state.name] = trouble(error, state.style.locale, who=state.name).text
        await state.channel.close()
    return found


def _text(locale: str, url: str) -> str:
    from html import escape

    where = f"\n{escape(url)}" if url else ""
    if locale == "ru":
        return f"🟢 Проверка связи: сюда leadhub пришлёт сообщение, если лиды не доходят.{where}"
    return f"🟢 Test: leadhub writes here when leads do not arrive.{where}"


def _tell(settings: "Settings", failures: dict[str, str]) -> None:
    from cli.words import Words

    words = Words.of(settings)
    for name, why in failures.items():
        kind = settings.alerts.channels[name].type
        if why:
            warn(f"leadhub: {name} ({kind}): {why}")
        else:
            say(
                words(
                    f"{name} ({kind}): sent, look whether it is there.",
                    f"{name} ({kind}): отправлено, проверьте, что пришло.",
                )
            )
