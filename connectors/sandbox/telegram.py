"""A Bot API that behaves as Telegram's does: tokens, chats, limits, parse errors, long-lived updates.

What it does not do: media, inline mode, waiting inside `getUpdates` (it answers at once).
Shapes, limits and texts of errors: connectors/telegram/NOTES.md.
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.sandbox.base import OwnFault, SandboxRequest, SandboxResponse, Table
from connectors.sandbox.telegram_requests import RefusedError, keyboard_of, parameters_of, text_of, whole
from leads.clock import Clock

HOUR_SHOWN = "%d.%m %H:%M:%S"
_PATH = re.compile(r"/bot(?P<token>[^/]+)/(?P<method>\w+)/?")
_TOKEN = re.compile(r"\d+:[\w-]+")


@dataclass(slots=True)
class Chat:
    """`state` "ok", "blocked" (403) or "kicked" (403); `moved_to` the supergroup that it became."""

    id: int
    type: str
    state: str = "ok"
    moved_to: int = 0
    topics: list[int] = field(default_factory=list)
    next_message_id: int = 1


@dataclass(slots=True)
class Message:
    """`text` as it is read, without tags; `raw` as it was sent. `history` has the former texts."""

    message_id: int
    chat_id: int
    bot: str
    text: str
    raw: str
    date: int
    entities: list[dict[str, Any]] = field(default_factory=list)
    reply_to: int = 0
    thread_id: int = 0
    keyboard: list[list[dict[str, Any]]] = field(default_factory=list)
    silent: bool = False
    edit_date: int = 0
    history: list[str] = field(default_factory=list)


class TelegramSandbox:
    """Takes any well-formed token and any chat unless told which there are."""

    name = "telegram"

    def __init__(
        self,
        clock: Clock,
        *,
        tokens: Iterable[str] | None = None,
        chats: Iterable[Chat] | None = None,
        burst: int = 3,
    ) -> None:
        """`burst` is how many messages of one chat pass at once before 1/s holds."""
        self.clock = clock
        self.tokens = None if tokens is None else set(tokens)
        self.open_door = chats is None
        self.chats = {chat.id: chat for chat in chats or ()}
        self.messages: list[Message] = []
        self.updates: dict[str, list[dict[str, Any]]] = {}
        self.webhooks: dict[str, str] = {}
        self.answered: list[tuple[str, str]] = []
        """(callback id, text) of every answered button."""
        self._burst = burst
        self._next_update_id = 700_100_001
        self._bot_calls: dict[str, deque[float]] = {}
        self._group_calls: dict[int, deque[float]] = {}
        self._levels: dict[int, tuple[float, float]] = {}

    # --- the protocol of a sandbox vendor ------------------------------------------------

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        match = _PATH.fullmatch(request.path)
        if match is None:
            return _refusal(404, "Not Found")
        token, method = match.group("token"), match.group("method").lower()
        try:
            self._check_token(token)
            call = getattr(self, f"_do_{method}", None)
            if call is None:
                raise RefusedError(404, "Not Found: method not found")
            result = call(token, parameters_of(request))
        except RefusedError as error:
            return _refusal(error.code, error.description, **error.parameters)
        return SandboxResponse(200, {"ok": True, "result": result})

    def fault_answer(self, kind: OwnFault) -> SandboxResponse:
        match kind:
            case "429":
                return _refusal(429, "Too Many Requests: retry after 3", retry_after=3)
            case "401":
                return _refusal(401, "Unauthorized")
            case "503":
                return _refusal(503, "Service Unavailable")
            case _:
                return _refusal(500, "Internal Server Error")

    def tables(self) -> list[Table]:
        rows: list[tuple[str, ...]] = [
            (
                datetime.fromtimestamp(message.edit_date or message.date, UTC).strftime(HOUR_SHOWN),
                str(message.chat_id),
                str(message.message_id),
                message.text,
                str(len(message.history)),
                str(message.reply_to or ""),
            )
            for message in reversed(self.messages)
        ]
        return [Table("Messages", ("time", "chat", "id", "text", "edits", "reply to"), rows)]

    def snapshot(self) -> dict[str, Any]:
        """All that is kept over a restart, as plain JSON values."""
        return {
            "chats": [asdict(chat) for chat in self.chats.values()],
            "messages": [asdict(message) for message in self.messages],
            "updates": {token: list(waiting) for token, waiting in self.updates.items()},
            "webhooks": dict(self.webhooks),
            "next_update_id": self._next_update_id,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.chats = {chat["id"]: Chat(**chat) for chat in state["chats"]}
        self.messages = [Message(**message) for message in state["messages"]]
        self.updates = dict(state["updates"])
        self.webhooks = dict(state["webhooks"])
        self._next_update_id = state["next_update_id"]

    # --- what a person does in the chat ---------------------------------------------------

    def press(self, chat_id: int, message_id: int, data: str, *, name: str = "Анна") -> str:
        """A person presses a button under a message; returns the callback id."""
        message = self._message(chat_id, message_id)
        callback_id = str(4_000_000_000 + self._next_update_id)
        who = {"id": 5210001, "is_bot": False, "first_name": name}
        query = {"id": callback_id, "from": who, "message": self._shown(message), "chat_instance": "1", "data": data}
        self._push(message.bot, "callback_query", query)
        return callback_id

    def say(self, token: str, chat_id: int, text: str, *, name: str = "Анна") -> None:
        """A person writes to the bot."""
        chat = self._chat(chat_id)
        message = {
            "message_id": self._take_id(chat),
            "from": {"id": abs(chat_id), "is_bot": False, "first_name": name},
            "chat": {"id": chat_id, "type": chat.type},
            "date": self._now(),
            "text": text,
        }
        self._push(token, "message", message)

    def chat_messages(self, chat_id: int) -> list[Message]:
        """Oldest first."""
        return [message for message in self.messages if message.chat_id == chat_id]

    # --- methods of the Bot API -----------------------------------------------------------

    def _do_getme(self, token: str, _: dict[str, Any]) -> dict[str, Any]:
        number = int(token.partition(":")[0])
        return {
            "id": number,
            "is_bot": True,
            "first_name": "leadhub",
            "username": "leadhub_sandbox_bot",
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    def _do_getchat(self, _: str, given: dict[str, Any]) -> dict[str, Any]:
        chat = self._reachable(given)
        title = {"title": f"Chat {chat.id}"} if chat.id < 0 else {"first_name": "Анна"}
        extra = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": GIFTS}
        return {"id": chat.id, "type": chat.type, **title, **extra}

    def _do_sendmessage(self, token: str, given: dict[str, Any]) -> dict[str, Any]:
        text, entities = text_of(given)
        chat = self._reachable(given)
        keyboard = keyboard_of(given)
        thread_id = whole(given.get("message_thread_id"))
        if thread_id and thread_id not in chat.topics:
            raise RefusedError(400, "Bad Request: message thread not found")
        reply_to = self._reply_target(chat, given)
        self._spend(token, chat)
        message = Message(
            message_id=self._take_id(chat),
            chat_id=chat.id,
            bot=token,
            text=text,
            raw=str(given["text"]),
            date=self._now(),
            entities=entities,
            reply_to=reply_to,
            thread_id=thread_id,
            keyboard=keyboard,
            silent=given.get("disable_notification") in (True, "true", "True", "1"),
        )
        self.messages.append(message)
        return self._shown(message)

    def _do_editmessagetext(self, token: str, given: dict[str, Any]) -> dict[str, Any]:
        text, entities = text_of(given)
        chat = self._reachable(given)
        message = next((m for m in self.chat_messages(chat.id) if m.message_id == whole(given.get("message_id"))), None)
        if message is None:
            raise RefusedError(400, "Bad Request: message to edit not found")
        if message.bot != token:
            raise RefusedError(400, "Bad Request: message can't be edited")
        keyboard = keyboard_of(given)
        self._spend(token, chat)
        if (text, entities, keyboard) == (message.text, message.entities, message.keyboard):
            raise RefusedError(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly "
                "the same as a current content and reply markup of the message",
            )
        message.history.append(message.text)
        message.text, message.raw, message.entities, message.keyboard = text, str(given["text"]), entities, keyboard
        message.edit_date = self._now()
        return self._shown(message)

    def _do_answercallbackquery(self, token: str, given: dict[str, Any]) -> bool:
        callback_id = str(given.get("callback_query_id", ""))
        if not callback_id.isdigit() or callback_id in dict(self.answered):
            raise RefusedError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self.answered.append((callback_id, str(given.get("text", ""))))
        return True

    def _do_getupdates(self, token: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        if self.webhooks.get(token):
            raise RefusedError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        waiting = self.updates.setdefault(token, [])
        offset = whole(given.get("offset"))
        if offset > 0:
            waiting[:] = [update for update in waiting if update["update_id"] >= offset]
        elif offset < 0:
            waiting[:] = waiting[offset:]
        return waiting[: min(max(whole(given.get("limit")) or 100, 1), 100)]

    def _do_setwebhook(self, token: str, given: dict[str, Any]) -> bool:
        url = str(given.get("url", ""))
        if url and not url.startswith("https://"):
            raise RefusedError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self.webhooks[token] = url
        return True

    def _do_deletewebhook(self, token: str, _: dict[str, Any]) -> bool:
        self.webhooks.pop(token, None)
        return True

    def _do_getwebhookinfo(self, token: str, _: dict[str, Any]) -> dict[str, Any]:
        pending = len(self.updates.get(token, []))
        return {"url": self.webhooks.get(token, ""), "has_custom_certificate": False, "pending_update_count": pending}

    # --- rules ----------------------------------------------------------------------------

    def _check_token(self, token: str) -> None:
        if not _TOKEN.fullmatch(token):
            raise RefusedError(404, "Not Found")
        if self.tokens is not None and token not in self.tokens:
            raise RefusedError(401, "Unauthorized")

    def _reachable(self, given: dict[str, Any]) -> Chat:
        chat = self._chat(given.get("chat_id"))
        if chat.moved_to:
            raise RefusedError(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=chat.moved_to,
            )
        if chat.state == "blocked":
            raise RefusedError(403, "Forbidden: bot was blocked by the user")
        if chat.state == "kicked":
            raise RefusedError(403, f"Forbidden: bot was kicked from the {chat.type} chat")
        return chat

    def _chat(self, given: Any) -> Chat:
        number = whole(given)
        if number not in self.chats and self.open_door and number:
            kind = "private" if number > 0 else "supergroup" if str(number).startswith("-100") else "group"
            self.chats[number] = Chat(number, kind)
        if given in (None, ""):
            raise RefusedError(400, "Bad Request: chat_id is empty")
        if number not in self.chats:
            raise RefusedError(400, "Bad Request: chat not found")
        return self.chats[number]

    def _reply_target(self, chat: Chat, given: dict[str, Any]) -> int:
        wanted = given.get("reply_parameters")
        if not isinstance(wanted, dict):
            return 0
        number = whole(wanted.get("message_id"))
        if any(message.message_id == number for message in self.chat_messages(chat.id)):
            return number
        if wanted.get("allow_sending_without_reply"):
            return 0
        raise RefusedError(400, "Bad Request: message to be replied not found")

    def _spend(self, token: str, chat: Chat) -> None:
        """Counts one message against all three limits, or refuses with how long to wait."""
        now = self.clock.monotonic()
        bot = self._bot_calls.setdefault(token, deque())
        group = self._group_calls.setdefault(chat.id, deque())
        level, at = self._levels.get(chat.id, (0.0, now))
        level = max(0.0, level - (now - at))
        wait = max(_window(bot, now, 30, 1.0), level + 1 - self._burst)
        if chat.id < 0:
            wait = max(wait, _window(group, now, 20, 60.0))
        if wait > 0:
            seconds = int(wait) + 1
            raise RefusedError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        bot.append(now)
        group.append(now)
        self._levels[chat.id] = (level + 1, now)

    def _shown(self, message: Message) -> dict[str, Any]:
        chat = self.chats[message.chat_id]
        title = {"title": f"Chat {chat.id}"} if chat.id < 0 else {"first_name": "Анна"}
        shown: dict[str, Any] = {
            "message_id": message.message_id,
            "from": self._do_getme(message.bot, {}),
            "chat": {"id": chat.id, "type": chat.type, **title},
            "date": message.date,
            "text": message.text,
        }
        if message.entities:
            shown["entities"] = message.entities
        if message.edit_date:
            shown["edit_date"] = message.edit_date
        if message.thread_id:
            shown["message_thread_id"] = message.thread_id
        if message.keyboard:
            shown["reply_markup"] = {"inline_keyboard": message.keyboard}
        if message.reply_to:
            first = self._message(chat.id, message.reply_to)
            shown["reply_to_message"] = {"message_id": first.message_id, "chat": shown["chat"], "date": first.date}
        return shown

    def _message(self, chat_id: int, message_id: int) -> Message:
        return next(message for message in self.chat_messages(chat_id) if message.message_id == message_id)

    def _push(self, token: str, kind: str, content: dict[str, Any]) -> None:
        self.updates.setdefault(token, []).append({"update_id": self._next_update_id, kind: content})
        self._next_update_id += 1

    @staticmethod
    def _take_id(chat: Chat) -> int:
        chat.next_message_id += 1
        return chat.next_message_id - 1

    def _now(self) -> int:
        return int(self.clock.now().timestamp())


GIFTS = {
    "unlimited_gifts": False,
    "limited_gifts": False,
    "unique_gifts": False,
    "premium_subscription": False,
    "gifts_from_channels": False,
}


def _refusal(code: int, description: str, **parameters: Any) -> SandboxResponse:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    headers = {"retry-after": str(parameters["retry_after"])} if "retry_after" in parameters else {}
    if parameters:
        body["parameters"] = parameters
    return SandboxResponse(code, body, headers)


def _window(calls: deque[float], now: float, limit: int, seconds: float) -> float:
    """Seconds until one more call fits `limit` in `seconds`; 0 or less: it fits."""
    while calls and calls[0] <= now - seconds:
        calls.popleft()
    return calls[0] + seconds - now if len(calls) >= limit else 0.0
