"""What a request to the sandbox Bot API gives: parameters, text with entities, buttons; or why it is refused."""

import re
from email import message_from_bytes
from typing import Any

from connectors.sandbox.base import SandboxRequest
from connectors.sandbox.telegram_html import ParseError, parse_html

MAX_TEXT = 4096
MAX_RAW_BYTES = 32 * 1024


class RefusedError(Exception):
    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def parameters_of(request: SandboxRequest) -> dict[str, Any]:
    """Query, urlencoded, JSON or multipart; JSON inside a form value is read too."""
    given: dict[str, Any] = dict(request.query)
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        try:
            body = request.json()
        except ValueError:
            raise RefusedError(400, "Bad Request: can't parse JSON object") from None
        return {**given, **body} if isinstance(body, dict) else given
    if kind.startswith("multipart/form-data"):
        whole = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + request.body)
        for part in whole.walk():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(content, bytes):
                given[name] = content.decode()
    elif request.body:
        given.update(request.form())
    return {name: _from_form(name, value) for name, value in given.items()}


def _from_form(name: str, value: Any) -> Any:
    if name in ("reply_markup", "reply_parameters", "link_preview_options", "allowed_updates", "entities"):
        return SandboxRequest("", "", [], {}, str(value).encode()).json()
    return value


def text_of(given: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The text as it is read with its entities, or why it is refused."""
    raw = str(given.get("text") or "")
    if not raw:
        raise RefusedError(400, "Bad Request: message text is empty")
    if len(raw.encode()) > MAX_RAW_BYTES:
        raise RefusedError(400, "Bad Request: text is too long")
    text = raw
    entities: list[dict[str, Any]] = []
    mode = str(given.get("parse_mode") or "").lower()
    if mode == "html":
        try:
            text, entities = parse_html(raw)
        except ParseError as error:
            raise RefusedError(400, f"Bad Request: can't parse entities: {error}") from None
    elif mode:
        raise RefusedError(400, "Bad Request: unsupported parse_mode")
    if not text.strip():
        raise RefusedError(400, "Bad Request: text must be non-empty")
    if len(text.encode("utf-16-le")) // 2 > MAX_TEXT:
        raise RefusedError(400, "Bad Request: message is too long")
    return text.rstrip(), entities


def keyboard_of(given: dict[str, Any]) -> list[list[dict[str, Any]]]:
    markup = given.get("reply_markup")
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else []
    for button in (button for row in rows for button in row):
        if len(str(button.get("callback_data") or "").encode()) > 64:
            raise RefusedError(400, "Bad Request: BUTTON_DATA_INVALID")
        url = str(button.get("url") or "")
        if url and (not re.match(r"(https?|tg)://", url) or re.match(r"https?://localhost\b", url)):
            raise RefusedError(400, f"Bad Request: inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    return [row for row in rows if row]


def whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
