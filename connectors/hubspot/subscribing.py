"""What has to be clicked in HubSpot: today's apps cannot register webhooks by the API. Docs, "Webhooks"."""

from typing import Final

from connectors.webhooks import Subscribed

EVENTS: Final = tuple(
    f"{object}.{event}"
    for object in ("contact", "company", "deal")
    for event in ("creation", "deletion", "merge", "restore", "propertyChange", "associationChange")
)
BY_HAND: Final = (
    "HubSpot's webhooks cannot be registered by the API. In a legacy private app: Webhooks > Target URL; in a project\n"
    "    app: webhooks-hsmeta.json, deployed with the CLI. A service key has none: then changes are only polled.\n"
    "    target {address}\n    subscriptions {events}\n"
    "    (propertyChange for each property that a sync reads), all active; the app's client secret into client_secret.",
    "Вебхуки HubSpot нельзя зарегистрировать через API. В private app: Webhooks > Target URL; в проектном приложении:\n"
    "    webhooks-hsmeta.json и HubSpot CLI. У service key вебхуков нет: тогда изменения только опрашиваются.\n"
    "    адрес {address}\n    подписки {events}\n"
    "    (propertyChange — для каждого поля, которое читает синхронизация), все включены;\n"
    "    client secret приложения — в client_secret.",
)


def subscribed(address: str) -> Subscribed:
    return Subscribed(address, EVENTS, BY_HAND)
