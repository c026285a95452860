"""A sample of the door: a first message."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import NAME, TEXT, millis, posted_json, secret
from connectors.telegram_bot.settings import TelegramBotSettings


def sample(settings: TelegramBotSettings, address: str, now: datetime) -> Inbound:
    who = {"id": millis(now), "first_name": NAME}
    message = {
        "message_id": millis(now),
        "from": {**who, "is_bot": False},
        "chat": {**who, "type": "private"},
        "date": int(now.timestamp()),
        "text": TEXT,
    }
    headers = {"x-telegram-bot-api-secret-token": secret(settings.secret_token)}
    return posted_json(settings, address, now, {"update_id": millis(now), "message": message}, headers=headers)
