"""The part of `leadhub setup` about webhooks: what the CRM tells the hub of, for connections that are synced."""

from typing import TYPE_CHECKING, Any

from cli.frame import not_fine, say, warn

if TYPE_CHECKING:
    from connectors.webhooks import Subscribed
    from jobs.config.loading import Settings
    from store.db import Database


def webhooks(settings: "Settings", name: str, *, make: bool) -> "Subscribed | None":
    """None where no sync needs them, the CRM has none, the hub no public address or the token not the right.

    With `make`, a refusal ends the command.
    """
    from cli.opened import with_database
    from cli.words import Words
    from connectors.errors import ConnectorError
    from connectors.registry import CONNECTORS
    from jobs.opening import opened, opening_of, patiently
    from leads.clock import SystemClock

    kind, clock = settings.connections[name].type, SystemClock()
    subscribe = CONNECTORS[kind].subscribe
    if subscribe is None or not _is_synced(settings, name) or not settings.hub.public_url:
        return None
    address = f"{str(settings.hub.public_url).rstrip('/')}/hooks/{name}"

    async def work(db: "Database") -> "Subscribed":
        async with opened(kind, opening_of(settings, name, db, clock)) as target:
            return await patiently(lambda: subscribe(target, address, make), clock)

    try:
        return with_database(settings, work, make=True)
    except ConnectorError as error:
        words = Words.of(settings)
        warn(f"leadhub: {words.crm(name)}: {words.cause(str(error))} ({error})")
        warn(
            words(
                "    Webhooks cannot be asked for with this token; changes are polled all the same.",
                "    С этим токеном подписаться на вебхуки нельзя; изменения всё равно опрашиваются.",
            )
        )
        if make:
            raise not_fine() from error
        return None


def can_be_asked_for(told: "Subscribed | None") -> bool:
    return told is not None and bool(told.missing) and told.by_hand is None


def show_webhooks(settings: "Settings", name: str, told: "Subscribed | None") -> None:
    from cli.words import Words

    words = Words.of(settings)
    if told is None:
        if _is_synced(settings, name) and not settings.hub.public_url:
            say(
                words(
                    "Webhooks: set hub.public_url and the CRM can tell of changes; until then they are polled.",
                    "Вебхуки: укажите hub.public_url, чтобы CRM сообщала об изменениях; пока они опрашиваются.",
                )
            )
        return
    if not told.missing:
        crm = words.crm(name)
        say(words(f"Webhooks: {crm} tells {told.address}.", f"Вебхуки: {crm} сообщает на {told.address}."))
    elif told.by_hand is not None:
        say(f"{words('Webhooks', 'Вебхуки')}: {_by_hand(settings, told)}")
    else:
        count = words.count(len(told.missing), ("event", "events"), ("событие", "события", "событий"))
        events = ", ".join(told.missing)
        say(
            words(
                f"Webhooks: {told.address} is not told of {count}: {events}",
                f"Вебхуки: на {told.address} не сообщается: {count}: {events}",
            )
        )


def webhooks_json(settings: "Settings", told: "Subscribed | None") -> dict[str, Any] | None:
    if told is None:
        return None
    by_hand = _by_hand(settings, told) if told.by_hand else None
    return {"address": told.address, "missing": list(told.missing), "by_hand": by_hand}


def _by_hand(settings: "Settings", told: "Subscribed") -> str:
    from cli.words import Words

    english, russian = told.by_hand or ("", "")
    text = Words.of(settings)(english, russian)
    return text.replace("{address}", told.address).replace("{events}", ", ".join(told.missing))


def _is_synced(settings: "Settings", name: str) -> bool:
    return any(name in (sync.left, sync.right) for sync in settings.syncs.values())
