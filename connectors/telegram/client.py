"""A small Bot API client: one method per call, outcomes raised. Facts and dates: NOTES.md."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from connectors.base import Rate
from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError, RetryableError
from connectors.http import VendorHttp, parse_json, unreadable
from connectors.limits import Limiter
from connectors.notify import Button, MessageRef
from connectors.telegram.markup import plain, split
from leads.clock import Clock

BOT_RATE = Rate(calls=30, per_s=1.0)
CHAT_RATE = Rate(calls=1, per_s=1.0)
GROUP_RATE = Rate(calls=20, per_s=60.0)
MAX_RETRY_AFTER_S = 3600.0
"""A longer pause than this is asked again, so that one odd answer cannot silence alerts for a day."""
RIGHTS_LOST = (
    "chat not found",
    "not enough rights",
    "have no rights to send",
    "chat_write_forbidden",
    "need administrator",
)
MAX_CORRECTIONS = 6
"""A move, a text, three decorations: no refusal is answered twice in the same way."""
DECORATIONS = {
    "reply_markup": ("button_", "inline keyboard", "reply markup", "wrong http url"),
    "message_thread_id": ("message thread not found", "topic_closed", "topic_deleted"),
    "reply_parameters": ("message to be replied not found", "replied message not found"),
}
"""What may be left off a message that is refused because of it: an alert without buttons is still an alert."""


@dataclass(eq=False)
class ChatMovedError(PermanentError):
    """The group became a supergroup; `chat_id` is its new number."""

    chat_id: str = ""


class TelegramClient:
    """Calls of one bot. Chat and message ids are strings. Safe to use from several tasks."""

    def __init__(
        self,
        *,
        token: SecretStr,
        clock: Clock,
        api_url: str = "https://api.telegram.org",
        transport: httpx.AsyncBaseTransport | None = None,
        timeout_s: float = 20.0,
        user_agent: str = "leadhub",
    ) -> None:
        self._clock = clock
        self.timeout_s = timeout_s
        secret = token.get_secret_value()
        self._http = VendorHttp(
            base_url=f"{api_url.rstrip('/')}/bot{secret}/",
            clock=clock,
            limiter=Limiter(BOT_RATE, clock),
            interpret=interpret,
            transport=transport,
            read_timeout_s=timeout_s,
            user_agent=user_agent,
            secrets=[secret],
        )
        self._chats: dict[str, list[Limiter]] = {}
        self.moved: dict[str, str] = {}
        """Old chat id -> new one, as Telegram told us since the start."""

    async def get_me(self) -> dict[str, Any]:
        """The bot itself; proves that the token works."""
        return _object(await self._call("getMe", {}, writes=False))

    async def get_chat(self, chat_id: str) -> dict[str, Any]:
        return _object(await self._call("getChat", {"chat_id": _number(self._here(chat_id))}, writes=False))

    async def send_message(
        self,
        chat_id: str,
        html: str,
        *,
        buttons: Sequence[Button] = (),
        reply_to: str = "",
        thread_id: int | None = None,
        silent: bool = False,
    ) -> MessageRef:
        """Sends `html`, in several messages when it is too long; returns the first.

        Not idempotent: after UnknownOutcomeError a repeat may show the text twice.
        """
        parts = split(html)
        if not parts:
            raise PermanentError("message text is empty", "sendMessage")
        first: MessageRef | None = None
        for number, part in enumerate(parts, start=1):
            body: dict[str, Any] = {"chat_id": chat_id, "text": part, "parse_mode": "HTML"}
            body["link_preview_options"] = {"is_disabled": True}
            if thread_id is not None:
                body["message_thread_id"] = thread_id
            if silent:
                body["disable_notification"] = True
            if reply_to.isdigit() and first is None:
                body["reply_parameters"] = {"message_id": int(reply_to), "allow_sending_without_reply": True}
            if buttons and number == len(parts):
                body["reply_markup"] = keyboard(buttons)
            sent = await self._write("sendMessage", body)
            first = first or sent
        assert first is not None
        return first

    async def edit_message(self, chat_id: str, message_id: str, html: str, *, buttons: Sequence[Button] = ()) -> None:
        """Replaces the text (only what fits one message). Safe to repeat; no change is success."""
        parts = split(html)
        if not parts:
            raise PermanentError("message text is empty", "editMessageText")
        await self._write(
            "editMessageText",
            {
                "chat_id": chat_id,
                "message_id": int(message_id),
                "text": parts[0],
                "parse_mode": "HTML",
                "link_preview_options": {"is_disabled": True},
                "reply_markup": keyboard(buttons),
            },
        )

    async def answer(self, callback_id: str, text: str = "") -> None:
        """Ends the spinner on a pressed button. Too late is not an error."""
        try:
            await self._call("answerCallbackQuery", {"callback_query_id": callback_id, "text": text[:200]}, writes=True)
        except PermanentError:
            return

    async def get_updates(self, offset: int, *, wait_s: int = 10, allowed: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Updates from `offset` on; asking with a higher one confirms those before it. PermanentError 409: a webhook
        is set, or somebody else reads this bot."""
        body = {"offset": offset, "timeout": wait_s, "limit": 100, "allowed_updates": list(allowed)}
        found = await self._call("getUpdates", body, writes=False)
        return [update for update in found or [] if isinstance(update, dict)]

    async def close(self) -> None:
        await self._http.close()

    async def _write(self, method: str, body: dict[str, Any]) -> MessageRef:
        """Sends as it is; after a plain refusal, when nothing was written, again without what was refused."""
        refusal: ConnectorError = PermanentError("the chat moves in a circle", method)
        for _ in range(MAX_CORRECTIONS):
            body = {**body, "chat_id": _number(self._here(str(body["chat_id"])))}
            try:
                result = _object(await self._paced(method, body))
            except ChatMovedError as error:
                refusal = error
                self.moved[str(body["chat_id"])] = error.chat_id
            except PermanentError as error:
                if "message is not modified" in error.message:
                    return MessageRef(str(body["chat_id"]), str(body["message_id"]))
                simpler = simplified(body, error)
                if simpler is None:
                    raise
                refusal, body = error, simpler
            else:
                chat = _object(result.get("chat"))
                return MessageRef(str(chat.get("id", body["chat_id"])), str(result.get("message_id", "")))
        raise refusal

    async def _paced(self, method: str, body: dict[str, Any]) -> Any:
        async with AsyncExitStack() as stack:
            for limiter in self._limits(str(body["chat_id"])):
                await stack.enter_async_context(limiter.turn())
            return await self._call(method, body, writes=True)

    async def _call(self, method: str, body: Mapping[str, Any], *, writes: bool) -> Any:
        try:
            return await self._http.call(method, "POST", method, writes=writes, json=dict(body))
        except RateLimitedError as error:
            self._http.limiter.pause(error.retry_after_s)
            raise

    def _limits(self, chat_id: str) -> list[Limiter]:
        if chat_id not in self._chats:
            rates = [CHAT_RATE, GROUP_RATE] if chat_id.startswith(("-", "@")) else [CHAT_RATE]
            self._chats[chat_id] = [Limiter(rate, self._clock) for rate in rates]
        return self._chats[chat_id]

    def _here(self, chat_id: str) -> str:
        return self.moved.get(chat_id, chat_id)


def interpret(operation: str, response: httpx.Response, writes: bool) -> Any:
    """`result` of a good answer; else the outcome that Telegram's error code and description mean."""
    try:
        answer = parse_json(operation, response, writes=writes)
    except ConnectorError:
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
        raise _without_answer(operation, response, writes=writes)
    if answer["ok"]:
        return answer.get("result")
    code = _int(answer.get("error_code")) or response.status_code
    text = str(answer.get("description", ""))[:200]
    parameters = _object(answer.get("parameters"))
    raise _outcome(operation, code, text, parameters, response, writes=writes)


def _outcome(
    operation: str, code: int, text: str, parameters: dict[str, Any], response: httpx.Response, *, writes: bool
) -> ConnectorError:
    lowered = text.lower()
    if code == 429:
        return RateLimitedError(text, operation, code, retry_after_s=_pause_s(parameters.get("retry_after"), response))
    if code in (401, 403, 404) or any(part in lowered for part in RIGHTS_LOST):
        return AuthError(text or "refused", operation, code)  # 404 is Telegram's answer to a malformed token
    if code >= 500:
        return unreadable(operation, response, writes=writes)
    if "migrate_to_chat_id" in parameters:
        return ChatMovedError(text, operation, code, chat_id=str(parameters["migrate_to_chat_id"]))
    gone = "message to edit not found" in lowered or "message can't be edited" in lowered
    return PermanentError(text or "refused", operation, code, gone=gone)


def _without_answer(operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError:
    """Not the Bot API's JSON: a gateway, a proxy, a provider's block page."""
    if response.status_code == 429:
        return RateLimitedError("too many requests", operation, 429, retry_after_s=_pause_s(None, response))
    if 300 <= response.status_code < 500:  # whoever answered, it was not Telegram: nothing was written
        return RetryableError("not an answer of the Bot API", operation, response.status_code)
    return unreadable(operation, response, writes=writes)


def simplified(body: Mapping[str, Any], error: PermanentError) -> dict[str, Any] | None:
    """The same message without the part that was refused, or None when there is no such part."""
    reason = error.message.lower()
    if "can't parse entities" in reason and "parse_mode" in body:
        rest = {name: value for name, value in body.items() if name != "parse_mode"}
        return {**rest, "text": plain(str(body["text"])) or "-"}
    for name, signs in DECORATIONS.items():
        if name in body and any(sign in reason for sign in signs):
            return {key: value for key, value in body.items() if key != name}
    return None


def keyboard(buttons: Sequence[Button]) -> dict[str, Any]:
    """One row of buttons; none takes an existing row away."""
    row = [{"text": b.text, "url": b.url} if b.url else {"text": b.text, "callback_data": b.action} for b in buttons]
    return {"inline_keyboard": [row] if row else []}


def _pause_s(value: Any, response: httpx.Response) -> float:
    """`parameters.retry_after`, else the header, else 5 s; within reason."""
    for candidate in (value, response.headers.get("retry-after")):
        try:
            return min(max(float(candidate), 1.0), MAX_RETRY_AFTER_S)
        except (TypeError, ValueError):
            continue
    return 5.0


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(chat_id: str) -> int | str:
    """Chat ids travel as numbers, channel names as text."""
    return chat_id if chat_id.startswith("@") else int(chat_id)


def _int(value: Any) -> int:
    return value if isinstance(value, int) else 0
