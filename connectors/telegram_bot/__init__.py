"""A Telegram bot that people write to, and business accounts connected to it."""

from connectors.chats import check_address
from connectors.doors import Door, Inbound, Refused, same_secret
from connectors.links import Link, LinkOpening
from connectors.telegram_bot.parse import parse
from connectors.telegram_bot.settings import TelegramBotSettings

__all__ = ["SOURCE", "TelegramBotSettings"]


def verify(settings: TelegramBotSettings, inbound: Inbound) -> None:
    """The token in the address and Telegram's header, each where it is set. Raises Refused."""
    check_address(settings, inbound)
    given = inbound.headers.get("x-telegram-bot-api-secret-token", "")
    if settings.secret_token is not None and not same_secret(given, settings.secret_token.get_secret_value()):
        raise Refused("the secret token is wrong or missing")


def link(opening: LinkOpening) -> Link | None:
    """With bot_token."""
    from connectors.telegram_bot.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="telegram",
    title="Telegram",
    settings=TelegramBotSettings,
    group="messenger",
    parse=parse,
    verify=verify,
    link=link,
)
